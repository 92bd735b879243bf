"""Which subvolumes reach each block and each extent: sets of trees, pushed down the forest.

A set is a number in a table of bitmasks, and most blocks have one of a few; so a block costs four bytes however many
subvolumes share it. Sets are joined pair by pair, each pair of them once.
"""

import numpy as np

from pybtrfs.check.columns import U64, Array, LeafBatch, member
from pybtrfs.check.context import About
from pybtrfs.check.forest import Forest
from pybtrfs.check.reader import BlockReader
from pybtrfs.check.tables import Tables
from pybtrfs.ondisk import constants as c

MOST_BYTES = 64 << 20
"""Of the table of sets: beyond that there are too many to be counted."""


class TooManySetsError(Exception):
    """The sets of subvolumes do not fit into the memory that they may take."""


class TreeSets:
    """Sets of trees as bitmasks, by number; 0 is the empty one."""

    def __init__(self) -> None:
        self.masks = [0]
        self._numbers = {0: 0}
        self._joined: dict[tuple[int, int], int] = {}
        self._bytes = 0

    def number(self, mask: int) -> int:
        """The number of a set, a new one where it is met for the first time."""
        found = self._numbers.get(mask)
        if found is None:
            found = self._numbers[mask] = len(self.masks)
            self.masks.append(mask)
            self._bytes += mask.bit_length() // 8 + 100
            if self._bytes > MOST_BYTES:
                raise TooManySetsError
        return found

    def join(self, sets: Array, at: Array, more: Array) -> None:
        """Put sets `more` into those of the rows `at` of `sets`; rows may be named several times."""
        while len(at):
            rows, first = np.unique(at, return_index=True)
            pairs, which = np.unique(np.stack([sets[rows], more[first]], axis=1), axis=0, return_inverse=True)
            sets[rows] = np.array([self._both(*pair) for pair in pairs.tolist()], np.int32)[which.reshape(-1)]
            left = np.ones(len(at), bool)
            left[first] = False
            at, more = at[left], more[left]

    def _both(self, one: int, other: int) -> int:
        if (one, other) not in self._joined:
            self._joined[one, other] = self.number(self.masks[one] | self.masks[other])
        return self._joined[one, other]


class Sharing:
    """What each set of subvolumes holds: `bytes_of[number]`, for the sets of `sets`; `trees` are the bits' ids."""

    def __init__(self, forest: Forest, reader: BlockReader, about: About) -> None:
        """Raises `TooManySetsError`."""
        self.sets = TreeSets()
        self.trees: list[int] = []
        self._forest, self._reader, self._about, self._extents = forest, reader, about, about.extents
        blocks = self._blocks()
        of_extents = self._of_extents(blocks[0])
        count = len(self.sets.masks)
        self.bytes_of = np.zeros(count, U64)
        for level in blocks:
            self.bytes_of += np.bincount(level, minlength=count).astype(U64) * U64(about.nodesize)
        np.add.at(self.bytes_of, of_extents, about.extents.length)
        self.bytes_of[0] = 0

    def _blocks(self) -> list[Array]:
        """The set of each block, level by level from the leaves up."""
        levels = self._forest.levels
        found = [np.zeros(len(level.bytenr), np.int32) for level in levels]
        for root in self._forest.roots:
            if root.tree_id >> 63 == 0:  # subvolumes; no trees of relocations
                self.trees.append(root.tree_id)
                at = np.searchsorted(levels[root.level].bytenr, np.array([root.bytenr], U64))
                number = self.sets.number(1 << len(self.trees) - 1)
                self.sets.join(found[root.level], at, np.array([number], np.int32))
        for height in range(len(levels) - 1, 0, -1):
            level = levels[height]
            self._push(found[height - 1], level.children, np.repeat(found[height], np.diff(level.bounds)))
        return found

    def _push(self, below: Array, children: Array, sets: Array) -> None:
        edges = np.unique(np.stack([children, sets.astype(np.int64)], axis=1), axis=0) if len(children) else children
        if len(edges):
            self.sets.join(below, edges[:, 0], edges[:, 1].astype(np.int32))

    def _of_extents(self, leaves: Array) -> Array:
        """The set of each extent that files use."""
        found = np.zeros(len(self._extents.bytenr), np.int32)
        level = self._forest.levels[0]
        for batch in self._reader.read(level.bytenr[level.good], 0, quiet=True):
            assert isinstance(batch, LeafBatch), "leaves"
            extents, sets = self._used(batch, leaves[np.searchsorted(level.bytenr, batch.bytenr)])
            self._push(found, extents, sets)
        return found

    def _used(self, batch: LeafBatch, sets: Array) -> tuple[Array, Array]:
        regular = Tables(batch, sets, self._about, shared=True).regular
        used = regular.where(regular.disk_bytenr != U64(0))
        known = member(used.disk_bytenr, self._extents.bytenr)
        at: Array = np.searchsorted(self._extents.bytenr, used.disk_bytenr[known])
        return at, sets[used.leaf][known]


def is_counted(tree: int) -> bool:
    """Whether quotas count what a tree holds."""
    return tree == c.FS_TREE_OBJECTID or c.FIRST_FREE_OBJECTID <= tree <= c.LAST_FREE_OBJECTID
