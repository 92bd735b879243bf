"""How a tree lies on the disk: its blocks by level, and how far apart blocks are that are read in turn.

A seek is a block that does not begin where the one before it ends; a cluster is a run of blocks without one.
Blocks are taken as a reader meets them, each node's children one after the other.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from pybtrfs.btree.block import Block, Item
from pybtrfs.btree.check import Expected
from pybtrfs.btree.search import Tree
from pybtrfs.errors import CorruptError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.file_extent import EXTENT_DATA, InlineExtent


@dataclass
class TreeStats:
    """What a walk has found; sizes and distances are logical bytes."""

    nodesize: int
    levels: int
    lowest: int
    highest: int
    nodes: list[int]  # by level, the leaves first
    inline: int = 0
    seeks: Counter[int] = field(default_factory=Counter)  # distance -> how often
    forward: int = 0
    backward: int = 0
    clusters: list[int] = field(default_factory=list)  # sizes, those of one block left out

    @property
    def total_nodes(self) -> int:
        return sum(self.nodes)

    @property
    def total_seeks(self) -> int:
        return self.forward + self.backward

    @property
    def seek_distance(self) -> int:
        return sum(distance * times for distance, times in self.seeks.items())


def tree_stats(tree: Tree, complain: Callable[[str], None], *, find_inline: bool) -> TreeStats:
    """Walk a tree. Leaves are read only to add up inline data; blocks that cannot be read are named to `complain`."""
    root = tree.root_block()
    stats = TreeStats(tree.store.volume.nodesize, root.level + 1, root.bytenr, root.bytenr, [0] * (root.level + 1))
    _Walk(tree, stats, complain, find_inline).block(root)
    return stats


class _Walk:
    def __init__(self, tree: Tree, stats: TreeStats, complain: Callable[[str], None], find_inline: bool) -> None:
        self.store, self.stats, self.complain, self.find_inline = tree.store, stats, complain, find_inline

    def block(self, block: Block) -> None:
        self.stats.nodes[block.level] += 1
        if not block.is_leaf:
            self._children(block)
        elif self.find_inline:
            self.stats.inline += sum(map(_inline_bytes, block.items()))

    def _children(self, node: Block) -> None:
        stats, last, cluster = self.stats, node.bytenr, self.stats.nodesize
        for pointer in node.key_ptrs:
            if node.level == 1 and not self.find_inline:
                stats.nodes[0] += 1
            else:
                try:
                    expected = Expected(node.level - 1, pointer.generation, pointer.key)
                    self.block(self.store.read(pointer.blockptr, expected))
                except CorruptError as error:
                    self.complain(str(error))
                    continue
            distance = pointer.blockptr - (last + stats.nodesize)
            if distance:
                stats.seeks[abs(distance)] += 1
                stats.forward += pointer.blockptr > last
                stats.backward += pointer.blockptr <= last
                if cluster != stats.nodesize:
                    stats.clusters.append(cluster)
                cluster = stats.nodesize
            else:
                cluster += stats.nodesize
            last = pointer.blockptr
            stats.lowest, stats.highest = min(stats.lowest, last), max(stats.highest, last)


def _inline_bytes(item: Item) -> int:
    if item.key.type != c.EXTENT_DATA_KEY:
        return 0
    extent = item.read(EXTENT_DATA)
    return len(extent.data) if isinstance(extent, InlineExtent) else 0
