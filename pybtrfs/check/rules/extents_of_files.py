"""File extents by themselves: alignment, lengths, inline bytes. (What follows what is in `neighbours`.)"""

import numpy as np

from pybtrfs.check.columns import U64
from pybtrfs.check.findings import Severity
from pybtrfs.check.rule import Judged, RowTest, collected, row_test
from pybtrfs.check.tables import Tables
from pybtrfs.compression import MAX_COMPRESSED, MAX_UNCOMPRESSED
from pybtrfs.ondisk import constants as c


@row_test(
    "FIL-001",
    Severity.ERROR,
    "inode {ino}: file extent at {start}: type {type}, compression {compression} or encoding is unknown",
)
def known_form(t: Tables) -> Judged:
    """Type, compression and encoding are ones that exist."""
    e = t.extent
    odd = (e.type > U64(c.FILE_EXTENT_PREALLOC)) | (e.compression > U64(max(c.COMPRESSION_NAMES)))
    return e, odd | (e.encryption != U64(0)) | (e.other_encoding != U64(0))


@row_test("FIL-002", Severity.ERROR, "inode {ino}: file extent at {start}: generation {generation} is in the future")
def extent_generation(t: Tables) -> Judged:
    """No extent is newer than the filesystem."""
    return t.extent, t.extent.generation > U64(t.about.generation + 1)


@row_test(
    "FIL-003",
    Severity.ERROR,
    "inode {ino}: extent at {start}: {num_bytes} bytes from {offset} of {disk_num_bytes} at {disk_bytenr} not aligned",
)
def aligned(t: Tables) -> Judged:
    """Extents are of whole sectors."""
    e, mask = t.regular, U64(t.about.sectorsize - 1)
    return e, ((e.start | e.num_bytes | e.offset | e.disk_num_bytes | e.disk_bytenr) & mask) != U64(0)


@row_test(
    "FIL-004", Severity.ERROR, "inode {ino}: file extent at {start} has {num_bytes} bytes, from {offset} of {ram_bytes}"
)
def inside_the_extent(t: Tables) -> Judged:
    """A file uses no more of an extent than there is, nor more of a hole than that says to be long."""
    e = t.regular
    room = np.where((e.compression != U64(0)) | (e.disk_bytenr == U64(0)), e.ram_bytes, e.disk_num_bytes)
    beyond = (e.offset > room) | (e.num_bytes > room - np.minimum(e.offset, room))
    return e, beyond | (e.num_bytes == U64(0)) | (e.end < e.start)


@row_test(
    "FIL-005", Severity.ERROR, "inode {ino}: compressed extent at {start}: {disk_num_bytes} bytes hold {ram_bytes}"
)
def compressed_lengths(t: Tables) -> Judged:
    """Compressed extents hold 128 KiB at most, and are never preallocated."""
    e = t.regular
    long = (e.ram_bytes > U64(MAX_UNCOMPRESSED)) | (e.disk_num_bytes > U64(MAX_COMPRESSED))
    return e, (e.compression != U64(0)) & (long | (e.type == U64(c.FILE_EXTENT_PREALLOC)))


@row_test(
    "FIL-006",
    Severity.ERROR,
    "inode {ino}: hole at {start}: disk_num_bytes is {disk_num_bytes}, offset {offset}, expected 0",
)
def hole_fields(t: Tables) -> Judged:
    """A hole has no length on disk and no compression."""
    e = t.regular
    return e, (e.disk_bytenr == U64(0)) & ((e.disk_num_bytes != U64(0)) | (e.compression != U64(0)))


@row_test("FIL-007", Severity.ERROR, "inode {ino}: inline extent at {start}, expected at 0")
def inline_offset(t: Tables) -> Judged:
    """Inline bytes are a file's first."""
    return t.inline, t.inline.start != U64(0)


@row_test("FIL-008", Severity.ERROR, "inode {ino}: inline extent of {data_len} bytes says that it has {ram_bytes}")
def inline_length(t: Tables) -> Judged:
    """Inline bytes that are not compressed are as many as the item says."""
    e = t.inline
    plain = (e.compression == U64(0)) & (e.data_len != e.ram_bytes)
    return e, plain | (e.ram_bytes > U64(max(t.about.sectorsize, t.about.nodesize))) | (e.ram_bytes == U64(0))


@row_test(
    "FIL-009",
    Severity.WARNING,
    "inode {ino}: file extent at {start}: ram_bytes is {ram_bytes}, disk_num_bytes {disk_num_bytes}",
)
def ram_bytes(t: Tables) -> Judged:
    """An extent that is not compressed is as long in memory as on disk."""
    e = t.regular
    plain = (e.compression == U64(0)) & (e.disk_bytenr != U64(0))
    return e, plain & (e.ram_bytes != e.disk_num_bytes)


TESTS: list[RowTest] = collected(globals(), RowTest)
