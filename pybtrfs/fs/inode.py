"""Inodes: where one is, and its inode item.

Inode numbers count within a subvolume, so a place is both. The directory that stands where a snapshot was taken
of a subvolume below has no item; it is shown as the kernel shows it, empty (`new_simple_dir`).
"""

import stat
from typing import NamedTuple

from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.inode import INODE_ITEM, InodeItem
from pybtrfs.ondisk.key import Key


class Place(NamedTuple):
    """An inode, in the subvolume that it belongs to."""

    subvolume_id: int
    ino: int

    def __str__(self) -> str:
        return f"subvolume {self.subvolume_id} inode {self.ino}"

    @property
    def is_left_over(self) -> bool:
        """Whether it is the empty directory that stands for a subvolume which the snapshot did not take along."""
        return self.ino == c.EMPTY_SUBVOL_DIR_OBJECTID


TOP = Place(c.FS_TREE_OBJECTID, c.FIRST_FREE_OBJECTID)
"""The top directory of the top-level subvolume."""


def get_inode(filesystem: Filesystem, place: Place) -> InodeItem:
    """The inode item; `CorruptError` where there is none, or its mode is of no known type."""
    if place.is_left_over:
        return _left_over(filesystem, place)
    tree = filesystem.find_tree(place.subvolume_id)
    if tree is None:
        raise CorruptError(f"{place}: a name leads to the subvolume, which has no root item")
    item = tree.find(Key(place.ino, c.INODE_ITEM_KEY, 0))
    if item is None:
        raise CorruptError(f"{place}: has no inode item")
    inode = item.read(INODE_ITEM)
    if stat.S_IFMT(inode.mode) not in FILE_TYPES:
        raise CorruptError(f"{place}: leaf {item.bytenr} slot {item.slot}: mode is {inode.mode:o}, of no known type")
    return inode


FILE_TYPES = {
    stat.S_IFREG: c.FT_REG_FILE,
    stat.S_IFDIR: c.FT_DIR,
    stat.S_IFCHR: c.FT_CHRDEV,
    stat.S_IFBLK: c.FT_BLKDEV,
    stat.S_IFIFO: c.FT_FIFO,
    stat.S_IFSOCK: c.FT_SOCK,
    stat.S_IFLNK: c.FT_SYMLINK,
}
"""What a directory entry says of an inode of each type."""

_LEFT_OVER_MODE = stat.S_IFDIR | 0o755


def _left_over(filesystem: Filesystem, place: Place) -> InodeItem:
    top = get_inode(filesystem, Place(place.subvolume_id, c.FIRST_FREE_OBJECTID))
    return top._replace(size=0, nbytes=0, nlink=1, mode=_LEFT_OVER_MODE, flags=0)
