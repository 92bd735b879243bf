"""Names: each stands three times, at the inode, by index and by hash in the directory, and all three agree."""

from collections.abc import Iterator

import numpy as np

from pybtrfs.check.columns import U64, one_of
from pybtrfs.check.findings import Severity
from pybtrfs.check.ledger import Ledger, Posting
from pybtrfs.check.names import impossible
from pybtrfs.check.rule import Judged, RowTest, collected, ledger, row_test
from pybtrfs.check.rules.inodes import FT_OF_KIND
from pybtrfs.check.tables import Tables
from pybtrfs.ondisk import constants as c

_TO_INODE, _TO_ROOT = U64(c.INODE_ITEM_KEY), U64(c.ROOT_ITEM_KEY)


@ledger(
    "NAM-001",
    Severity.ERROR,
    "directory {dir} index {index}: entry of inode {ino}: references at the inode less entries: {difference}",
    "dir", "index", "ino", "name",
)  # fmt: skip
def reference_and_index(t: Tables) -> Iterator[Posting]:
    """Each name at an inode has its entry by index, and the reverse. (The top directory refers to itself.)"""
    refs = t.ref.where(t.ref.dir != t.ref.ino)
    yield 1, refs, (refs.dir, refs.index, refs.ino, refs.name)
    entries = t.dir_index.where(t.dir_index.ctype == _TO_INODE)
    yield -1, entries, (entries.dir, entries.index, entries.child, entries.name)


@ledger(
    "NAM-002",
    Severity.ERROR,
    "directory {dir}: entry of {child}: entries by index less entries by hash: {difference}",
    "dir", "child", "ctype", "type", "name",
)  # fmt: skip
def index_and_hash(t: Tables) -> Iterator[Posting]:
    """Each entry by index has one by hash, and the reverse."""
    for sign, entries in ((1, t.dir_index), (-1, t.dir_item)):
        kind = entries.type & U64(0xFF ^ c.FT_ENCRYPTED)
        yield sign, entries, (entries.dir, entries.child, entries.ctype, kind, entries.name)


@ledger(
    "NAM-003", Severity.ERROR, "inode {ino}: nlink less entries that say its type ({type}): {difference}", "ino", "type"
)
def entry_type(t: Tables) -> Iterator[Posting]:
    """Entries say the type that the inode's mode has."""
    yield t.inode.nlink, t.inode, (t.inode.ino, FT_OF_KIND[(t.inode.kind & U64(15)).astype(np.int64)])
    entries = t.dir_index.where(t.dir_index.ctype == _TO_INODE)
    yield -1, entries, (entries.child, entries.type & U64(0xFF ^ c.FT_ENCRYPTED))
    tops = t.ref.where(t.ref.dir == t.ref.ino)
    yield -1, tops, (tops.ino, U64(c.FT_DIR))


@row_test("NAM-004", Severity.ERROR, "directory {dir}: an entry stands under hash {hash}, its name's is {crc}")
def entry_hash(t: Tables) -> Judged:
    """An entry by hash stands where its name is looked for."""
    t.dir_item.columns["crc"] = t.crc_of(t.dir_item)
    return t.dir_item, t.dir_item.hash != t.dir_item.crc


@row_test("NAM-005", Severity.ERROR, "inode {ino}: a name stands under hash {key_offset}, its own is {crc}")
def extref_hash(t: Tables) -> Judged:
    """An INODE_EXTREF stands where its name and directory are looked for."""
    extrefs = t.extref
    extrefs.columns["crc"] = t.crc_of(extrefs, extrefs.dir & U64(0xFFFFFFFF))
    return extrefs, extrefs.key_offset != extrefs.crc


@row_test("NAM-006", Severity.ERROR, "directory {dir}: an entry has {name_len} bytes of name and {data_len} of data")
def entry_lengths(t: Tables) -> Judged:
    """An entry has a name and no data."""
    return t.dir_index, (t.dir_index.name_len == U64(0)) | (t.dir_index.data_len != U64(0))


@row_test("NAM-007", Severity.ERROR, "directory {dir}: an entry leads to item type {ctype} of {child}")
def entry_location(t: Tables) -> Judged:
    """An entry leads to an inode or to a subvolume."""
    entries = t.dir_index
    known = (entries.ctype == _TO_INODE) | (entries.ctype == _TO_ROOT)
    return entries, ~known | (entries.location__offset != U64(0)) & (entries.ctype == _TO_INODE)


@row_test("NAM-008", Severity.ERROR, "directory {dir}: index of an entry is {index}, expected at least 2")
def entry_index(t: Tables) -> Judged:
    """Indexes 0 and 1 are those of `.` and `..`, which are not written down."""
    return t.dir_index, t.dir_index.index < U64(2)


@row_test("NAM-009", Severity.ERROR, "directory {dir}: type of the entry of {child} is {type}, unknown")
def entry_known_type(t: Tables) -> Judged:
    """The type is one that exists."""
    kind = t.dir_index.type & U64(0xFF ^ c.FT_ENCRYPTED)
    return t.dir_index, (kind == U64(0)) | (kind > U64(c.FT_SYMLINK))


@row_test("NAM-010", Severity.ERROR, "directory {dir}: the entry of {child} has a name that cannot be")
def entry_name(t: Tables) -> Judged:
    """A name has no slash and no zero byte, and is not `.` or `..`."""
    entries = t.dir_index
    return entries, impossible(t.batch.buffer, entries.name_at, entries.name_len.astype(np.int64))


@row_test(
    "NAM-011",
    Severity.WARNING,
    "directory {dir}: the entry of {child} was made by transaction {transid}, in the future",
)
def entry_transid(t: Tables) -> Judged:
    """No entry is newer than the filesystem."""
    return t.dir_index, t.dir_index.transid > U64(t.about.generation + 1)


@row_test("NAM-012", Severity.ERROR, "directory {dir}: its name in itself has index {index}, or is not `..`")
def name_of_the_top(t: Tables) -> Judged:
    """The top directory alone has a name in itself: two dots, of index 0."""
    refs = t.ref.where(t.ref.dir == t.ref.ino)
    dots = (t.batch.buffer[refs.name_at] == ord(".")) & (t.batch.buffer[refs.name_at + 1] == ord("."))
    tops = one_of(refs.ino, c.FIRST_FREE_OBJECTID, c.ROOT_TREE_DIR_OBJECTID)
    return refs, ~dots | (refs.name_len != U64(2)) | (refs.index != U64(0)) | ~tops


@row_test("XAT-001", Severity.ERROR, "inode {ino}: an attribute stands under hash {hash}, its name's is {crc}")
def attribute_hash(t: Tables) -> Judged:
    """An attribute stands where its name is looked for."""
    t.xattr.columns["crc"] = t.crc_of(t.xattr)
    return t.xattr, t.xattr.hash != t.xattr.crc


@row_test(
    "XAT-002",
    Severity.ERROR,
    "inode {ino}: an attribute of type {type} leads to {location__objectid}, expected 8 and 0",
)
def attribute_form(t: Tables) -> Judged:
    """An attribute has the type of one, a name, and leads nowhere."""
    kind = t.xattr.type & U64(0xFF ^ c.FT_ENCRYPTED)
    located = (t.xattr.location__objectid | t.xattr.location__offset | t.xattr.location__type) != U64(0)
    return t.xattr, (kind != U64(c.FT_XATTR)) | located | (t.xattr.name_len == U64(0))


LEDGERS: list[Ledger] = collected(globals(), Ledger)
TESTS: list[RowTest] = collected(globals(), RowTest)
