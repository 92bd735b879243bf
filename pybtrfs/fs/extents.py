"""What a file consists of: its file extents in order, and the holes between them.

Each EXTENT_DATA item says what a range of the file is: bytes in the item itself, a part of a data extent, space
that was preallocated and reads as zeros, or a hole. Where no item is, there is a hole, too (NO_HOLES). All of it
is judged before it is used.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pybtrfs.btree.block import Item
from pybtrfs.btree.search import Trouble
from pybtrfs.compression import MAX_COMPRESSED, MAX_UNCOMPRESSED
from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.inode import Place
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.file_extent import EXTENT_DATA, FileExtent, InlineExtent
from pybtrfs.ondisk.key import Key

LONGEST_EXTENT = 16 * 1024**3
"""More bytes than any data extent has: it lies in one chunk, and the kernel makes none of over 10 GiB."""


class Segment(NamedTuple):
    """`length` bytes of a file from `file_offset` on, of one file extent that begins at `begin`; None is a hole."""

    file_offset: int
    length: int
    extent: FileExtent | InlineExtent | None
    begin: int

    @property
    def is_hole(self) -> bool:
        """Whether nothing is stored for it."""
        return self.extent is None or (isinstance(self.extent, FileExtent) and not self.extent.disk_bytenr)

    @property
    def reads_as_zeros(self) -> bool:
        return self.is_hole or (self.extent is not None and self.extent.type == c.FILE_EXTENT_PREALLOC)


def segments(
    filesystem: Filesystem, place: Place, first: int, end: int, trouble: Trouble | None = None
) -> Iterator[Segment]:
    """The segments of a file's bytes from `first` up to `end`, without gaps.

    Damage raises `CorruptError`; where there is `trouble`, it is told instead, and what no extent says is a hole.
    """
    at = first
    for begin, extent in file_extents(filesystem, place, first, end, trouble):
        behind = min(end, begin + covered(extent, filesystem.sectorsize))
        if begin > at:
            yield Segment(at, begin - at, None, at)
            at = begin
        if behind > at:
            yield Segment(at, behind - at, extent, begin)
            at = behind
    if at < end:
        yield Segment(at, end - at, None, at)


def file_extents(
    filesystem: Filesystem, place: Place, first: int, end: int, trouble: Trouble | None = None
) -> Iterator[tuple[int, FileExtent | InlineExtent]]:
    """The file extents that can hold bytes from `first` up to `end`, each with its file offset, judged."""
    tree = filesystem.tree(place.subvolume_id)
    start = Key(place.ino, c.EXTENT_DATA_KEY, first)
    if first:
        lowest = Key(place.ino, c.EXTENT_DATA_KEY, 0)
        try:
            before = tree.find_last(start, lowest)
        except CorruptError as error:
            if trouble is None:
                raise
            trouble(error)
            before = None
        start = start if before is None else before.key
    at = 0
    for item in tree.items(start, Key(place.ino, c.EXTENT_DATA_KEY, max(end - 1, 0)), trouble):
        try:
            extent = item.read(EXTENT_DATA)
            for problem in extent_problems(extent, item.key.offset, at, filesystem.sectorsize):
                raise CorruptError(f"{_place_of(item)}: {problem}")
        except CorruptError as error:
            if trouble is None:
                raise
            trouble(error)
            continue
        at = item.key.offset + covered(extent, filesystem.sectorsize)
        yield item.key.offset, extent


def covered(extent: FileExtent | InlineExtent, sectorsize: int) -> int:
    """How many bytes of the file an extent is; an inline one ends with its sector."""
    if isinstance(extent, FileExtent):
        return extent.num_bytes
    return -(-extent.ram_bytes // sectorsize) * sectorsize


def extent_problems(extent: FileExtent | InlineExtent, file_offset: int, least: int, sectorsize: int) -> Iterator[str]:
    """What is wrong with a file extent at `file_offset`, where the one before it ends at `least`."""
    if extent.compression not in c.COMPRESSION_NAMES:
        yield f"compression is {extent.compression}, expected 0 to {max(c.COMPRESSION_NAMES)}"
    if extent.encryption or extent.other_encoding:
        yield f"encryption is {extent.encryption} and other_encoding {extent.other_encoding}, expected 0"
    if file_offset < least:
        yield f"a file extent at {file_offset} begins before the end of the one before it, {least}"
    yield from (
        _inline_problems(extent, file_offset)
        if isinstance(extent, InlineExtent)
        else _regular_problems(extent, file_offset, sectorsize)
    )


def _inline_problems(extent: InlineExtent, file_offset: int) -> Iterator[str]:
    if file_offset:
        yield f"an inline extent at {file_offset}, expected at 0"
    if extent.compression and extent.ram_bytes > MAX_UNCOMPRESSED:
        yield f"a compressed inline extent of {extent.ram_bytes} bytes, expected at most {MAX_UNCOMPRESSED}"
    if not extent.compression and extent.ram_bytes != len(extent.data):
        yield f"an inline extent of {len(extent.data)} bytes says that it has {extent.ram_bytes}"


def _regular_problems(extent: FileExtent, file_offset: int, sectorsize: int) -> Iterator[str]:
    if extent.type not in c.FILE_EXTENT_TYPE_NAMES:
        yield f"type is {extent.type}, expected one of {', '.join(map(str, c.FILE_EXTENT_TYPE_NAMES))}"
    for name, value in (
        ("file offset", file_offset),
        ("num_bytes", extent.num_bytes),
        ("disk_bytenr", extent.disk_bytenr),
        ("disk_num_bytes", extent.disk_num_bytes),
        ("offset", extent.offset),
    ):
        if value % sectorsize:
            yield f"{name} is {value}, expected a multiple of {sectorsize}"
    if not extent.num_bytes or file_offset + extent.num_bytes > c.S64_MAX + 1:
        yield f"num_bytes is {extent.num_bytes} at {file_offset}, expected to end in the file"
    if not extent.disk_bytenr:
        return
    if extent.disk_num_bytes > LONGEST_EXTENT:
        yield f"disk_num_bytes is {extent.disk_num_bytes}, expected at most {LONGEST_EXTENT}"
    length = extent.ram_bytes if extent.compression else extent.disk_num_bytes
    if extent.offset + extent.num_bytes > length:
        yield f"bytes {extent.offset} to {extent.offset + extent.num_bytes} of an extent of {length}"
    if extent.compression and not (extent.ram_bytes <= MAX_UNCOMPRESSED and extent.disk_num_bytes <= MAX_COMPRESSED):
        yield (
            f"a compressed extent of {extent.disk_num_bytes} bytes with {extent.ram_bytes} in it, "
            f"expected at most {MAX_COMPRESSED} and {MAX_UNCOMPRESSED}"
        )


def _place_of(item: Item) -> str:
    return f"leaf {item.bytenr} slot {item.slot}"


class Tally(NamedTuple):
    """How many file extents of each kind a file has; `compressed` by the number of the algorithm."""

    regular: int
    inline: int
    preallocated: int
    holes: int  # those that an item says
    compressed: dict[int, int]


def tally(filesystem: Filesystem, place: Place, trouble: Trouble | None = None) -> Tally:
    """Counts the file extents of all that a file has, also behind its end; `trouble` as in `segments`."""
    counts, compressed = dict.fromkeys(Tally._fields[:-1], 0), dict[int, int]()
    for _, extent in file_extents(filesystem, place, 0, c.S64_MAX, trouble):
        if isinstance(extent, InlineExtent):
            counts["inline"] += 1
        elif not extent.disk_bytenr:
            counts["holes"] += 1
        else:
            counts["preallocated" if extent.type == c.FILE_EXTENT_PREALLOC else "regular"] += 1
        if extent.compression:
            compressed[extent.compression] = compressed.get(extent.compression, 0) + 1
    return Tally(**counts, compressed=compressed)
