"""The superblock: where everything starts.

It stands at 64 KiB of each device, with mirrors at 64 MiB and 256 GiB where the device is that long; a
commit is the moment at which it is written. It names the roots of the root tree, the chunk tree and the
log root; `sys_chunk_array` holds the system chunks, without which the chunk tree could not be read.
"""

from collections.abc import Iterator
from typing import Annotated, NamedTuple

from pybtrfs.errors import CorruptError
from pybtrfs.ondisk.chunk import CHUNK, Chunk, DevItem
from pybtrfs.ondisk.constants import CHUNK_ITEM_KEY, INCOMPAT_METADATA_UUID
from pybtrfs.ondisk.key import KEY, Key
from pybtrfs.ondisk.layout import U8, U16, U32, U64, Fixed, Times, Uuid


class RootBackup(NamedTuple):
    """Where the roots were at one of the last four commits (`btrfs_root_backup`)."""

    tree_root: U64  # logical address of the root block, as the other roots
    tree_root_gen: U64  # its generation, as the others
    chunk_root: U64
    chunk_root_gen: U64
    extent_root: U64
    extent_root_gen: U64
    fs_root: U64  # of the top-level subvolume
    fs_root_gen: U64
    dev_root: U64
    dev_root_gen: U64
    csum_root: U64
    csum_root_gen: U64
    total_bytes: U64
    bytes_used: U64  # sum over the block groups
    num_devices: U64
    unused_64: Annotated[bytes, "32s"]
    tree_root_level: U8  # level of the root block, as the others
    chunk_root_level: U8
    extent_root_level: U8
    fs_root_level: U8
    dev_root_level: U8
    csum_root_level: U8
    unused_8: Annotated[bytes, "10s"]


ROOT_BACKUP = Fixed(RootBackup, 168)


class Superblock(NamedTuple):
    """The superblock (`btrfs_super_block`)."""

    csum: Annotated[bytes, "32s"]  # of all that follows it
    fsid: Uuid  # what users see
    bytenr: U64  # physical address of this copy
    flags: U64  # SUPER_FLAG_*
    magic: Annotated[bytes, "8s"]  # MAGIC
    generation: U64  # of the last commit
    root: U64  # logical address of the root tree's root
    chunk_root: U64  # of the chunk tree's root
    log_root: U64  # of the tree of log trees; 0 where no log waits
    log_root_transid: U64  # never used
    total_bytes: U64  # of all devices
    bytes_used: U64  # sum over the block groups
    root_dir_objectid: U64  # always ROOT_TREE_DIR_OBJECTID
    num_devices: U64
    sectorsize: U32  # bytes of a data block
    nodesize: U32  # bytes of a tree block
    leafsize: U32  # never used; equals nodesize
    stripesize: U32  # never used; equals sectorsize
    sys_chunk_array_size: U32  # bytes in use of sys_chunk_array
    chunk_root_generation: U64  # of the chunk tree's root block
    compat_flags: U64  # none is defined
    compat_ro_flags: U64  # who does not know one of them may only read
    incompat_flags: U64  # who does not know one of them may not even read
    csum_type: U16  # CSUM_TYPES
    root_level: U8  # of the root block, as the next two
    chunk_root_level: U8
    log_root_level: U8
    dev_item: DevItem  # of the device that this copy stands on
    label: Annotated[bytes, "256s"]  # ends at the first NUL
    cache_generation: U64  # generation of the v1 space cache
    uuid_tree_generation: U64  # equal to generation where the UUID tree is current
    metadata_uuid: Uuid  # what tree blocks carry, where that feature is on
    nr_global_roots: U64  # extent-tree-v2
    remap_root: U64  # remap-tree
    remap_root_generation: U64
    remap_root_level: U8
    reserved: Annotated[bytes, "199s"]
    sys_chunk_array: Annotated[bytes, "2048s"]  # keys of system chunks, each with its chunk behind it
    super_roots: Annotated[tuple[RootBackup, ...], Times(4)]  # a ring: each commit overwrites the oldest
    padding: Annotated[bytes, "565s"]

    @property
    def block_fsid(self) -> bytes:
        """The UUID that tree blocks and the dev_item carry: metadata_uuid where the feature is on."""
        return self.metadata_uuid if self.incompat_flags & INCOMPAT_METADATA_UUID else self.fsid

    @property
    def label_bytes(self) -> bytes:
        return self.label.partition(b"\0")[0]

    def system_chunks(self) -> Iterator[tuple[Key, Chunk]]:
        """The chunks of `sys_chunk_array`, each with its key; `CorruptError` where it is malformed."""
        size, at = self.sys_chunk_array_size, 0
        if size > len(self.sys_chunk_array):
            raise CorruptError(f"sys_chunk_array_size is {size}, expected at most {len(self.sys_chunk_array)}")
        while at < size:
            if at + KEY.size > size:
                raise CorruptError(f"sys_chunk_array: a key at byte {at} ends after the array's {size} bytes")
            key = KEY.unpack_from(self.sys_chunk_array, at)
            if key.type != CHUNK_ITEM_KEY:
                raise CorruptError(f"sys_chunk_array: item type {key.type} at byte {at}, expected {CHUNK_ITEM_KEY}")
            chunk, at = CHUNK.read(self.sys_chunk_array, at + KEY.size, size)
            yield key, chunk


SUPERBLOCK = Fixed(Superblock, 4096)
