"""Search and iteration in one tree.

A path is the way from the root to a slot of a leaf. Each step down hands the child what its parent says of
it (level, generation, first key, where the next block begins), so a lying or cyclic tree ends in an error:
levels fall by one and keys rise strictly, hence no block is met twice.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from pybtrfs.btree.block import Block, Item
from pybtrfs.btree.check import Expected
from pybtrfs.btree.store import BlockStore
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.key import MAX_KEY, MIN_KEY, Key

_SHARING = (c.FS_TREE_OBJECTID, c.TREE_RELOC_OBJECTID)


class Root(NamedTuple):
    """Where a tree begins: as its root item, or the superblock, says."""

    tree_id: int
    bytenr: int
    level: int
    generation: int


class Tree:
    """One tree of a filesystem, read through a block store."""

    def __init__(self, store: BlockStore, root: Root) -> None:
        self.store, self.root = store, root

    @property
    def _owner(self) -> int | None:
        """Who owns all blocks; None for subvolumes and relocation trees, which share blocks with others."""
        tree_id = self.root.tree_id
        shares = tree_id in _SHARING or c.FIRST_FREE_OBJECTID <= tree_id <= c.LAST_FREE_OBJECTID
        return None if shares else tree_id

    def root_block(self) -> Block:
        return self.store.read(self.root.bytenr, Expected(self.root.level, self.root.generation, owner=self._owner))

    def find(self, key: Key) -> Item | None:
        """The item with exactly this key."""
        leaf = self.block_for(key)
        slot = bisect_left(leaf.key_tuples, key)
        return leaf.item(slot) if slot < leaf.nritems and leaf.key_tuples[slot] == key else None

    def items(self, first: Key = MIN_KEY, last: Key = MAX_KEY) -> Iterator[Item]:
        """The items with first <= key <= last, in order."""
        for leaf in self.leaves(first, last):
            keys = leaf.key_tuples
            start = bisect_left(keys, first) if keys and keys[0] < first else 0
            whole = not keys or keys[-1] <= last
            for item in leaf.items(start):
                if not whole and item.key > last:
                    return
                yield item

    def items_backwards(self, last: Key = MAX_KEY, first: Key = MIN_KEY) -> Iterator[Item]:
        """The items with first <= key <= last, greatest key first."""
        for leaf in self._walk(self.root_block(), first, last, MAX_KEY, backwards=True):
            for slot in range(bisect_right(leaf.keys, last) - 1, -1, -1):
                if leaf.keys[slot] < first:
                    return
                yield leaf.item(slot)

    def leaves(self, first: Key = MIN_KEY, last: Key = MAX_KEY) -> Iterator[Block]:
        """The leaves that can hold keys from `first` to `last`, in order."""
        return self._walk(self.root_block(), first, last, MAX_KEY)

    def block_for(self, key: Key, level: int = 0) -> Block:
        """The block of a level in which `key` has or would have its place; the root block where that is lower."""
        block, end = self.root_block(), MAX_KEY
        while block.level > level:
            slot = max(0, bisect_right(block.keys, key) - 1)
            end = block.keys[slot + 1] if slot + 1 < block.nritems else end
            block = self._child(block, slot, end)
        return block

    def _walk(self, block: Block, first: Key, last: Key, end: Key, *, backwards: bool = False) -> Iterator[Block]:
        if block.is_leaf:
            yield block
            return
        low = max(0, bisect_right(block.keys, first) - 1)
        slots = range(low, max(low + 1, bisect_right(block.keys, last)))
        for slot in reversed(slots) if backwards else slots:
            child_end = block.keys[slot + 1] if slot + 1 < block.nritems else end
            yield from self._walk(self._child(block, slot, child_end), first, last, child_end, backwards=backwards)

    def _child(self, node: Block, slot: int, end: Key) -> Block:
        pointer = node.key_ptrs[slot]
        bound = None if end == MAX_KEY else end
        return self.store.read(
            pointer.blockptr, Expected(node.level - 1, pointer.generation, pointer.key, bound, self._owner)
        )
