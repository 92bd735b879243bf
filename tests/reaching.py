"""What reaches what, the long way: all trees walked from their roots, for comparing with quicker answers."""

from collections import defaultdict
from collections.abc import Iterator

from pybtrfs.btree.search import Tree
from pybtrfs.fs.backref import Use
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.subvolume import is_subvolume_id
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.file_extent import FileExtent


def roots_by_walking(filesystem: Filesystem) -> dict[int, set[int]]:
    """The ids of the trees that reach each tree block; trees of subvolumes that are being deleted left out."""
    found = defaultdict(set)
    for tree in _trees_of(filesystem):
        if tree.root.tree_id != c.TREE_RELOC_OBJECTID:
            for bytenr in _blocks_under(tree, tree.root.bytenr):
                found[bytenr].add(tree.root.tree_id)
    return found


def uses_by_walking(filesystem: Filesystem) -> dict[int, set[Use]]:
    """The uses of each data extent."""
    found = defaultdict(set)
    for tree in _trees_of(filesystem):
        for item in tree.items() if is_subvolume_id(tree.root.tree_id) else ():
            value = item.parse() if item.key.type == c.EXTENT_DATA_KEY else None
            if isinstance(value, FileExtent) and value.disk_bytenr:
                found[value.disk_bytenr].add(Use(tree.root.tree_id, item.key.objectid, item.key.offset, value))
    return found


def _trees_of(filesystem: Filesystem) -> list[Tree]:
    trees = [filesystem.tree_of(key.objectid, root) for key, root in filesystem.root_items() if root.refs]
    return [filesystem.root_tree, filesystem.chunk_tree, *trees]


def _blocks_under(tree: Tree, bytenr: int) -> Iterator[int]:
    yield bytenr
    block = tree.store.read(bytenr)
    for pointer in () if block.is_leaf else block.key_ptrs:
        yield from _blocks_under(tree, pointer.blockptr)
