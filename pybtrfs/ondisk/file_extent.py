"""EXTENT_DATA: what a range of a file's bytes is.

Inline bytes in the item itself, a part of a data extent, a hole (disk_bytenr 0), or preallocated space
that reads as zeros. The type byte decides which of the two structures the item is.
"""

from typing import Annotated, NamedTuple

from pybtrfs.errors import CorruptError
from pybtrfs.ondisk.constants import FILE_EXTENT_INLINE
from pybtrfs.ondisk.layout import U8, U16, U64, Buffer, Fixed, Rest, Tailed


class InlineExtent(NamedTuple):
    """A file's bytes in the item (`btrfs_file_extent_item` up to `type`)."""

    generation: U64  # transaction that wrote it
    ram_bytes: U64  # length after decompression
    compression: U8  # COMPRESSION_NAMES
    encryption: U8  # always 0
    other_encoding: U16  # always 0
    type: U8  # FILE_EXTENT_INLINE
    data: Annotated[bytes, Rest()]  # compressed as stated


class FileExtent(NamedTuple):
    """A file's use of a data extent, or a hole (`btrfs_file_extent_item`)."""

    generation: U64  # transaction that created the extent
    ram_bytes: U64  # of the whole extent after decompression, at most
    compression: U8  # COMPRESSION_NAMES
    encryption: U8  # always 0
    other_encoding: U16  # always 0
    type: U8  # FILE_EXTENT_REG or FILE_EXTENT_PREALLOC
    disk_bytenr: U64  # logical address of the extent; 0 for a hole
    disk_num_bytes: U64  # length of the extent on disk
    offset: U64  # where the file's bytes begin in the (decompressed) extent
    num_bytes: U64  # how many bytes of the file these are


INLINE_EXTENT = Tailed(InlineExtent, 21)
FILE_EXTENT = Fixed(FileExtent, 53)
_TYPE_AT = FILE_EXTENT.offset_of("type")


class ExtentData:
    """The codec of an EXTENT_DATA item: one of two structures, by its type byte."""

    name = "EXTENT_DATA"

    def parse(self, data: Buffer) -> InlineExtent | FileExtent:
        if len(data) <= _TYPE_AT:
            raise CorruptError(f"EXTENT_DATA has {len(data)} bytes, expected at least {INLINE_EXTENT.size}")
        return (INLINE_EXTENT if data[_TYPE_AT] == FILE_EXTENT_INLINE else FILE_EXTENT).parse(data)

    def build(self, value: InlineExtent | FileExtent) -> bytes:
        return INLINE_EXTENT.build(value) if isinstance(value, InlineExtent) else FILE_EXTENT.build(value)


EXTENT_DATA = ExtentData()
