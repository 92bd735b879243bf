"""What follows what in file trees: keys, inodes and their items, a file's extents, over the edges of leaves too.

Within a leaf the item before is in the batch. Where a leaf begins in the middle of an inode, what its first
items need to know of that inode (its flags, its size, where the extent before ends) stands in a leaf to the left:
each leaf's first and last words are kept, and compared pair by pair when the forest has been walked.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pybtrfs.check.columns import U64, Array, Table
from pybtrfs.check.findings import Finding, Severity
from pybtrfs.check.forest import Forest
from pybtrfs.check.tables import Tables
from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.inode import INODE_ITEM
from pybtrfs.ondisk.key import Key

_REGULAR, _SYMLINK = 8, 10  # of st_mode >> 12: what has file extents


class Edge(NamedTuple):
    """What is kept of each leaf, by its number in the forest; each an array."""

    bytenr: Array
    owner: Array
    opens: Array  # the inode in whose middle the leaf begins; 0 for none
    first_start: Array  # of the first extent, where it is of that inode
    has_first: Array
    missing: Array  # of that inode: some extent lacks checksums
    found: Array  # of that inode: some extent has checksums
    last_ino: Array  # the last inode that any item is of
    known: Array  # whether its inode item is in the leaf
    flags: Array
    end_ino: Array  # the inode of the last extent
    end: Array  # where that ends

    @classmethod
    def empty(cls, leaves: int) -> "Edge":
        flags = {"has_first", "missing", "found", "known"}
        return cls(*(np.zeros(leaves, bool if name in flags else U64) for name in cls._fields))


class Neighbours:
    """Looks at leaves as they come, and at the pairs of them in the end."""

    def __init__(self) -> None:
        self._batches: list[tuple[Array, Edge]] = []
        self.found: list[Finding] = []
        self._nameless: list[tuple[int, int, int]] = []  # owner, inode, leaf

    def take(self, t: Tables) -> None:
        """Look at some leaves."""
        edge = Edge.empty(len(t.batch))
        edge.bytenr[:], edge.owner[:] = t.batch.bytenr, t.batch.header("owner")
        inode_entry = inode_entries(t)
        nameless = t.inode.where((t.inode.nlink == U64(0)) & _is_ino(t.inode.ino))
        leaves = t.batch.bytenr[nameless.leaf]
        self._nameless += zip(nameless.owner.tolist(), nameless.ino.tolist(), leaves.tolist(), strict=True)
        self._inodes(t, inode_entry, edge)
        self._extents(t, inode_entry, edge)
        self._batches.append((t.number, edge))

    def finish(self, forest: Forest, filesystem: Filesystem) -> Iterator[Finding]:
        """What is wrong within leaves and between them."""
        yield from self.found
        yield from _without_orphan_item(filesystem, self._nameless)
        left, right = forest.pairs()
        yield from _key_order(forest, left, right)
        edge = Edge.empty(len(forest.levels[0].bytenr))
        for number, part in self._batches:
            for whole, piece in zip(edge, part, strict=True):
                whole[number] = piece
        yield from _between(edge, left, right, forest.cut)

    def _inodes(self, t: Tables, inode_entry: Array, edge: Edge) -> None:
        """Every item of an inode stands behind its inode item."""
        b = t.batch
        ours = _is_ino(b.objectid) & (b.type < c.EXTENT_CSUM_KEY)
        first = np.concatenate([[True], b.objectid[1:] != b.objectid[:-1]]) | (b.slot == 0) if len(ours) else ours
        bare = ours & first & (b.type != c.INODE_ITEM_KEY)
        opening = bare & (b.slot == 0)
        edge.opens[b.block[opening]] = b.objectid[opening]
        for at in np.flatnonzero(bare & ~opening).tolist():
            self._tell(t, at, "INO-001", f"inode {int(b.objectid[at])} has no inode item")
        filled = b.nritems > 0
        last = b.nritems.cumsum()[filled] - 1
        last = last[ours[last]]
        block = b.block[last]
        edge.last_ino[block] = b.objectid[last]
        entry = inode_entry[last]
        known = entry >= 0
        inode = Table(b, entry[known], b.data_at[entry[known]], INODE_ITEM)
        edge.known[block[known]] = True
        edge.flags[block[known]] = inode.flags

    def _extents(self, t: Tables, inode_entry: Array, edge: Edge) -> None:
        e = t.extent
        if not len(e):
            return
        starts, ends = e.start, ends_of(t)
        same = (e.ino[1:] == e.ino[:-1]) & (e.leaf[1:] == e.leaf[:-1])
        overlap = same & (starts[1:] < ends[:-1])
        for row in np.flatnonzero(overlap).tolist():
            text = f"inode {int(e.ino[row])}: file extent at {int(starts[row + 1])} begins before {int(ends[row])}"
            self._tell(t, int(e.rows[row + 1]), "FIL-010", text)
        entry = inode_entry[e.rows]
        self._with_inode(t, entry)
        first = np.concatenate([[True], e.leaf[1:] != e.leaf[:-1]])
        opening = first & (e.ino == edge.opens[e.leaf])
        edge.first_start[e.leaf[opening]] = starts[opening]
        edge.has_first[e.leaf[opening]] = True
        last = np.concatenate([e.leaf[1:] != e.leaf[:-1], [True]])
        edge.end_ino[e.leaf[last]], edge.end[e.leaf[last]] = e.ino[last], ends[last]
        missing, found = _coverage(t)
        r = t.regular
        unknown = inode_entry[r.rows] < 0
        np.logical_or.at(edge.missing, r.leaf[unknown], missing[unknown])
        np.logical_or.at(edge.found, r.leaf[unknown], found[unknown])
        self._checksums(t, inode_entry[r.rows], missing, found)

    def _with_inode(self, t: Tables, entry: Array) -> None:
        """Only files and symbolic links have extents."""
        e, known = t.extent, entry >= 0
        inode = Table(t.batch, np.maximum(entry, 0), t.batch.data_at[np.maximum(entry, 0)], INODE_ITEM)
        kind = inode.mode >> U64(12)
        for row in np.flatnonzero(known & (kind != U64(_REGULAR)) & (kind != U64(_SYMLINK))).tolist():
            self._tell(t, int(e.rows[row]), "FIL-011", f"inode {int(e.ino[row])} is no file and has a file extent")

    def _checksums(self, t: Tables, entry: Array, missing: Array, found: Array) -> None:
        r, known = t.regular, entry >= 0
        inode = Table(t.batch, np.maximum(entry, 0), t.batch.data_at[np.maximum(entry, 0)], INODE_ITEM)
        without = (inode.flags & U64(c.INODE_NODATASUM)) != U64(0)
        for row in np.flatnonzero(known & ~without & missing).tolist():
            text = f"inode {int(r.ino[row])}: file extent at {int(r.start[row])}: checksums of its data are missing"
            self._tell(t, int(r.rows[row]), "CSM-001", text)
        for row in np.flatnonzero((known & without | (r.type == U64(c.FILE_EXTENT_PREALLOC))) & found).tolist():
            text = f"inode {int(r.ino[row])}: file extent at {int(r.start[row])} has checksums and should have none"
            self._tell(t, int(r.rows[row]), "CSM-002", text)

    def _tell(self, t: Tables, entry: int, code: str, text: str) -> None:
        leaf = int(t.batch.bytenr[t.batch.block[entry]])
        place = f"leaf {leaf} slot {int(t.batch.slot[entry])}"
        owner, ino = int(t.batch.header("owner")[t.batch.block[entry]]), int(t.batch.objectid[entry])
        self.found.append(Finding(code, Severity.ERROR, f"{place}: {text}", owner, ino, leaf))


def _is_ino(number: Array) -> Array:
    found: Array = (number >= U64(c.FIRST_FREE_OBJECTID)) & (number <= U64(c.LAST_FREE_OBJECTID))
    return found


def inode_entries(t: Tables) -> Array:
    """Of each item: which item of the leaf is its inode item; -1 where none is."""
    b = t.batch
    if not len(b.type):
        return np.zeros(0, np.int64)
    last = np.maximum.accumulate(np.where(b.type == c.INODE_ITEM_KEY, np.arange(len(b.type)), 0))
    ours = (b.type[last] == c.INODE_ITEM_KEY) & (b.block[last] == b.block) & (b.objectid[last] == b.objectid)
    found: Array = np.where(ours, last, -1)
    return found


def ends_of(t: Tables) -> Array:
    """Where each file extent ends in its file; an inline one with its sector."""
    e, mask = t.extent, U64(t.about.sectorsize - 1)
    ends: Array = e.start + ((e.ram_bytes + mask) & ~mask)
    ends[np.searchsorted(e.rows, t.regular.rows)] = t.regular.end
    return ends


def _coverage(t: Tables) -> tuple[Array, Array]:
    """Of each regular extent: whether some of its data has no checksum, and whether some has."""
    r = t.regular
    whole = r.compression != U64(0)
    start = np.where(whole, r.disk_bytenr, r.disk_bytenr + r.offset)
    length = np.where(whole, r.disk_num_bytes, r.num_bytes)
    covered = t.about.csums.covered(start, start + length)
    used = r.disk_bytenr != U64(0)
    missing: Array = used & (r.type == U64(c.FILE_EXTENT_REG)) & (covered < length)
    return missing, used & (covered > U64(0))


def _key_order(forest: Forest, left: Array, right: Array) -> Iterator[Finding]:
    last, first = forest.last_key[left], forest.first_key[right]
    less = last < first
    equal = last == first
    ordered = less[:, 0] | (equal[:, 0] & (less[:, 1] | (equal[:, 1] & less[:, 2])))
    bytenr = forest.levels[0].bytenr
    for row in np.flatnonzero(~ordered).tolist():
        one, other = int(bytenr[left[row]]), int(bytenr[right[row]])
        keys = [Key(*map(int, key)) for key in (last[row], first[row])]
        message = f"leaf {other} begins with {keys[1]}, and leaf {one} before it ends with {keys[0]}"
        yield Finding("BLK-007", Severity.ERROR, message, bytenr=other)


def _between(edge: Edge, left: Array, right: Array, cut: set[int]) -> Iterator[Finding]:
    opened = edge.opens[right] != U64(0)
    apart = opened & (edge.last_ino[left] != edge.opens[right])
    first_of_all = np.ones(len(edge.bytenr), bool)
    first_of_all[right] = False
    lost = np.concatenate([right[apart], np.flatnonzero(first_of_all & (edge.opens != U64(0)))])
    for leaf in sorted(set(lost.tolist()) - cut):
        yield _finding(edge, leaf, "INO-001", "has no inode item")
    same = opened & edge.has_first[right] & (edge.end_ino[left] == edge.opens[right])
    for row in np.flatnonzero(same & (edge.first_start[right] < edge.end[left])).tolist():
        text = f"file extent at {int(edge.first_start[right[row]])} begins before {int(edge.end[left[row]])}"
        yield _finding(edge, int(right[row]), "FIL-010", text)
    inner = opened & ~apart
    flags, known = carried(edge.opens, edge.last_ino, edge.known, edge.flags, left[inner], right[inner])
    without = (flags & U64(c.INODE_NODATASUM)) != U64(0)
    for leaf in np.flatnonzero(known & ~without & edge.missing).tolist():
        yield _finding(edge, leaf, "CSM-001", "checksums of its data are missing")
    for leaf in np.flatnonzero(known & without & edge.found).tolist():
        yield _finding(edge, leaf, "CSM-002", "it has checksums and should have none")


def _without_orphan_item(filesystem: Filesystem, nameless: list[tuple[int, int, int]]) -> Iterator[Finding]:
    """An inode without a name has an orphan item, so that the next mount removes it."""
    for owner, ino, leaf in nameless:
        tree = filesystem.find_tree(owner)
        try:
            found = tree is None or tree.find(Key(c.ORPHAN_OBJECTID, c.ORPHAN_ITEM_KEY, ino))
        except CorruptError:
            continue  # the walk has reported the block
        if not found:
            text = f"leaf {leaf}: inode {ino} has no name, and no orphan item to have it removed"
            yield Finding("INO-012", Severity.ERROR, text, owner, ino, leaf)


def carried(opens: Array, last_ino: Array, has: Array, values: Array, left: Array, right: Array) -> tuple[Array, Array]:
    """A value of the inode in whose middle each leaf begins, from the leaf to the left or one before that.

    `values` are of the inode `last_ino` with which each leaf ends, where the leaf `has` its item; with them comes
    whether the value was found.
    """
    before = np.arange(len(opens))
    before[right] = left
    found, known = np.zeros(len(opens), U64), np.zeros(len(opens), bool)
    for _ in range(len(opens).bit_length() + 1):  # each round looks twice as far to the left
        found[right] = values[before[right]]
        known[right] = has[before[right]] & (last_ino[before[right]] == opens[right])
        further = before[before]
        stop = has[before] | (further == before)
        before = np.where(stop, before, further)
    return found, known


def _finding(edge: Edge, leaf: int, code: str, text: str) -> Finding:
    bytenr, ino = int(edge.bytenr[leaf]), int(edge.opens[leaf])
    return Finding(code, Severity.ERROR, f"leaf {bytenr}: inode {ino}: {text}", int(edge.owner[leaf]), ino, bytenr)
