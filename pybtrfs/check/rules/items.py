"""Items by themselves: types that belong into their tree, lengths that their structures have, keys that can be.

The kernel asks the like of each leaf that it reads (`fs/btrfs/tree-checker.c`); what it asks of fields stands in the
module of its subject. All is looked up in tables of 256 types, so that sound leaves cost little.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from pybtrfs.check.columns import U64, Array, Table, distinct, one_of
from pybtrfs.check.findings import Severity
from pybtrfs.check.rule import Judged, RowTest, collected, row_test
from pybtrfs.check.tables import Tables
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import DEV_EXTENT
from pybtrfs.ondisk.dir import DIR_ITEM
from pybtrfs.ondisk.extent import EXTENT_HEAD
from pybtrfs.ondisk.file_extent import FILE_EXTENT, INLINE_EXTENT
from pybtrfs.ondisk.free_space import BITMAP_SIZE
from pybtrfs.ondisk.inode import INODE_EXTREF, INODE_REF
from pybtrfs.ondisk.layout import Fixed, Many, Raw, Tailed
from pybtrfs.ondisk.registry import ITEM_TYPES

_OF_INODES = (
    c.INODE_ITEM_KEY, c.INODE_REF_KEY, c.INODE_EXTREF_KEY, c.XATTR_ITEM_KEY, c.VERITY_DESC_ITEM_KEY,
    c.VERITY_MERKLE_ITEM_KEY, c.DIR_ITEM_KEY, c.DIR_INDEX_KEY, c.EXTENT_DATA_KEY,
)  # fmt: skip
_FILES = (*_OF_INODES, c.ORPHAN_ITEM_KEY)
_TYPES_OF_TREES: dict[int, tuple[int, ...]] = {
    c.FS_TREE_OBJECTID: _FILES,
    c.TREE_LOG_OBJECTID: (
        *_OF_INODES, c.DIR_LOG_ITEM_KEY, c.DIR_LOG_INDEX_KEY, c.EXTENT_CSUM_KEY, c.ROOT_ITEM_KEY
    ),
    c.ROOT_TREE_OBJECTID: (
        c.UNTYPED_KEY, c.INODE_ITEM_KEY, c.INODE_REF_KEY, c.ORPHAN_ITEM_KEY, c.DIR_ITEM_KEY, c.DIR_INDEX_KEY,
        c.EXTENT_DATA_KEY, c.ROOT_ITEM_KEY, c.ROOT_BACKREF_KEY, c.ROOT_REF_KEY, c.TEMPORARY_ITEM_KEY,
    ),
    c.EXTENT_TREE_OBJECTID: (
        c.EXTENT_ITEM_KEY, c.METADATA_ITEM_KEY, c.EXTENT_OWNER_REF_KEY, c.TREE_BLOCK_REF_KEY, c.EXTENT_DATA_REF_KEY,
        c.SHARED_BLOCK_REF_KEY, c.SHARED_DATA_REF_KEY, c.BLOCK_GROUP_ITEM_KEY,
    ),
    c.CHUNK_TREE_OBJECTID: (c.DEV_ITEM_KEY, c.CHUNK_ITEM_KEY),
    c.DEV_TREE_OBJECTID: (c.DEV_EXTENT_KEY, c.PERSISTENT_ITEM_KEY, c.DEV_REPLACE_KEY),
    c.CSUM_TREE_OBJECTID: (c.EXTENT_CSUM_KEY,),
    c.QUOTA_TREE_OBJECTID: (
        c.QGROUP_STATUS_KEY, c.QGROUP_INFO_KEY, c.QGROUP_LIMIT_KEY, c.QGROUP_RELATION_KEY
    ),
    c.UUID_TREE_OBJECTID: (c.UUID_KEY_SUBVOL, c.UUID_KEY_RECEIVED_SUBVOL),
    c.FREE_SPACE_TREE_OBJECTID: (c.FREE_SPACE_INFO_KEY, c.FREE_SPACE_EXTENT_KEY, c.FREE_SPACE_BITMAP_KEY),
    c.BLOCK_GROUP_TREE_OBJECTID: (c.BLOCK_GROUP_ITEM_KEY,),
}  # fmt: skip
"""The item types that each tree may hold; all subvolumes are as the top level."""
_LONGEST = 1 << 16
_LENGTHS = {
    c.EXTENT_ITEM_KEY: (EXTENT_HEAD.size, _LONGEST),
    c.METADATA_ITEM_KEY: (EXTENT_HEAD.size, _LONGEST),
    c.EXTENT_DATA_KEY: (INLINE_EXTENT.size, _LONGEST),
    c.FREE_SPACE_BITMAP_KEY: (1, BITMAP_SIZE),
    c.EXTENT_CSUM_KEY: (1, _LONGEST),
    c.PERSISTENT_ITEM_KEY: (1, _LONGEST),
    c.TEMPORARY_ITEM_KEY: (1, _LONGEST),
}
"""Least and most bytes of items whose declaration does not say it."""


@row_test("ITM-001", Severity.ERROR, "item ({key_objectid} {type} {key_offset}): no such item belongs into this tree")
def type_of_the_tree(t: Tables) -> Judged:
    """An item's type is one that its tree may hold."""
    b = t.batch
    allowed = _allowed()
    if t.shared:
        return _items(t, ~allowed[c.FS_TREE_OBJECTID][b.type])
    owner, wrong = b.header("owner")[b.block], np.zeros(len(b.type), bool)
    for tree in distinct(owner).tolist():
        if tree in allowed:
            wrong |= (owner == U64(tree)) & ~allowed[tree][b.type]
    return _items(t, wrong)


@row_test("ITM-002", Severity.ERROR, "item ({key_objectid} {type} {key_offset}): it has {size} bytes")
def length_of_the_type(t: Tables) -> Judged:
    """An item is as long as its type's structure, or one of its forms."""
    b = t.batch
    least, most = _bounds()
    wrong = (b.size < least[b.type]) | (b.size > most[b.type])
    if not t.shared:
        for number, layout in _of_several_lengths():
            wrong |= (b.type == number) & ~one_of(b.size, *layout.forms)
        wrong |= ((b.type == c.UUID_KEY_SUBVOL) | (b.type == c.UUID_KEY_RECEIVED_SUBVOL)) & (b.size % 8 != 0)
    return _items(t, wrong)


@row_test(
    "ITM-003", Severity.ERROR, "item ({key_objectid} {type} {key_offset}): names of {held} bytes in an item of {size}"
)
def names_fill_the_item(t: Tables) -> Judged:
    """The records in an item follow each other up to its end."""
    wrong = np.zeros(len(t.batch.type), bool)
    held = np.zeros(0, np.int64)
    for types, table, lengths in _named(t):
        in_items = sum(int(t.batch.size[t.batch.type == number].sum()) for number in types)
        if int(lengths.sum()) != in_items:
            held = np.bincount(table.rows, lengths, len(wrong)).astype(np.int64)
            wrong |= one_of(t.batch.type, *types) & (held != t.batch.size)
    found, mask = _items(t, wrong)
    if len(found):
        found.columns["held"] = np.zeros(len(found), U64)
        for types, table, lengths in _named(t):
            held = np.bincount(table.rows, lengths, len(wrong)).astype(U64)
            found.columns["held"] += np.where(one_of(found.type, *types), held[found.rows], U64(0))
    return found, mask


@row_test("ITM-004", Severity.ERROR, "item ({key_objectid} {type} {key_offset}): no item can have this key")
def possible_key(t: Tables) -> Judged:
    """Items of inodes have an inode's number, others the objectid of their type."""
    b = t.batch
    beyond = (b.objectid - U64(c.FIRST_FREE_OBJECTID)) > U64(c.LAST_FREE_OBJECTID - c.FIRST_FREE_OBJECTID)
    if t.shared:
        wrong = beyond & (b.type != c.ORPHAN_ITEM_KEY) & (b.objectid != U64(c.FREE_INO_OBJECTID))
        wrong |= (b.type == c.ORPHAN_ITEM_KEY) & (b.objectid != U64(c.ORPHAN_OBJECTID))
    else:
        wrong = _wrong_objectids(b.type, b.objectid)
    wrong[t.inode.rows[t.inode.key_offset != U64(0)]] = True
    return _items(t, wrong)


@row_test(
    "ITM-005",
    Severity.ERROR,
    "inode {ino}: file extent at {start}: its item has {item_size} bytes, expected {expected}",
)
def length_of_a_file_extent(t: Tables) -> Judged:
    """A file extent that is not inline has one length."""
    e = t.extent
    e.columns["expected"] = np.full(len(e), FILE_EXTENT.size, U64)
    return e, ~e.is_inline & (e.item_size != e.expected)


@row_test(
    "ITM-006", Severity.ERROR, "directory {dir}: an entry by hash has {name_len} bytes of name and {data_len} of data"
)
def lengths_of_an_entry(t: Tables) -> Judged:
    """An entry has a name and no data."""
    e = t.dir_item
    return e, (e.name_len == U64(0)) | (e.data_len != U64(0))


@row_test("ITM-007", Severity.ERROR, "directory {dir}: an entry leads to root item {child}, which is no subvolume's")
def entry_of_a_subvolume(t: Tables) -> Judged:
    """What leads to a root item leads to a subvolume's."""
    e = t.dir_index if t.shared else t.dir_item
    beyond = (e.child - U64(c.FIRST_FREE_OBJECTID)) > U64(c.LAST_FREE_OBJECTID - c.FIRST_FREE_OBJECTID)
    return e, (e.ctype == U64(c.ROOT_ITEM_KEY)) & beyond & (e.child != U64(c.FS_TREE_OBJECTID))


@row_test(
    "ITM-008",
    Severity.ERROR,
    "device extent of devid {key_objectid} at {key_offset}: {length} bytes for {chunk_offset}",
)
def aligned_device_extent(t: Tables) -> Judged:
    """Device extents are of whole sectors."""
    e = t.batch.items(c.DEV_EXTENT_KEY, DEV_EXTENT)
    odd = ((e.key_offset | e.length | e.chunk_offset) & U64(t.about.sectorsize - 1)) != U64(0)
    return e, odd | (e.length == U64(0))


def _items(t: Tables, wrong: Array) -> Judged:
    """The items of a mask as a table: `type size`, in file trees `ino`."""
    b, rows = t.batch, np.flatnonzero(wrong)
    table = Table(b, rows, b.data_at[rows], None, type=b.type[rows].astype(U64), size=b.size[rows].astype(U64))
    if t.shared:
        table.columns["ino"] = b.objectid[rows]
    return table, np.ones(len(rows), bool)


def _named(t: Tables) -> Iterator[tuple[tuple[int, ...], Table, Array]]:
    """The tables of records with names: of which item types, the records, their lengths."""
    more = np.zeros(len(t.ref), np.int64)
    if len(t.extref):
        more[t.batch.type[t.ref.rows] == c.INODE_EXTREF_KEY] = INODE_EXTREF.size - INODE_REF.size
    names = t.ref.name_len.astype(np.int64)
    yield (c.INODE_REF_KEY, c.INODE_EXTREF_KEY), t.ref, names + INODE_REF.size + more
    for number, table in ((c.DIR_ITEM_KEY, t.dir_item), (c.DIR_INDEX_KEY, t.dir_index), (c.XATTR_ITEM_KEY, t.xattr)):
        yield (number,), table, (table.name_len + table.data_len).astype(np.int64) + DIR_ITEM.size


def _wrong_objectids(kind: Array, objectid: Array) -> Array:
    wrong = np.zeros(len(kind), bool)
    for number, expected in (
        (c.EXTENT_CSUM_KEY, c.EXTENT_CSUM_OBJECTID),
        (c.ORPHAN_ITEM_KEY, c.ORPHAN_OBJECTID),
        (c.UNTYPED_KEY, c.FREE_SPACE_OBJECTID),
        (c.QGROUP_STATUS_KEY, 0),
        (c.QGROUP_INFO_KEY, 0),
        (c.QGROUP_LIMIT_KEY, 0),
        (c.DEV_REPLACE_KEY, 0),
    ):
        wrong |= (kind == number) & (objectid != U64(expected))
    return wrong


@cache
def _allowed() -> dict[int, Array]:
    """Of each tree id: which of the 256 types it may hold."""
    tables = {}
    for tree, types in _TYPES_OF_TREES.items():
        tables[tree] = np.zeros(256, bool)
        tables[tree][list(types)] = True
    return tables


@cache
def _bounds() -> tuple[Array, Array]:
    """Of each type: the least and the most bytes that its item can have."""
    least, most = np.zeros(256, np.int64), np.full(256, _LONGEST, np.int64)
    for number, row in ITEM_TYPES.items():
        least[number], most[number] = _LENGTHS.get(number) or _lengths_of(row.codec)
    return least, most


def _lengths_of(codec: Any) -> tuple[int, int]:
    match codec:
        case Many():
            return codec.element.size, _LONGEST
        case Tailed():
            return codec.size, _LONGEST
        case Fixed():
            return codec.forms[0], codec.size
        case Raw() if codec.size is not None:
            return codec.size, codec.size
    return 0, _LONGEST


@cache
def _of_several_lengths() -> list[tuple[int, Fixed[Any]]]:
    return [
        (number, row.codec)
        for number, row in ITEM_TYPES.items()
        if isinstance(row.codec, Fixed) and not isinstance(row.codec, Tailed) and len(row.codec.forms) > 1
    ]


TESTS: list[RowTest] = collected(globals(), RowTest)
