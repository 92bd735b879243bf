"""Inodes: the inode item, its names (refs), and what else belongs to one inode.

A name of an inode stands in INODE_REF under its directory, or in INODE_EXTREF where that item is full.
"""

from typing import Annotated, NamedTuple

from pybtrfs.ondisk.layout import S64, U8, U16, U32, U64, Fixed, Length, Tailed


class Timespec(NamedTuple):
    """A point in time (`btrfs_timespec`)."""

    sec: S64  # since 1970, UTC
    nsec: U32


TIMESPEC = Fixed(Timespec, 12)


_MINOR_BITS = 20


class InodeItem(NamedTuple):
    """What `stat` shows (`btrfs_inode_item`)."""

    generation: U64  # transaction that created it
    transid: U64  # transaction that changed it last
    size: U64  # bytes; of a directory, twice the length of its names
    nbytes: U64  # bytes of its extents
    block_group: U64  # unused
    nlink: U32  # its names
    uid: U32
    gid: U32
    mode: U32  # file type and permissions, as st_mode
    rdev: U64  # of a device node
    flags: U64  # the low half is INODE_*, the high half INODE_RO_*
    sequence: U64  # NFS change counter
    reserved: Annotated[bytes, "32s"]
    atime: Timespec
    ctime: Timespec
    mtime: Timespec
    otime: Timespec  # creation

    @property
    def device_numbers(self) -> tuple[int, int]:
        """Major and minor number of a device node (the kernel's own `dev_t`, whose minor has 20 bits)."""
        return self.rdev >> _MINOR_BITS, self.rdev & (1 << _MINOR_BITS) - 1


class InodeRef(NamedTuple):
    """A name of the inode in the directory that is the key's offset (`btrfs_inode_ref`)."""

    dir_index: U64  # of its DIR_INDEX
    name_len: U16
    name: Annotated[bytes, Length("name_len")]

    @classmethod
    def of(cls, dir_index: int, name: bytes) -> "InodeRef":
        return cls(dir_index, len(name), name)


class InodeExtref(NamedTuple):
    """A name of the inode, its key's offset a hash of directory and name (`btrfs_inode_extref`)."""

    parent_objectid: U64  # the directory
    dir_index: U64  # of its DIR_INDEX
    name_len: U16
    name: Annotated[bytes, Length("name_len")]

    @classmethod
    def of(cls, parent: int, dir_index: int, name: bytes) -> "InodeExtref":
        return cls(parent, dir_index, len(name), name)


class VerityDescriptor(NamedTuple):
    """fs-verity: the size of the descriptor that the next items hold (`btrfs_verity_descriptor_item`)."""

    size: U64  # of the descriptor
    reserved: Annotated[bytes, "16s"]
    encryption: U8  # always 0


INODE_ITEM = Fixed(InodeItem, 160)
INODE_REF = Tailed(InodeRef, 10)
INODE_EXTREF = Tailed(InodeExtref, 18)
VERITY_DESCRIPTOR = Fixed(VerityDescriptor, 25)
