"""Extent items and backrefs by themselves. (`check_extent_item` and its neighbours in the kernel's tree-checker.c.)"""

from collections.abc import Iterator

import numpy as np

from pybtrfs.check.columns import U64, Array, Table, one_of
from pybtrfs.check.findings import Severity
from pybtrfs.check.ledger import Ledger, Posting
from pybtrfs.check.names import crcs
from pybtrfs.check.rule import Judged, RowTest, collected, ledger, row_test
from pybtrfs.check.tables import Tables
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.extent import EXTENT_DATA_REF, INLINE_EXTENT_DATA_REF, INLINE_REFS

_SEED = 0xFFFFFFFF
_COLLISIONS = 1024
"""How far behind its hash a keyed EXTENT_DATA_REF may stand: others may have had the places before."""
_OF_BLOCKS = (c.TREE_BLOCK_REF_KEY, c.SHARED_BLOCK_REF_KEY)
_OF_DATA = (c.EXTENT_OWNER_REF_KEY, c.EXTENT_DATA_REF_KEY, c.SHARED_DATA_REF_KEY)
_SIZES = np.zeros(256, np.int64)
_SIZES[list(INLINE_REFS)] = [layout.size for layout in INLINE_REFS.values()]


@ledger(
    "EXT-011",
    Severity.ERROR,
    "tree block {bytenr}: it less extent items that give it level {level}: {difference}",
    "bytenr",
    "level",
)
def levels(t: Tables) -> Iterator[Posting]:
    """An extent item of a tree block says the level that the block has."""
    yield 1, t.block, (t.block.bytenr, t.block.level)
    items = _of_tree_blocks(t)
    yield -1, items, (items.bytenr, items.level)


@ledger(
    "EXT-012",
    Severity.WARNING,
    "tree block {bytenr}: it less extent items that give it generation {generation}: {difference}",
    "bytenr", "generation",
)  # fmt: skip
def generations(t: Tables) -> Iterator[Posting]:
    """An extent item of a tree block says the generation that the block has; a scrub relies on that."""
    yield 1, t.block, (t.block.bytenr, t.block.generation)
    items = _of_tree_blocks(t)
    yield -1, items, (items.bytenr, items.generation)


def _of_tree_blocks(t: Tables) -> Table:
    return t.extent_item.where((t.extent_item.flags & U64(c.EXTENT_FLAG_TREE_BLOCK)) != U64(0))


@row_test("EXI-001", Severity.ERROR, "extent {bytenr}: its inline backrefs end after {held} bytes of {room}")
def inline_refs_fill_the_item(t: Tables) -> Judged:
    """Inline backrefs of known types follow each other up to the item's end."""
    e = t.extent_item
    lengths = _SIZES[t.inline_ref.kind.astype(np.int64)]
    room = e.item_end - e.inline_at
    if int(lengths.sum()) == int(room.sum()) and not (room < 0).any():
        return e, np.zeros(len(e), bool)
    held = np.bincount(t.inline_ref.rows, lengths, len(t.batch.type)).astype(np.int64)[e.rows]
    e.columns |= {"held": held, "room": room}
    return e, held != room


@row_test(
    "EXI-002", Severity.ERROR, "extent {key_objectid}: an inline backref of type {kind} follows one of type {before}"
)
def order_of_inline_refs(t: Tables) -> Judged:
    """Types rise, and within a type what a backref is sorted by falls: its hash or its offset."""
    r = t.inline_ref
    if len(r) < 2 or len(r) == len(t.extent_item):
        return r, np.zeros(len(r), bool)
    before = np.concatenate([r.kind[:1], r.kind[:-1]])
    same = np.concatenate([[False], r.rows[1:] == r.rows[:-1]])
    r.columns["before"] = before
    place = _places(t, r)
    rises = np.concatenate([[False], place[1:] > place[:-1]])
    return r, same & ((r.kind < before) | ((r.kind == before) & rises))


def _places(t: Tables, r: Table) -> Array:
    """By what backrefs of one type are sorted."""
    place = r.offset.copy()
    rows = np.flatnonzero(r.kind == U64(c.EXTENT_DATA_REF_KEY))
    place[rows] = _hashes(t, r.at[rows] + INLINE_EXTENT_DATA_REF.offset_of("root"))
    return place


def _hashes(t: Tables, at: Array) -> Array:
    """Where an EXTENT_DATA_REF stands whose root, inode and offset begin at each position."""
    width = np.full(len(at), 8)
    high, low = crcs(t.batch.buffer, at, width, _SEED), crcs(t.batch.buffer, at + 8, 2 * width, _SEED)
    found: Array = (high << U64(31)) ^ low
    return found


@row_test("EXI-003", Severity.ERROR, "extent {key_objectid}: a backref of type {kind}, and flags {flags}")
def kind_of_backref(t: Tables) -> Judged:
    """Tree blocks have backrefs of tree blocks, data those of data."""
    r, e = t.inline_ref, t.extent_item
    if not len(r):
        return r, np.zeros(0, bool)
    r.columns["flags"] = e.flags[np.searchsorted(e.rows, r.rows)]
    block = (r.flags & U64(c.EXTENT_FLAG_TREE_BLOCK)) != U64(0)
    return r, np.where(block, ~one_of(r.kind, *_OF_BLOCKS), ~one_of(r.kind, *_OF_DATA))


@row_test(
    "EXI-004", Severity.ERROR, "extent {bytenr}: backref of type {kind} ({a} {b} {c}), counted {count}: it cannot be"
)
def possible_backref(t: Tables) -> Judged:
    """A backref by file has a subvolume, an inode and a whole sector; one by block has an address; all count."""
    r, mask = t.backref, U64(t.about.sectorsize - 1)
    shared = (r.kind == U64(c.SHARED_BLOCK_REF_KEY)) | (r.kind == U64(c.SHARED_DATA_REF_KEY))
    of_file = r.kind == U64(c.EXTENT_DATA_REF_KEY)
    wrong = (r.count == U64(0)) | (shared & (((r.a & mask) != U64(0)) | (r.a == U64(0))))
    trees = one_of(r.a, c.ROOT_TREE_OBJECTID, c.FS_TREE_OBJECTID, c.DATA_RELOC_TREE_OBJECTID)
    inode = _free(r.b) | (r.b == U64(c.FREE_INO_OBJECTID))
    return r, wrong | (of_file & (~(trees | _free(r.a)) | ~inode | ((r.c & mask) != U64(0))))


def _free(number: Array) -> Array:
    found: Array = (number - U64(c.FIRST_FREE_OBJECTID)) <= U64(c.LAST_FREE_OBJECTID - c.FIRST_FREE_OBJECTID)
    return found


@row_test(
    "EXI-005", Severity.ERROR, "extent {key_objectid}: a backref stands under hash {key_offset}, its own is {hash}"
)
def hash_of_a_keyed_ref(t: Tables) -> Judged:
    """A keyed backref by file stands under the hash of what it names, or where that is taken, behind."""
    r = t.batch.items(c.EXTENT_DATA_REF_KEY, EXTENT_DATA_REF)
    r.columns["hash"] = _hashes(t, r.at)
    return r, (r.key_offset - r.hash) >= U64(_COLLISIONS)


@row_test("EXI-006", Severity.ERROR, "extent {bytenr}: refs is {refs}, level {level}, which cannot be")
def possible_item(t: Tables) -> Judged:
    """Somebody refers to an extent; a skinny item is of a tree block; trees have eight levels."""
    e = t.extent_item
    skinny = e.is_skinny & (e.flags & U64(c.EXTENT_FLAG_TREE_BLOCK) == U64(0))
    return e, skinny | (e.refs == U64(0)) | (e.level >= U64(c.MAX_LEVEL))


LEDGERS: list[Ledger] = collected(globals(), Ledger)
TESTS: list[RowTest] = collected(globals(), RowTest)
