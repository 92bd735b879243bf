"""What would deleting free? Counted from the references, as the kernel counts when it deletes; no quotas needed.

A tree block, or a data extent, has as many references as blocks point at it (file extents, in leaves), and one for
a tree that begins with it. Deleting a subvolume drops the reference to its root block. A block whose last reference
is dropped is freed, and drops one reference of each child, or of each data extent of its file extents. So the
deletion is played through, level by level from the roots down, for everything that is to go at once; only blocks
that it frees are read. (The kernel's counterpart is `btrfs_drop_snapshot`.)

What is deleted is asked for as a forest of *nodes*: one for an argument, or one for each directory. They are
numbered so that a parent comes before its children, and the children, with all below them, one after the other.
A block or extent is freed with a node when everything that refers to it goes with the node: hence with the nearest
node that is above all references. That is where its bytes are added. Two numbers stand for the references met so
far, the lowest node and the highest: what is above these is above all.

Of a subvolume that stays, only files go. Their data are freed, but no tree block is: a leaf is rewritten without
them. A file extent counts when its leaf is in no subvolume but those in which the file goes.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from pybtrfs.btree.block import Block
from pybtrfs.btree.check import Expected
from pybtrfs.btree.scan import BATCH_BLOCKS, batch, gather
from pybtrfs.errors import CorruptError
from pybtrfs.fs.extentrefs import count_references
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.subvolume import is_subvolume_id
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.file_extent import FILE_EXTENT
from pybtrfs.ondisk.header import HEADER, KEY_PTR
from pybtrfs.ondisk.root import RootItem

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

OUTSIDE = -1
"""The node of what stays."""
_GONE = -2  # the node of a subvolume that is deleted already, and will be cleaned up whatever else goes
_NONE = 1 << 62  # as the lowest node: nothing was met that goes with one
_MOST_ROWS = 1 << 20  # of file extents before they are added up
_MOST_COMPLAINTS = 10


class Freed(NamedTuple):
    """Logical bytes: as block groups count them, whatever number of copies a profile keeps."""

    data: int
    metadata: int


class Inodes(NamedTuple):
    """At least one file, by inode numbers, which rise, each with the lowest and the highest node among its names."""

    ino: "Array"  # u8
    low: "Array"  # i8
    high: "Array"  # i8


class Share(NamedTuple):
    """What goes of a subvolume: all of it with `node`, unless that is OUTSIDE; and some files with nodes below."""

    node: int
    inodes: Inodes | None = None


def exclusive(
    filesystem: Filesystem, shares: Mapping[int, Share], parents: Sequence[int], complain: Callable[[str], None]
) -> list[Freed]:
    """What deleting each node with all below it would free, by node.

    `shares` has what goes by subvolume id, `parents` each node's parent, which precedes it (the first has itself).
    What is damaged is told to `complain` and not counted.
    """
    import numpy as np  # noqa: PLC0415  start-up

    deletion = _Deletion(filesystem, shares, complain)
    deletion.play()
    forest = _Forest(parents)
    data, metadata = np.zeros(len(parents), np.uint64), np.zeros(len(parents), np.uint64)
    low, high, num_bytes = deletion.extents()
    np.add.at(data, forest.nearest(low, high), num_bytes)
    low, high, num_bytes = deletion.blocks()
    np.add.at(metadata, forest.nearest(low, high), num_bytes)
    for node in range(len(parents) - 1, 0, -1):
        data[parents[node]] += data[node]
        metadata[parents[node]] += metadata[node]
    return [Freed(int(of_data), int(of_metadata)) for of_data, of_metadata in zip(data, metadata, strict=True)]


class _Forest:
    """The nodes, for finding the nearest one above others."""

    def __init__(self, parents: Sequence[int]) -> None:
        import numpy as np  # noqa: PLC0415  start-up

        self._parents = np.array(parents, np.int64)
        ends = list(range(1, len(parents) + 1))  # behind the last node below each
        for node in range(len(parents) - 1, 0, -1):
            ends[parents[node]] = max(ends[parents[node]], ends[node])
        self._ends = np.array(ends, np.int64)

    def nearest(self, low: "Array", high: "Array") -> "Array":
        """The lowest node that has both nodes, of each row, below it or is one of them."""
        import numpy as np  # noqa: PLC0415  start-up

        at = low.copy()
        while len(climbing := np.flatnonzero(self._ends[at] <= high)):
            at[climbing] = self._parents[at[climbing]]
        return at


class _Level(NamedTuple):
    """Blocks of one level, by rising address."""

    bytenr: "Array"
    generation: "Array"  # as a parent says it
    dropped: "Array"  # references that the deletion has dropped so far
    sharers: list[int]  # which of the subvolumes reach it, a bit each


class _Deletion:
    """The play, and what it has freed."""

    def __init__(self, filesystem: Filesystem, shares: Mapping[int, Share], complain: Callable[[str], None]) -> None:
        self._filesystem, self._complain = filesystem, complain
        self._extent_tree = filesystem.tree(c.EXTENT_TREE_OBJECTID)
        self._pointers: list[list[tuple[Array, Array, int]]] = [[] for _ in range(c.MAX_LEVEL)]
        self._first_slots: dict[int, int] = {}  # of nodes whose first children are dropped already
        self._shares: list[Share] = []
        self._freed_blocks: dict[int, int] = {}  # how many, by sharers
        self._table = _Table()
        self._complaints = 0
        for key, root in filesystem.root_items():
            if is_subvolume_id(key.objectid):
                dead = root.refs == 0 and key.objectid != c.FS_TREE_OBJECTID
                share = Share(_GONE) if dead else shares.get(key.objectid)
                if share is not None:
                    self._begin(key.objectid, root, share)

    def play(self) -> None:
        """Drop the references of everything that goes, from the highest level down."""
        for level in range(c.MAX_LEVEL - 1, -1, -1):
            pointers, self._pointers[level] = self._pointers[level], []
            if pointers:
                self._drop(level, _merged(pointers))

    def blocks(self) -> tuple["Array", "Array", "Array"]:
        """Of the freed tree blocks that go with a node: lowest node, highest node, bytes."""
        import numpy as np  # noqa: PLC0415  start-up

        size = self._filesystem.nodesize
        rows = [(*self._span(sharers), times * size) for sharers, times in self._freed_blocks.items()]
        columns = np.array([row for row in rows if OUTSIDE < row[0] < _NONE], np.int64).reshape(-1, 3)
        return columns[:, 0], columns[:, 1], columns[:, 2].astype(np.uint64)

    def extents(self) -> tuple["Array", "Array", "Array"]:
        """The same of the freed data extents."""
        bytenr, low, high, dropped = self._table.sums()
        counts = count_references(self._extent_tree, bytenr, c.EXTENT_FLAG_DATA)
        self._check("data extent", bytenr, dropped, counts.refs)
        freed = (counts.refs > 0) & (dropped >= counts.refs) & (low > OUTSIDE) & (low < _NONE)
        return low[freed], high[freed], counts.num_bytes[freed]

    def _begin(self, subvolume_id: int, root: RootItem, share: Share) -> None:
        import numpy as np  # noqa: PLC0415  start-up

        sharer = 1 << len(self._shares)
        self._shares.append(share)
        if root.level >= c.MAX_LEVEL:
            self._tell(f"subvolume {subvolume_id}: its root item says level {root.level}")
            return
        row = np.array([root.bytenr], np.uint64), np.array([root.generation], np.uint64)
        self._pointers[root.level].append((*row, sharer))
        if share.node == _GONE and root.drop_progress.objectid:
            self._find_progress(subvolume_id, root)

    def _find_progress(self, subvolume_id: int, root: RootItem) -> None:
        """Note which children are dropped already of a subvolume that the kernel has begun to clean up."""
        bytenr, level, generation = root.bytenr, root.level, root.generation
        try:
            while level >= max(1, root.drop_level):
                node = self._filesystem.store.read(bytenr, Expected(level, generation))
                slot = max(0, bisect_right(node.key_tuples, root.drop_progress) - 1)
                self._first_slots[bytenr] = slot
                bytenr, level, generation = node.key_ptrs[slot].blockptr, level - 1, node.key_ptrs[slot].generation
        except CorruptError as error:
            self._tell(f"subvolume {subvolume_id}, which is being deleted: {error}")

    def _drop(self, level: int, rows: _Level) -> None:
        import numpy as np  # noqa: PLC0415  start-up

        counts = count_references(self._extent_tree, rows.bytenr, c.EXTENT_FLAG_TREE_BLOCK)
        self._check("tree block", rows.bytenr, rows.dropped, counts.refs)
        freed = np.flatnonzero((counts.refs > 0) & (rows.dropped >= counts.refs)).tolist()
        freed.sort(key=rows.sharers.__getitem__)  # so that few leaves are held at a time
        for sharers, same in groupby(freed, key=rows.sharers.__getitem__):
            blocks = self._blocks(level, rows, same)
            while some := list(islice(blocks, BATCH_BLOCKS)):
                self._freed_blocks[sharers] = self._freed_blocks.get(sharers, 0) + len(some)
                if not level:
                    self._drop_extents(some, sharers)
                for node in some if level else ():
                    self._drop_children(node, sharers)

    def _blocks(self, level: int, rows: _Level, chosen: Iterable[int]) -> Iterator[Block]:
        """Those of the chosen rows' blocks that can be read."""
        for row in chosen:
            try:
                yield self._filesystem.store.read(int(rows.bytenr[row]), Expected(level, int(rows.generation[row])))
            except CorruptError as error:
                self._tell(str(error))

    def _drop_children(self, node: Block, sharers: int) -> None:
        """Drop a freed node's references: those at least that lead to what goes."""
        import numpy as np  # noqa: PLC0415  start-up

        pointers = np.frombuffer(node.data, KEY_PTR.dtype, node.nritems, HEADER.size)
        wanted = np.arange(node.nritems) >= self._first_slots.get(node.bytenr, 0)
        first = np.ascontiguousarray(pointers["key"]["objectid"])
        last = np.append(first[1:], np.uint64(c.U64_MAX))
        for share in self._sharing(sharers):
            if share.node == OUTSIDE and share.inodes is not None:
                ino = share.inodes.ino
                wanted &= np.searchsorted(ino, first) < np.searchsorted(ino, last, side="right")
        rows = pointers[wanted]
        if len(rows):
            self._pointers[node.level - 1].append((rows["blockptr"], rows["generation"], sharers))

    def _drop_extents(self, leaves: list[Block], sharers: int) -> None:
        """Drop the references that the file extents of freed leaves hold."""
        import numpy as np  # noqa: PLC0415  start-up

        rows = batch(leaves)
        chosen = (rows.key["type"] == c.EXTENT_DATA_KEY) & (rows.size == FILE_EXTENT.size)
        file_extents = gather(rows.buffer, rows.data_at[chosen], FILE_EXTENT.dtype)
        real = (file_extents["type"] != c.FILE_EXTENT_INLINE) & (file_extents["disk_bytenr"] != 0)
        ino = np.ascontiguousarray(rows.key["objectid"][chosen][real])
        least, most = self._span(sharers, itself=False)
        low, high = np.full(len(ino), least, np.int64), np.full(len(ino), most, np.int64)
        for share in self._sharing(sharers):
            if share.inodes is not None:
                least_of, most_of = _nodes_of(share.node, share.inodes, ino)
                low, high = np.minimum(low, least_of), np.maximum(high, most_of)
        self._table.add(file_extents["disk_bytenr"][real], low, high)

    def _sharing(self, sharers: int) -> Iterator[Share]:
        """The shares of the subvolumes, those left out that are gone already."""
        while sharers:
            share = self._shares[(sharers & -sharers).bit_length() - 1]
            sharers &= sharers - 1
            if share.node != _GONE:
                yield share

    def _span(self, sharers: int, *, itself: bool = True) -> tuple[int, int]:
        """The lowest and highest node with which subvolumes go: of all, or only of those with no nodes for files."""
        nodes = [share.node for share in self._sharing(sharers) if itself or share.inodes is None]
        return min(nodes, default=_NONE), max(nodes, default=OUTSIDE)

    def _check(self, kind: str, bytenr: "Array", dropped: "Array", refs: "Array") -> None:
        for row in (dropped > refs).nonzero()[0]:
            self._tell(
                f"{kind} {bytenr[row]}: the extent tree counts {refs[row]} references, found were {dropped[row]}"
            )
            if self._complaints >= _MOST_COMPLAINTS:
                return

    def _tell(self, text: str) -> None:
        if self._complaints < _MOST_COMPLAINTS:
            self._complain(text)
        elif self._complaints == _MOST_COMPLAINTS:
            self._complain("there is more damage")
        self._complaints += 1


class _Table:
    """Data extents to which dropped references led, added up from time to time."""

    def __init__(self) -> None:
        self._parts: list[tuple[Array, Array, Array, Array]] = []
        self._rows, self._most = 0, _MOST_ROWS

    def add(self, bytenr: "Array", low: "Array", high: "Array") -> None:
        """File extents: the extent, lowest and highest node, a row each."""
        import numpy as np  # noqa: PLC0415  start-up

        self._parts.append((bytenr, low, high, np.ones(len(bytenr), np.uint64)))
        self._rows += len(bytenr)
        if self._rows > self._most:
            self._parts = [self.sums()]
            self._rows = len(self._parts[0][0])
            self._most = 2 * self._rows + _MOST_ROWS

    def sums(self) -> tuple["Array", "Array", "Array", "Array"]:
        """Each extent once, by rising address: it, its lowest and highest node, how many references."""
        import numpy as np  # noqa: PLC0415  start-up

        columns = [np.concatenate(parts) for parts in zip(*self._parts, strict=True)] or [np.zeros(0, np.uint64)] * 4
        order = columns[0].argsort(kind="stable")
        bytenr, low, high, dropped = (column[order] for column in columns)
        starts = _starts(bytenr)
        if not len(starts):
            return bytenr, low.astype(np.int64), high.astype(np.int64), dropped
        reduced = np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)
        return bytenr[starts], *reduced, np.add.reduceat(dropped, starts)


def _merged(pointers: list[tuple["Array", "Array", int]]) -> _Level:
    """Each block once, with all that points at it."""
    import numpy as np  # noqa: PLC0415  start-up

    bytenr = np.concatenate([part[0] for part in pointers])
    generation = np.concatenate([part[1] for part in pointers])
    sharers = np.repeat(np.arange(len(pointers)), [len(part[0]) for part in pointers])  # by their part
    order = bytenr.argsort(kind="stable")
    bytenr, generation, sharers = bytenr[order], generation[order], sharers[order]
    starts = _starts(bytenr)
    dropped = np.diff(np.append(starts, len(bytenr)))
    together = [pointers[part][2] for part in sharers[starts].tolist()]
    for row in np.flatnonzero(dropped > 1).tolist():
        for part in sharers[starts[row] : starts[row] + dropped[row]].tolist():
            together[row] |= pointers[part][2]
    return _Level(bytenr[starts], generation[starts], dropped.astype(np.uint64), together)


def _starts(ordered: "Array") -> "Array":
    """Where in a sorted column each value begins."""
    import numpy as np  # noqa: PLC0415  start-up

    return np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])


def _nodes_of(otherwise: int, inodes: Inodes, ino: "Array") -> tuple["Array", "Array"]:
    """The lowest and highest node of each inode; `otherwise` for those that have none of their own."""
    import numpy as np  # noqa: PLC0415  start-up

    at = np.minimum(np.searchsorted(inodes.ino, ino), len(inodes.ino) - 1)
    known = inodes.ino[at] == ino
    return np.where(known, inodes.low[at], otherwise), np.where(known, inodes.high[at], otherwise)
