"""Which trees there are: those with a root item, those that the superblock names, and what is known of each."""

from pybtrfs.btree.search import Root, Tree
from pybtrfs.check.reader import Report
from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.subvolume import is_subvolume_id
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.root import ROOT_ITEM, RootItem

_SHARING = (c.TREE_RELOC_OBJECTID, c.DATA_RELOC_TREE_OBJECTID)


class Roots:
    """The roots of all trees but the logs."""

    def __init__(self, filesystem: Filesystem, report: Report, only: int | None = None) -> None:
        """`only`: of the file trees, take this one alone."""
        self._only = only
        self.single: list[Root] = [filesystem.root_tree.root, filesystem.chunk_tree.root]
        self.files: list[Root] = []
        self.dying: set[int] = set()  # subvolumes that are being deleted
        self.dropped: dict[int, int] = {}  # nodes of theirs, with the number of children that are gone
        for item in filesystem.root_tree.items(trouble=lambda error: None):  # the walk tells of blocks that are damaged
            if item.key.type == c.ROOT_ITEM_KEY and len(item.data) in ROOT_ITEM.forms:  # rules tell of others
                root = item.read(ROOT_ITEM)
                if root.level < c.MAX_LEVEL:
                    self._take(filesystem, item.key, root)

    def all(self) -> list[Root]:
        """All of them."""
        return self.single + self.files

    def _take(self, filesystem: Filesystem, key: Key, item: RootItem) -> None:
        root = Root(key.objectid, item.bytenr, item.level, item.generation)
        if not (is_subvolume_id(key.objectid) or key.objectid in _SHARING):
            self.single.append(root)
            return
        if self._only not in (None, key.objectid):
            return
        self.files.append(root)
        if not item.refs:
            self.dying.add(key.objectid)
            if item.drop_progress.objectid:
                self._drop(filesystem, root, item)

    def _drop(self, filesystem: Filesystem, root: Root, item: RootItem) -> None:
        """Note what the deletion has already freed: all children before its key, down to its level."""
        tree = Tree(filesystem.store, root)
        try:
            for node, slot in tree.path_to(item.drop_progress, item.drop_level):
                self.dropped[node.bytenr] = slot
        except CorruptError:
            return  # the walk will meet the block and report it
