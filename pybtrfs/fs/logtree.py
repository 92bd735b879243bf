"""The tree log as it waits: which inodes of which subvolumes it holds, and what of each.

An fsync copies an inode's items into the log tree of its subvolume; the superblock's `log_root` leads to a
tree of root items, one for each log tree, whose key's offset is the subvolume's id. Reading it changes
nothing. (`fs/btrfs/tree-log.c`.)
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from pybtrfs.btree.block import Item
from pybtrfs.btree.search import Root, Tree
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.file_extent import InlineExtent
from pybtrfs.ondisk.inode import InodeItem
from pybtrfs.ondisk.root import RootItem


class LoggedName(NamedTuple):
    """A name that the log holds: of the inode (its parent is a directory), or an entry of a directory."""

    name: bytes
    parent: int
    target: int  # inode, or subvolume id, that it leads to
    is_entry: bool


class LoggedExtent(NamedTuple):
    """A range of the file's bytes that the log holds; a hole has disk_bytenr 0, inline data None."""

    file_offset: int
    num_bytes: int
    disk_bytenr: int | None
    generation: int


class LoggedRange(NamedTuple):
    """A range of a directory's index in which the log knows all entries; others there are to be deleted."""

    first: int
    last: int


class LoggedInode(NamedTuple):
    """All that one log tree holds of one inode; `inode` is None where only names were logged."""

    ino: int
    inode: InodeItem | None
    names: list[LoggedName]
    extents: list[LoggedExtent]
    xattrs: list[bytes]
    ranges: list[LoggedRange]
    items: int


class LogTree(NamedTuple):
    """The log of one subvolume."""

    subvolume_id: int
    tree: Tree

    def inodes(self) -> Iterator[LoggedInode]:
        """The inodes in it, in the order of their numbers."""
        files = (item for item in self.tree.items() if item.key.objectid != c.EXTENT_CSUM_OBJECTID)
        for ino, items in groupby(files, key=lambda item: item.key.objectid):
            yield _logged_inode(ino, items)

    def csum_items(self) -> Iterator[Item]:
        """The checksums of logged data."""
        return (item for item in self.tree.items() if item.key.type == c.EXTENT_CSUM_KEY)


def log_trees(filesystem: Filesystem) -> Iterator[LogTree]:
    """The log trees that wait; none where `log_root` is 0."""
    roots = filesystem.log_root_tree
    for item in roots.items() if roots else ():
        if item.key.type == c.ROOT_ITEM_KEY:
            root: RootItem = item.parse()
            where = Root(c.TREE_LOG_OBJECTID, root.bytenr, root.level, root.generation)
            yield LogTree(item.key.offset, Tree(filesystem.store, where))


def _logged_inode(ino: int, items: Iterable[Item]) -> LoggedInode:
    logged = LoggedInode(ino, None, [], [], [], [], 0)
    number = 0
    for item in items:
        number += 1
        taker = _TAKERS.get(item.key.type)
        if item.key.type == c.INODE_ITEM_KEY:
            logged = logged._replace(inode=item.parse())
        elif taker is not None:
            taker(logged, item)
    return logged._replace(items=number)


def _take_refs(logged: LoggedInode, item: Item) -> None:
    logged.names.extend(LoggedName(ref.name, item.key.offset, logged.ino, False) for ref in item.parse())


def _take_extrefs(logged: LoggedInode, item: Item) -> None:
    logged.names.extend(LoggedName(ref.name, ref.parent_objectid, logged.ino, False) for ref in item.parse())


def _take_entries(logged: LoggedInode, item: Item) -> None:
    logged.names.extend(LoggedName(entry.name, logged.ino, entry.location.objectid, True) for entry in item.parse())


def _take_extent(logged: LoggedInode, item: Item) -> None:
    extent = item.parse()
    if isinstance(extent, InlineExtent):
        found = LoggedExtent(item.key.offset, extent.ram_bytes, None, extent.generation)
    else:
        found = LoggedExtent(item.key.offset, extent.num_bytes, extent.disk_bytenr, extent.generation)
    logged.extents.append(found)


def _take_xattrs(logged: LoggedInode, item: Item) -> None:
    logged.xattrs.extend(entry.name for entry in item.parse())


def _take_range(logged: LoggedInode, item: Item) -> None:
    logged.ranges.append(LoggedRange(item.key.offset, item.parse().end))


_TAKERS = {
    c.INODE_REF_KEY: _take_refs,
    c.INODE_EXTREF_KEY: _take_extrefs,
    c.DIR_INDEX_KEY: _take_entries,
    c.EXTENT_DATA_KEY: _take_extent,
    c.XATTR_ITEM_KEY: _take_xattrs,
    c.DIR_LOG_INDEX_KEY: _take_range,
}
