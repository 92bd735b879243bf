"""Search and iteration in one tree.

A path is the way from the root to a slot of a leaf. Each step down hands the child what its parent says of
it (level, generation, first key, where the next block begins), so a lying or cyclic tree ends in an error:
levels fall by one and keys rise strictly, hence no block is met twice.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pybtrfs.btree.block import Block, Item
from pybtrfs.btree.check import Expected
from pybtrfs.btree.store import BlockStore
from pybtrfs.errors import CorruptError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.key import MAX_KEY, MIN_KEY, Key

Trouble = Callable[[CorruptError], None]
"""What is told of a block that cannot be read, where a walk goes on behind it."""

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
        self._last: tuple[Block, Key] | None = None  # where the last search ended: a leaf, and where the next begins

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

    def find_last(self, last: Key, first: Key = MIN_KEY) -> Item | None:
        """The item with the greatest key from `first` to `last`."""
        leaf = self.block_for(last)
        slot = bisect_right(leaf.key_tuples, last) - 1
        if slot >= 0:
            return leaf.item(slot) if leaf.key_tuples[slot] >= first else None
        return next(self.items_backwards(last, first), None)  # the leaf begins with a greater key

    def items(self, first: Key = MIN_KEY, last: Key = MAX_KEY, trouble: Trouble | None = None) -> Iterator[Item]:
        """The items with first <= key <= last, in order.

        A block that cannot be read raises; where there is `trouble`, it is told, and the walk goes on behind it.
        """
        if self._holds(first) and self._last is not None and last < self._last[1]:
            keys = self._last[0].key_tuples
            return self._last[0].items(bisect_left(keys, first), bisect_right(keys, last))
        return self._items(first, last, trouble)

    def _items(self, first: Key, last: Key, trouble: Trouble | None) -> Iterator[Item]:
        for leaf in self.leaves(first, last, trouble):
            keys = leaf.key_tuples
            start = bisect_left(keys, first) if keys and keys[0] < first else 0
            stop = bisect_right(keys, last) if keys and keys[-1] > last else len(keys)
            yield from leaf.items(start, stop)
            if stop < len(keys):
                return

    def items_backwards(self, last: Key = MAX_KEY, first: Key = MIN_KEY) -> Iterator[Item]:
        """The items with first <= key <= last, greatest key first."""
        for leaf in self._walk(self.root_block(), first, last, MAX_KEY, backwards=True):
            for slot in range(bisect_right(leaf.keys, last) - 1, -1, -1):
                if leaf.keys[slot] < first:
                    return
                yield leaf.item(slot)

    def leaves(self, first: Key = MIN_KEY, last: Key = MAX_KEY, trouble: Trouble | None = None) -> Iterator[Block]:
        """The leaves that can hold keys from `first` to `last`, in order; `trouble` as in `items`."""
        if self._last is not None and self._holds(first) and last < self._last[1]:
            return iter((self._last[0],))
        if trouble is None:
            return self._walk(self.root_block(), first, last, MAX_KEY)
        return self._walk_past(trouble, first, last)

    def _walk_past(self, trouble: Trouble, first: Key, last: Key) -> Iterator[Block]:
        try:
            block = self.root_block()
        except CorruptError as error:
            trouble(error)
            return
        yield from self._walk(block, first, last, MAX_KEY, trouble=trouble)

    def _holds(self, key: Key) -> bool:
        """Whether the leaf that was found last is the one for `key`."""
        if self._last is None:
            return False
        leaf, end = self._last
        return leaf.nritems > 0 and leaf.key_tuples[0] <= key < end

    def block_for(self, key: Key, level: int = 0) -> Block:
        """The block of a level in which `key` has or would have its place; the root block where that is lower."""
        if level == 0 and self._last is not None and self._holds(key):
            return self._last[0]
        block, end = self.root_block(), MAX_KEY
        while block.level > level:
            slot = max(0, bisect_right(block.keys, key) - 1)
            end = block.keys[slot + 1] if slot + 1 < block.nritems else end
            block = self._child(block, slot, end)
        if block.is_leaf:
            self._last = block, end
        return block

    def _walk(
        self,
        block: Block,
        first: Key,
        last: Key,
        end: Key,
        *,
        backwards: bool = False,
        trouble: Trouble | None = None,
    ) -> Iterator[Block]:
        if block.is_leaf:
            if not backwards:
                self._last = block, end
            yield block
            return
        low = max(0, bisect_right(block.keys, first) - 1)
        slots = range(low, max(low + 1, bisect_right(block.keys, last)))
        for slot in reversed(slots) if backwards else slots:
            child_end = block.keys[slot + 1] if slot + 1 < block.nritems else end
            try:
                child = self._child(block, slot, child_end)
            except CorruptError as error:
                if trouble is None:
                    raise
                trouble(error)
                continue
            yield from self._walk(child, first, last, child_end, backwards=backwards, trouble=trouble)

    def _child(self, node: Block, slot: int, end: Key) -> Block:
        pointer = node.key_ptrs[slot]
        bound = None if end == MAX_KEY else end
        return self.store.read(
            pointer.blockptr, Expected(node.level - 1, pointer.generation, pointer.key, bound, self._owner)
        )
