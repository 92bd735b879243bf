"""Root items: one for each tree, and the links between subvolumes.

The part from `generation_v2` on came later; it counts only where `generation_v2` equals `generation`,
since an old kernel leaves it stale. Filesystems of that age hold the short form of 239 bytes.
"""

from typing import Annotated, NamedTuple

from pybtrfs.ondisk.constants import ROOT_SUBVOL_RDONLY
from pybtrfs.ondisk.inode import InodeItem, Timespec
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.layout import U8, U16, U32, U64, Fixed, Length, Tailed, Uuid


class RootItem(NamedTuple):
    """A tree: where its root is and, for a subvolume, what it is (`btrfs_root_item`)."""

    inode: InodeItem  # a template; flags, size and nbytes are all that is used
    generation: U64  # of the root block
    root_dirid: U64  # 256 in subvolumes
    bytenr: U64  # logical address of the root block
    byte_limit: U64  # unused
    bytes_used: U64  # of its tree blocks
    last_snapshot: U64  # generation at the last snapshot taken of it
    flags: U64  # ROOT_SUBVOL_*
    refs: U32  # 0 while it is being deleted
    drop_progress: Key  # how far its deletion has come
    drop_level: U8  # of the node in which drop_progress is a key
    level: U8  # of the root block
    generation_v2: U64  # equal to generation where what follows counts
    uuid: Uuid  # of the subvolume; zeros in other trees
    parent_uuid: Uuid  # of the subvolume that this is a snapshot of
    received_uuid: Uuid  # the sender's UUID, set by receive
    ctransid: U64  # transaction of the last change inside
    otransid: U64  # of its creation
    stransid: U64  # the sender's ctransid
    rtransid: U64  # of the end of receiving
    ctime: Timespec  # of the last change inside
    otime: Timespec  # of its creation
    stime: Timespec  # as the sender states it
    rtime: Timespec  # of the end of receiving
    reserved: Annotated[bytes, "64s"]

    @property
    def has_uuids(self) -> bool:
        return self.generation == self.generation_v2

    @property
    def read_only(self) -> bool:
        return bool(self.flags & ROOT_SUBVOL_RDONLY)


class RootRef(NamedTuple):
    """A subvolume's name in its parent (`btrfs_root_ref`): ROOT_REF from the parent, ROOT_BACKREF to it."""

    dirid: U64  # directory that holds the name
    sequence: U64  # its DIR_INDEX
    name_len: U16
    name: Annotated[bytes, Length("name_len")]

    @classmethod
    def of(cls, dirid: int, sequence: int, name: bytes) -> "RootRef":
        return cls(dirid, sequence, len(name), name)


ROOT_ITEM = Fixed(RootItem, 439, forms=(239,))
ROOT_REF = Tailed(RootRef, 18)


def effective(root: RootItem) -> RootItem:
    """The item as the kernel takes it: with zeros for the later fields where they do not count."""
    if root.has_uuids:
        return root
    return ROOT_ITEM.parse(ROOT_ITEM.build(root, ROOT_ITEM.offset_of("generation_v2")))
