"""Inodes by themselves, and their link counts, sizes and bytes against names and extents.

Where btrfs-progs keep a record for each inode (`check/main.c`, `inode_record`), each of its sums is a ledger here.
"""

from collections.abc import Iterator

import numpy as np

from pybtrfs.check.columns import U64, Array
from pybtrfs.check.findings import Severity
from pybtrfs.check.ledger import Ledger, Posting
from pybtrfs.check.rule import Judged, RowTest, collected, ledger, row_test
from pybtrfs.check.tables import Tables
from pybtrfs.ondisk import constants as c

_DIRECTORY, _REGULAR, _SYMLINK = 4, 8, 10
_DEVICES = (2, 6)  # of st_mode >> 12: character and block devices
_FT_OF_KIND = np.zeros(16, U64)
_FT_OF_KIND[[8, 4, 2, 6, 1, 12, 10]] = range(1, 8)  # FT_REG_FILE to FT_SYMLINK
_KNOWN_FLAGS = (1 << 12) - 1 | c.INODE_ROOT_ITEM_INIT
_RO_VERITY = 1 << 32
_NANOSECONDS = 10**9


@ledger("INO-002", Severity.ERROR, "inode {ino}: nlink less the number of its names is {difference}", "ino")
def link_count(t: Tables) -> Iterator[Posting]:
    """An inode's link count is the number of its names."""
    yield t.inode.nlink, t.inode, (t.inode.ino,)
    yield -1, t.ref, (t.ref.ino,)


@ledger("INO-003", Severity.ERROR, "directory {ino}: size less twice the length of its names is {difference}", "ino")
def directory_size(t: Tables) -> Iterator[Posting]:
    """A directory's size is twice the length of its names."""
    directories = t.inode.where(t.inode.is_dir)
    yield directories.size, directories, (directories.ino,)
    yield t.dir_index.name_len * U64(c.U64_MAX - 1), t.dir_index, (t.dir_index.dir,)


@ledger("INO-004", Severity.ERROR, "inode {ino}: nbytes less the bytes of its extents is {difference}", "ino")
def allocated_bytes(t: Tables) -> Iterator[Posting]:
    """nbytes is the sum of the file extents that are no holes. (A directory's does not count.)"""
    files = t.inode.where(~t.inode.is_dir)
    yield files.nbytes, files, (files.ino,)
    used = t.regular.where(t.regular.disk_bytenr != U64(0))
    yield np.negative(used.num_bytes), used, (used.ino,)
    yield np.negative(t.inline.ram_bytes), t.inline, (t.inline.ino,)


@row_test("INO-005", Severity.ERROR, "inode {ino}: mode is {mode}, of no known type")
def known_mode(t: Tables) -> Judged:
    """The type in the mode is one that exists."""
    return t.inode, _ft(t) == U64(0)


@row_test("INO-006", Severity.ERROR, "inode {ino}: generation {generation} or transid {transid} is in the future")
def inode_generation(t: Tables) -> Judged:
    """No inode is newer than the filesystem."""
    newest = U64(t.about.generation + 1)
    return t.inode, (t.inode.generation > newest) | (t.inode.transid > newest)


@row_test("INO-007", Severity.ERROR, "inode {ino}: flags are {flags}, some of them unknown")
def known_flags(t: Tables) -> Judged:
    """All flags are defined."""
    return t.inode, (t.inode.flags & U64(c.U64_MAX - _KNOWN_FLAGS - _RO_VERITY)) != U64(0)


@row_test("INO-008", Severity.ERROR, "directory {ino}: nlink is {nlink}, expected at most 1")
def directory_links(t: Tables) -> Judged:
    """Directories have one name, or none when they are being deleted."""
    return t.inode, t.inode.is_dir & (t.inode.nlink > U64(1))


@row_test("INO-009", Severity.ERROR, "symbolic link {ino}: flags are {flags}, expected neither immutable nor append")
def symlink_flags(t: Tables) -> Judged:
    """Nobody can make a symbolic link immutable or append-only."""
    odd = (t.inode.flags & U64(c.INODE_IMMUTABLE | c.INODE_APPEND)) != U64(0)
    return t.inode, (t.inode.kind == U64(_SYMLINK)) & odd


@row_test(
    "INO-010", Severity.WARNING, "inode {ino}: a time has {atime__nsec}, {mtime__nsec} or {ctime__nsec} nanoseconds"
)
def nanoseconds(t: Tables) -> Judged:
    """A second has a billion of them."""
    times = (t.inode.atime__nsec, t.inode.ctime__nsec, t.inode.mtime__nsec, t.inode.otime__nsec)
    return t.inode, np.any([time >= U64(_NANOSECONDS) for time in times], axis=0)


@row_test("INO-011", Severity.WARNING, "inode {ino}: rdev is {rdev}, and it is no device")
def device_number(t: Tables) -> Judged:
    """Only devices have a number."""
    kind = t.inode.kind
    device = (kind == U64(_DEVICES[0])) | (kind == U64(_DEVICES[1]))
    return t.inode, (t.inode.rdev != U64(0)) & ~device & (_ft(t) != U64(0))


def _ft(t: Tables) -> Array:
    """What entries say of each inode's type; 0 where its mode is of none."""
    kind = t.inode.kind
    return np.where(kind < U64(len(_FT_OF_KIND)), _FT_OF_KIND[(kind & U64(15)).astype(np.int64)], U64(0))


LEDGERS: list[Ledger] = collected(globals(), Ledger)
TESTS: list[RowTest] = collected(globals(), RowTest)
FT_OF_KIND = _FT_OF_KIND
