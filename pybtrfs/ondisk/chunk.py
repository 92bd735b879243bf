"""Devices and chunks: how logical addresses map to places on devices.

A chunk maps a range of logical addresses to stripes; a device extent is the same fact seen from the
device; a block group is the allocator's account of the chunk.
"""

from typing import Annotated, NamedTuple

from pybtrfs.ondisk.layout import U8, U16, U32, U64, Fixed, Length, Tailed, Uuid


class DevItem(NamedTuple):
    """A device of the filesystem (`btrfs_dev_item`): in the chunk tree and in the superblock."""

    devid: U64
    total_bytes: U64  # that the filesystem may use
    bytes_used: U64  # sum of its device extents
    io_align: U32  # sectorsize, as the next two
    io_width: U32
    sector_size: U32
    type: U64  # unused
    generation: U64  # transaction that added it; 0 from mkfs
    start_offset: U64  # unused
    dev_group: U32  # unused
    seek_speed: U8  # unused
    bandwidth: U8  # unused
    uuid: Uuid  # of the device
    fsid: Uuid  # of the filesystem that owns it


class Stripe(NamedTuple):
    """One device's part of a chunk (`btrfs_stripe`)."""

    devid: U64
    offset: U64  # physical, on that device
    dev_uuid: Uuid  # of that device


DEV_ITEM = Fixed(DevItem, 98)
STRIPE = Fixed(Stripe, 32)


class Chunk(NamedTuple):
    """A mapping of logical addresses (`btrfs_chunk`); the key's offset is its first one."""

    length: U64  # logical bytes
    owner: U64  # always the extent tree
    stripe_len: U64  # always 64 KiB
    type: U64  # block group type and profile
    io_align: U32  # stripe_len, as the next
    io_width: U32
    sector_size: U32  # sectorsize
    num_stripes: U16  # copies and parity included
    sub_stripes: U16  # copies of each stripe in raid10
    stripes: Annotated[tuple[Stripe, ...], Length("num_stripes")]


CHUNK = Tailed(Chunk, 48)


class DevExtent(NamedTuple):
    """A range of a device that a chunk uses (`btrfs_dev_extent`)."""

    chunk_tree: U64  # always CHUNK_TREE_OBJECTID
    chunk_objectid: U64  # always FIRST_CHUNK_TREE_OBJECTID
    chunk_offset: U64  # logical address of the chunk
    length: U64  # bytes on the device
    chunk_tree_uuid: Uuid  # as in the header of tree blocks


class BlockGroupItem(NamedTuple):
    """The allocator's account of a chunk (`btrfs_block_group_item`)."""

    used: U64  # bytes allocated in it
    chunk_objectid: U64  # FIRST_CHUNK_TREE_OBJECTID
    flags: U64  # type and profile, as the chunk's


class DevStats(NamedTuple):
    """Error counters of a device (`btrfs_dev_stats_item`)."""

    write_errs: U64
    read_errs: U64
    flush_errs: U64
    corruption_errs: U64  # blocks with a wrong checksum or contents
    generation_errs: U64  # blocks with another generation than expected: lost writes


class DevReplace(NamedTuple):
    """The state of a device replacement (`btrfs_dev_replace_item`)."""

    src_devid: U64  # of the device that is replaced
    cursor_left: U64  # how far the copy has come: physical, on the source
    cursor_right: U64  # end of the range that is being copied
    cont_reading_from_srcdev_mode: U64  # 1: read from the source only where no other copy is good
    replace_state: U64  # 0 never started, 1 started, 2 finished, 3 cancelled, 4 suspended
    time_started: U64  # seconds since 1970
    time_stopped: U64
    num_write_errors: U64
    num_uncorrectable_read_errors: U64


class RaidStride(NamedTuple):
    """One device's place of an extent (`btrfs_raid_stride`), in the raid stripe tree."""

    devid: U64
    physical: U64  # address on that device


DEV_EXTENT = Fixed(DevExtent, 48)
BLOCK_GROUP_ITEM = Fixed(BlockGroupItem, 24)
DEV_STATS = Fixed(DevStats, 40)
DEV_REPLACE = Fixed(DevReplace, 72)
RAID_STRIDE = Fixed(RaidStride, 16)
