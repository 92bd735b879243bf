"""Free space: the free-space tree, and the headers of the older v1 cache.

In the free-space tree a block group has one FREE_SPACE_INFO, then either FREE_SPACE_EXTENT items, which
are all key, or FREE_SPACE_BITMAP items of 256 bytes, a bit a sector. The v1 cache is a file for each
block group: pages of entries behind a crc32c for each page and a generation.
"""

from typing import NamedTuple

from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.layout import U8, U32, U64, Fixed

BITMAP_SIZE = 256
"""Bytes of a full FREE_SPACE_BITMAP item; the last one of a block group may be shorter."""


class FreeSpaceInfo(NamedTuple):
    """How a block group's free space is described (`btrfs_free_space_info`)."""

    extent_count: U32  # free ranges
    flags: U32  # FREE_SPACE_USING_BITMAPS


class FreeSpaceHeader(NamedTuple):
    """The v1 cache of a block group, in the root tree (`btrfs_free_space_header`)."""

    location: Key  # of the cache's inode
    generation: U64  # of the cache; where the inode has another, it is stale
    num_entries: U64  # bitmaps included
    num_bitmaps: U64


class FreeSpaceEntry(NamedTuple):
    """A free range, or a bitmap of one, in a page of the v1 cache (`btrfs_free_space_entry`)."""

    offset: U64  # logical address
    bytes: U64  # free ones, also in a bitmap's range
    type: U8  # FREE_SPACE_EXTENT or FREE_SPACE_BITMAP


FREE_SPACE_INFO = Fixed(FreeSpaceInfo, 8)
FREE_SPACE_HEADER = Fixed(FreeSpaceHeader, 41)
FREE_SPACE_ENTRY = Fixed(FreeSpaceEntry, 17)
