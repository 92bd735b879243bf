"""Gaps between file extents, on filesystems that write holes down (no NO_HOLES): a file's extents reach to its size.

Of each inode and leaf the first byte is taken that no extent covers. Where an inode goes on in the next leaf, the
question is put again for each pair of leaves, when the forest has been walked.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from pybtrfs.check.columns import U64, Array, distinct
from pybtrfs.check.findings import Finding, Severity
from pybtrfs.check.forest import Forest
from pybtrfs.check.neighbours import carried, ends_of, inode_entries
from pybtrfs.check.tables import Tables
from pybtrfs.ondisk import constants as c

_REGULAR, _SYMLINK = 8, 10  # of st_mode >> 12
_NEVER = U64(c.U64_MAX)


class _Edge(NamedTuple):
    """What is kept of each leaf, by its number in the forest; each an array."""

    bytenr: Array
    owner: Array
    opens: Array  # the inode in whose middle the leaf begins; 0 for none
    open_start: Array  # where its first extent here begins; never, where it has none
    open_gap: Array  # the first byte between its extents here that none covers
    open_end: Array  # where its last extent here ends
    last_ino: Array  # the inode of the last item
    last_end: Array  # where its last extent here ends; 0 where it has none
    known: Array  # whether its inode item is here, and how far its extents must reach
    reach: Array

    @classmethod
    def empty(cls, leaves: int) -> "_Edge":
        never = {"open_start", "open_gap"}
        values = (np.full(leaves, _NEVER if name in never else U64(0)) for name in cls._fields)
        return cls(*values)._replace(known=np.zeros(leaves, bool))


class _Runs(NamedTuple):
    """The extents of one inode in one leaf, a row each."""

    leaf: Array
    ino: Array
    entry: Array  # the item of the leaf that is its inode item; -1 where that stands further left
    start: Array
    gap: Array  # the first byte between them that none covers; never, where they touch
    end: Array


class Holes:
    """Looks at leaves as they come, and at the pairs of them in the end."""

    def __init__(self) -> None:
        self._batches: list[tuple[Array, _Edge]] = []
        self._found: list[Finding] = []

    def take(self, t: Tables) -> None:
        """Look at some leaves."""
        b, edge, runs = t.batch, _Edge.empty(len(t.batch)), _runs(t)
        edge.bytenr[:], edge.owner[:] = b.bytenr, b.header("owner")
        filled = np.flatnonzero(b.nritems > 0)
        last = b.nritems.cumsum()[filled] - 1
        edge.last_ino[filled] = b.objectid[last]
        first = last + 1 - b.nritems[filled]
        inner = b.type[first] != c.INODE_ITEM_KEY
        edge.opens[filled[inner]] = b.objectid[first[inner]]
        opening = runs.ino == edge.opens[runs.leaf]
        leaf = runs.leaf[opening]
        edge.open_start[leaf], edge.open_gap[leaf] = runs.start[opening], runs.gap[opening]
        edge.open_end[leaf] = runs.end[opening]
        at_end = runs.ino == edge.last_ino[runs.leaf]
        edge.last_end[runs.leaf[at_end]] = runs.end[at_end]
        self._whole_inodes(t, runs, edge)
        self._batches.append((t.number, edge))

    def finish(self, forest: Forest) -> Iterator[Finding]:
        """What is wrong within leaves and between them."""
        yield from self._found
        edge = _Edge.empty(len(forest.levels[0].bytenr))
        for number, part in self._batches:
            for whole, piece in zip(edge, part, strict=True):
                whole[number] = piece
        left, right = forest.pairs()
        yield from _between(edge, left, right)
        if all(level.good.all() for level in forest.levels):
            last = np.ones(len(edge.bytenr), bool)
            last[left] = False
            yield from _ended(edge, np.flatnonzero(last), *_reaches(edge, left, right))

    def _whole_inodes(self, t: Tables, runs: _Runs, edge: _Edge) -> None:
        """The inodes whose item is in the leaf: what can be said without the leaves to the right."""
        i = t.inode
        start, gap, end = np.full(len(i), _NEVER), np.full(len(i), _NEVER), np.zeros(len(i), U64)
        ours = runs.entry >= 0
        at = np.searchsorted(i.rows, runs.entry[ours])
        start[at], gap[at], end[at] = runs.start[ours], runs.gap[ours], runs.end[ours]
        reach = np.where(((i.kind == U64(_REGULAR)) | (i.kind == U64(_SYMLINK))) & (i.nlink > U64(0)), i.size, U64(0))
        goes_on = i.ino == edge.last_ino[i.leaf]
        leaf = i.leaf[goes_on]
        edge.known[leaf], edge.reach[leaf] = True, reach[goes_on]
        first = np.where((start > U64(0)) & (start != _NEVER), U64(0), gap)
        for at_fault, tell in ((first, _gap), (np.where(goes_on, _NEVER, end), _short)):
            for row in np.flatnonzero(at_fault < reach).tolist():
                leaf = int(t.batch.bytenr[i.leaf[row]])
                numbers = int(i.owner[row]), int(i.ino[row]), int(at_fault[row]), int(reach[row])
                self._found.append(tell(f"leaf {leaf} slot {int(i.slot[row])}", *numbers, leaf))


def _runs(t: Tables) -> _Runs:
    e, ends = t.extent, ends_of(t)
    if not len(e):
        none = np.zeros(0, U64)
        return _Runs(none.astype(np.int64), none, none.astype(np.int64), none, none, none)
    new = np.concatenate([[True], (e.ino[1:] != e.ino[:-1]) | (e.leaf[1:] != e.leaf[:-1])])
    first = np.flatnonzero(new)
    before = np.concatenate([ends[:1], ends[:-1]])
    gaps = np.where(~new & (e.start > before), before, _NEVER)
    last = np.concatenate([first[1:], [len(new)]]) - 1
    entry = inode_entries(t)[e.rows[first]]
    return _Runs(e.leaf[first], e.ino[first], entry, e.start[first], np.minimum.reduceat(gaps, first), ends[last])


def _reaches(edge: _Edge, left: Array, right: Array) -> tuple[Array, Array]:
    """How far the extents of the inode must reach in whose middle each leaf begins, and whether that is known."""
    opened = edge.opens[right] != U64(0)
    return carried(edge.opens, edge.last_ino, edge.known, edge.reach, left[opened], right[opened])


def _between(edge: _Edge, left: Array, right: Array) -> Iterator[Finding]:
    reach, known = _reaches(edge, left, right)
    goes_on = (edge.opens[right] != U64(0)) & (edge.last_ino[left] == edge.opens[right])
    one, other = left[goes_on], right[goes_on]
    begun, start = edge.last_end[one], edge.open_start[other]
    gap = np.where((start > begun) & (start != _NEVER), begun, edge.open_gap[other])
    inside = edge.last_ino[other] != edge.opens[other]
    end = np.where(start != _NEVER, edge.open_end[other], begun)
    for at_fault, tell in ((gap, _gap), (np.where(inside, end, _NEVER), _short)):
        for row in np.flatnonzero(known[other] & (at_fault < reach[other])).tolist():
            leaf = int(other[row])
            yield _of_leaf(tell, edge, leaf, int(edge.opens[leaf]), int(at_fault[row]), int(reach[leaf]))
    yield from _ended(edge, left[~goes_on], reach, known)


def _ended(edge: _Edge, leaves: Array, reach: Array, known: Array) -> Iterator[Finding]:
    """The inodes that end where their leaf does."""
    through = (edge.last_ino == edge.opens) & known
    wanted = np.where(edge.known, edge.reach, np.where(through, reach, U64(0)))
    for leaf in distinct(leaves[edge.last_end[leaves] < wanted[leaves]]).tolist():
        yield _of_leaf(_short, edge, leaf, int(edge.last_ino[leaf]), int(edge.last_end[leaf]), int(wanted[leaf]))


def _of_leaf(tell: Callable[..., Finding], edge: _Edge, leaf: int, ino: int, at: int, reach: int) -> Finding:
    bytenr = int(edge.bytenr[leaf])
    return tell(f"leaf {bytenr}", int(edge.owner[leaf]), ino, at, reach, bytenr)


def _gap(place: str, owner: int, ino: int, first: int, reach: int, bytenr: int) -> Finding:
    text = f"{place}: inode {ino}: no extent has byte {first} of {reach}, and this filesystem has no NO_HOLES"
    return Finding("FIL-012", Severity.ERROR, text, owner, ino, bytenr)


def _short(place: str, owner: int, ino: int, end: int, reach: int, bytenr: int) -> Finding:
    text = f"{place}: inode {ino}: its extents end at {end}, its size is {reach}, without NO_HOLES"
    return Finding("FIL-013", Severity.ERROR, text, owner, ino, bytenr)
