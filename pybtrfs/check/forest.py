"""All trees at once, level by level, each block once however many trees share it.

At each level stand the blocks that the level above, or a root, refers to. Every reference is compared with the
block (generation, first key, owner); the block itself is read once. What leaves add to the sums of the ledgers is
added up towards the roots, and a block that could not be read makes all trees above it incomplete. Neighbouring
leaves are found pair by pair on the way up, so that rules about what follows what look at each pair once.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from pybtrfs.btree.search import Root
from pybtrfs.check.columns import U64, Array, LeafBatch, NodeBatch, distinct, member
from pybtrfs.check.findings import Finding, Severity
from pybtrfs.check.reader import BlockReader, Report, starts_and_ends
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.key import Key

OnLeaves = Callable[[LeafBatch, Array], Array]
"""Takes a batch of leaves and their numbers in the forest; gives what each adds to each ledger, (leaves, ledgers)."""
OnNodes = Callable[[NodeBatch], None]


_NOTHING = np.zeros(0, U64)


class Edges(NamedTuple):
    """References to the blocks of one level, a row each."""

    bytenr: Array
    generation: Array
    first_key: Array  # (edges, 3)
    parent: Array  # address of the node, 0 where a root item or the superblock refers to it
    tree: Array  # id of the tree, where it is a root; else 0
    owner: Array  # who refers: the node's owner, or the tree


class Level(NamedTuple):
    """The blocks of one level, in the order of their addresses."""

    bytenr: Array
    good: Array  # which of them could be read
    children: Array  # of nodes: numbers in the level below, of all nodes in turn
    bounds: Array  # where each node's children begin, and where the last one's end


class TreeSum(NamedTuple):
    """A tree's sum for each ledger. `complete`: all of its blocks could be read."""

    root: Root
    sums: Array
    complete: bool


class Forest:
    """Some trees of a filesystem, walked once."""

    def __init__(
        self,
        reader: BlockReader,
        roots: list[Root],
        report: Report,
        *,
        shared: bool,
        dropped: dict[int, int] | None = None,
        full_backref: Array | None = None,
    ) -> None:
        """`shared`: the trees share blocks, whose owner then may be any of them; else it must be the tree itself.

        `dropped`: nodes, by address, of trees that are being deleted, with the number of children already gone;
        `full_backref`: addresses, rising, of blocks that their owner may have left; where it is None, some trees
        are left out, and owners are not compared.
        """
        self._reader, self.roots, self._report, self._shared = reader, roots, report, shared
        self._dropped, self._full_backref = dropped or {}, full_backref
        self.levels: list[Level] = []  # from the leaves up
        self.first_key = self.last_key = np.zeros((0, 3), U64)  # of each leaf
        self.cut: set[int] = set()  # leaves before which some are lost or deleted, once `pairs` has been called
        self._sums: list[Array] = []

    def walk(self, on_leaves: OnLeaves, on_nodes: OnNodes) -> None:
        """Read all blocks; the consumers see each sound one once."""
        edges = _joined()
        children: list[tuple[Array, Array, Array, Array]] = []  # of each level from the top: what it refers to
        for level in range(c.MAX_LEVEL - 1, -1, -1):
            edges = _joined(edges, self._root_edges(level))
            bytenr, number = np.unique(edges.bytenr, return_inverse=True)
            if level:
                good, below, bounds = self._nodes(bytenr, edges, number, level, on_nodes)
                children.append((bytenr, good, bounds, below.bytenr))
                edges = below
            else:
                self._leaves(bytenr, edges, number, on_leaves)
        for bytenr, good, bounds, referred in reversed(children):
            lower = self.levels[-1]
            at = np.searchsorted(lower.bytenr, referred)
            self.levels.append(Level(bytenr, good, at, bounds))
            self._sums.append(self._added(at, bounds))

    def sums(self) -> Iterator[TreeSum]:
        """Each tree with its sums."""
        for root in self.roots:
            level = self.levels[root.level]
            at = int(np.searchsorted(level.bytenr, root.bytenr))
            total = self._sums[root.level][at]
            yield TreeSum(root, total[:-1], bool(total[-1] == U64(0)))

    def pairs(self) -> tuple[Array, Array]:
        """Numbers of leaves that follow each other in a tree: the left ones, the right ones."""
        leaves = self.levels[0]
        numbers = np.where(leaves.good, np.arange(len(leaves.bytenr)), -1)
        leftmost = rightmost = numbers
        lefts, rights = [], []
        for level in self.levels[1:]:
            counts = np.diff(level.bounds)
            inner = np.ones(len(level.children), bool)
            inner[level.bounds[1:][counts > 0] - 1] = False
            lefts.append(rightmost[level.children][inner])
            rights.append(leftmost[np.roll(level.children, -1)][inner])
            empty = counts == 0
            first = np.minimum(level.bounds[:-1], max(0, len(level.children) - 1))
            last = np.maximum(level.bounds[1:] - 1, 0)
            leftmost, rightmost = (
                np.where(empty, -1, ends[level.children[at]]) if len(level.children) else np.full(len(counts), -1)
                for ends, at in ((leftmost, first), (rightmost, last))
            )
            halved = member(level.bytenr, np.array(sorted(self._dropped), U64))
            self.cut.update(leftmost[halved].tolist())
        left, right = (np.concatenate(part) if part else np.zeros(0, np.int64) for part in (lefts, rights))
        both = (left >= 0) & (right >= 0)
        self.cut.update(right[(left < 0) & (right >= 0)].tolist())
        return left[both], right[both]

    def leaves_of(self, root: Root) -> Array:
        """The addresses of the sound leaves of one tree."""
        level = self.levels[root.level]
        numbers = np.searchsorted(level.bytenr, np.array([root.bytenr], U64))
        for height in range(root.level, 0, -1):
            level = self.levels[height]
            parts = [level.children[level.bounds[n] : level.bounds[n + 1]] for n in numbers.tolist()]
            numbers = distinct(np.concatenate(parts)) if parts else numbers[:0]
        leaves = self.levels[0]
        numbers = numbers[leaves.good[numbers]]
        found: Array = leaves.bytenr[numbers]
        return found

    def _root_edges(self, level: int) -> Edges:
        roots = [root for root in self.roots if root.level == level]
        count = len(roots)
        return Edges(
            np.array([root.bytenr for root in roots], U64),
            np.array([root.generation for root in roots], U64),
            np.zeros((count, 3), U64),
            np.zeros(count, U64),
            np.array([root.tree_id for root in roots], U64),
            np.array([root.tree_id for root in roots], U64),
        )

    def _nodes(
        self, bytenr: Array, edges: Edges, number: Array, level: int, on_nodes: OnNodes
    ) -> tuple[Array, Edges, Array]:
        heads, parts, counts = _Heads(len(bytenr)), list[Edges](), np.zeros(len(bytenr), np.int64)
        trees = _trees_of(edges, number, len(bytenr))
        for batch in self._reader.read(bytenr, level):
            assert isinstance(batch, NodeBatch), "the reader makes nodes of this level"
            at = np.searchsorted(bytenr, batch.bytenr)
            heads.take(at, batch)
            if self._dropped:
                gone = [self._dropped.get(bytenr, 0) for bytenr in batch.bytenr.tolist()]
                batch.forget(first=np.array(gone, np.int64))
            counts[at] = batch.nritems - batch.first
            on_nodes(batch)
            parts.append(
                Edges(
                    batch.entry("blockptr"),
                    batch.entry("generation"),
                    np.stack([batch.objectid, batch.type.astype(U64), batch.offset], axis=1),
                    batch.bytenr[batch.block],
                    np.zeros(len(batch.block), U64) if self._shared else trees[at][batch.block],
                    batch.header("owner")[batch.block],
                )
            )
        self._compare(edges, number, heads, "node")
        return heads.good, _joined(*parts), np.concatenate([[0], counts.cumsum()])

    def _leaves(self, bytenr: Array, edges: Edges, number: Array, on_leaves: OnLeaves) -> None:
        heads, sums = _Heads(len(bytenr)), None
        for batch in self._reader.read(bytenr, 0):
            assert isinstance(batch, LeafBatch), "the reader makes leaves of level 0"
            at = np.searchsorted(bytenr, batch.bytenr)
            heads.take(at, batch)
            found = on_leaves(batch, at)
            if sums is None:
                sums = np.zeros((len(bytenr), found.shape[1] + 1), U64)
            sums[at, :-1] = found
        if sums is None:
            sums = np.zeros((len(bytenr), 1), U64)
        sums[~heads.good, -1] = U64(1)
        self._compare(edges, number, heads, "leaf")
        self.first_key, self.last_key = heads.first_key, heads.last_key
        self.levels.append(Level(bytenr, heads.good, np.zeros(0, np.int64), np.zeros(1, np.int64)))
        self._sums.append(sums)

    def _added(self, children: Array, bounds: Array) -> Array:
        """The sums of nodes: what those of their children add up to, and how many blocks below are lost."""
        below = self._sums[-1][children]
        total = np.concatenate([np.zeros((1, below.shape[1]), U64), below.cumsum(axis=0, dtype=U64)])
        found: Array = total[bounds[1:]] - total[bounds[:-1]]
        found[bounds[1:] == bounds[:-1], -1] = U64(1)
        return found

    def _compare(self, edges: Edges, number: Array, heads: "_Heads", kind: str) -> None:
        """Report references that say something else than the block that they lead to."""
        good = heads.good[number]
        wrong = good & (heads.generation[number] != edges.generation)
        for at in np.flatnonzero(wrong).tolist():
            self._tell(
                "BLK-003", edges, at, kind,
                f"generation is {heads.generation[number[at]]}, {_who(edges, at)} says {edges.generation[at]}",
            )  # fmt: skip
        inner = good & (edges.parent != U64(0))
        wrong = inner & (heads.first_key[number] != edges.first_key).any(axis=1)
        for at in np.flatnonzero(wrong).tolist():
            found, said = (Key(*map(int, key)) for key in (heads.first_key[number[at]], edges.first_key[at]))
            self._tell("BLK-004", edges, at, kind, f"first key is {found}, {_who(edges, at)} says {said}")
        wrong = good & (heads.owner[number] != edges.tree) & (not self._shared)
        for at in np.flatnonzero(wrong).tolist():
            self._tell(
                "BLK-006", edges, at, kind, f"owner is tree {heads.owner[number[at]]}, expected {edges.tree[at]}"
            )
        if self._shared and self._full_backref is not None:
            self._compare_owners(edges, number, heads, kind, self._full_backref)
        wrong = inner & heads.empty[number]
        for at in np.flatnonzero(wrong).tolist():
            self._tell("BLK-005", edges, at, kind, f"it is empty, and {_who(edges, at)} refers to it")

    def _compare_owners(self, edges: Edges, number: Array, heads: "_Heads", kind: str, left_by_owner: Array) -> None:
        """A block belongs to one of those who refer to it, unless its owner has left it to them."""
        known = ~heads.good
        known[number[heads.owner[number] == edges.owner]] = True
        at = np.flatnonzero(~known[number])
        _, first = np.unique(number[at], return_index=True)
        for edge in at[first][~member(edges.bytenr[at[first]], left_by_owner)].tolist():
            owner = heads.owner[number[edge]]
            self._tell("BLK-008", edges, edge, kind, f"owner is tree {owner}, {_who(edges, edge)} is of another")

    def _tell(self, code: str, edges: Edges, at: int, kind: str, text: str) -> None:
        bytenr = int(edges.bytenr[at])
        tree = int(edges.tree[at]) or None
        self._report(Finding(code, Severity.ERROR, f"{kind} {bytenr}: {text}", tree=tree, bytenr=bytenr))


class _Heads:
    """What references are compared with, of each block of a level."""

    def __init__(self, count: int) -> None:
        self.good, self.empty = np.zeros(count, bool), np.zeros(count, bool)
        self.generation, self.owner = np.zeros(count, U64), np.zeros(count, U64)
        self.first_key, self.last_key = np.zeros((count, 3), U64), np.zeros((count, 3), U64)

    def take(self, at: Array, batch: LeafBatch | NodeBatch) -> None:
        self.good[at] = True
        self.generation[at], self.owner[at] = batch.header("generation"), batch.header("owner")
        self.first_key[at], self.last_key[at] = starts_and_ends(batch)
        self.empty[at] = batch.nritems == 0


def _joined(*parts: Edges) -> Edges:
    empty = Edges(_NOTHING, _NOTHING, np.zeros((0, 3), U64), _NOTHING, _NOTHING, _NOTHING)
    return Edges(*(np.concatenate(columns) for columns in zip(empty, *parts, strict=True)))


def _trees_of(edges: Edges, number: Array, count: int) -> Array:
    """The tree of each block, as the references to it say."""
    trees = np.zeros(count, U64)
    trees[number] = edges.tree
    return trees


def _who(edges: Edges, at: int) -> str:
    parent = int(edges.parent[at])
    return f"node {parent}" if parent else f"the root of tree {int(edges.tree[at])}"
