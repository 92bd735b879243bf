"""The tree log: its trees walked, its items judged as those of files are, its space and checksums against the rest.

What a log refers to is not in the extent tree until it has been replayed: its own blocks must lie in free space, and so
must the extents that it brings, unless they are exactly ones that are there. (`check_log` in btrfs-progs,
`replay_one_extent` in the kernel.)
"""

from collections.abc import Iterator

import numpy as np

from pybtrfs.btree.search import Root, Tree
from pybtrfs.check.columns import U64, Array, LeafBatch, NodeBatch, Table, distinct
from pybtrfs.check.context import About, Extents, Ranges
from pybtrfs.check.findings import Finding, Severity
from pybtrfs.check.forest import Forest
from pybtrfs.check.reader import BlockReader, Report
from pybtrfs.check.rule import RowTest
from pybtrfs.check.rules.inodes import directory_links
from pybtrfs.check.tables import Tables
from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.file_extent import FILE_EXTENT
from pybtrfs.ondisk.inode import INODE_ITEM
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.root import ROOT_ITEM

_LINKS = {directory_links.code}
"""Tests of files that a log need not pass: replay counts links anew."""
_COLUMNS, _WANTS_NONE, _WANTS, _UNKNOWN = 7, 0, 1, 2


class LogCheck:
    """One look at the log of a filesystem that has one."""

    def __init__(self, filesystem: Filesystem, reader: BlockReader, about: About, report: Report) -> None:
        """`about` knows the extents and checksums of the last commit."""
        self._filesystem, self._reader, self._about, self._report = filesystem, reader, about, report
        self._blocks: list[Array] = []
        self._extents: list[Array] = []  # of _COLUMNS
        self._csums: list[Array] = []  # start, end

    def run(self, tests: list[RowTest]) -> Iterator[Finding]:
        """All that is wrong; `tests` are those of file trees. What is wrong with blocks is reported at once."""
        root = self._filesystem.log_root_tree
        if root is None:
            return
        yield _log("LOG-001", "a tree log waits to be replayed", Severity.NOTE)
        roots = [root.root, *self._roots()]
        forest = Forest(self._reader, roots, self._report, shared=False)
        chosen = [test for test in tests if test.code not in _LINKS]

        def leaves(batch: LeafBatch, number: Array) -> Array:
            tables = Tables(batch, number, self._about, shared=False)
            for test in chosen:
                for finding in test.findings(tables):
                    self._report(finding)
            self._blocks.append(batch.bytenr)
            self._take(tables)
            return np.zeros((len(batch), 0), U64)

        def nodes(batch: NodeBatch) -> None:
            self._blocks.append(batch.bytenr)

        forest.walk(leaves, nodes)
        yield from self._space()
        yield from self._checksums(forest)

    def _roots(self) -> Iterator[Root]:
        """The log trees; what is wrong with their root items is reported."""
        tree = self._filesystem.log_root_tree
        assert tree is not None, "there is a log"
        generation = self._filesystem.superblock.generation + 1
        for item in tree.items(trouble=lambda error: None):  # the walk tells of blocks that are damaged
            place = f"leaf {item.bytenr} slot {item.slot}"
            if item.key[:2] != (c.TREE_LOG_OBJECTID, c.ROOT_ITEM_KEY):
                self._report(_log("LOG-002", f"{place}: {tuple(item.key)} is no root item of a log tree"))
                continue
            if len(item.data) not in ROOT_ITEM.forms:
                continue  # rules/items.py tells of it
            root = item.read(ROOT_ITEM)
            if root.bytenr % self._filesystem.sectorsize or not root.bytenr or root.level >= c.MAX_LEVEL:
                self._report(_log("LOG-002", f"{place}: a log tree's root is at {root.bytenr}, of level {root.level}"))
                continue
            if root.generation > generation:
                text = f"{place}: a log tree is of generation {root.generation}, expected at most {generation}"
                self._report(_log("LOG-003", text))
            if self._filesystem.find_root_item(item.key.offset) is None:
                text = f"{place}: a log of subvolume {item.key.offset}, which does not exist"
                self._report(_log("LOG-004", text, Severity.WARNING))
            yield Root(c.TREE_LOG_OBJECTID, root.bytenr, root.level, root.generation)

    def _take(self, t: Tables) -> None:
        """Keep the extents and the checksums of some leaves."""
        used = t.regular.where((t.regular.disk_bytenr != U64(0)) & (t.regular.item_size == U64(FILE_EXTENT.size)))
        whole = used.compression != U64(0)
        start = np.where(whole, used.disk_bytenr, used.disk_bytenr + used.offset)
        length = np.where(whole, used.disk_num_bytes, used.num_bytes)
        length = np.where(used.type == U64(c.FILE_EXTENT_REG), length, U64(0))
        leaf = t.batch.bytenr[used.leaf]
        columns = (used.disk_bytenr, used.disk_num_bytes, start, length, used.ino, _wants(t, used), leaf)
        self._extents.append(np.stack(columns))
        rows = np.flatnonzero((t.batch.type == c.EXTENT_CSUM_KEY) & (t.batch.objectid == U64(c.EXTENT_CSUM_OBJECTID)))
        begin, sums = t.batch.offset[rows], t.batch.size[rows].astype(U64) // U64(t.about.csum_size)
        self._csums.append(np.stack([begin, begin + sums * U64(t.about.sectorsize)]))

    def _space(self) -> Iterator[Finding]:
        e = self._about.extents
        taken = Ranges(*disjoint(e.bytenr, e.bytenr + e.length))
        blocks = distinct(np.concatenate([np.zeros(0, U64), *self._blocks]))
        size = U64(self._about.nodesize)
        for at in np.flatnonzero(taken.covered(blocks, blocks + size) != U64(0)).tolist():
            text = f"log block {blocks[at]} lies in space that an extent takes"
            yield _log("LOG-005", text, bytenr=int(blocks[at]))
        logged = np.unique(self._all(self._extents, _COLUMNS)[:2], axis=1)
        start, end = logged[0], logged[0] + logged[1]
        there = _are_extents(e, logged[0], logged[1])
        for at in np.flatnonzero(~there & (taken.covered(start, end) != U64(0))).tolist():
            text = f"logged extent {start[at]}, {logged[1, at]} bytes, overlaps one that is there"
            yield _log("LOG-006", text, bytenr=int(start[at]))
        for at in np.flatnonzero(end[:-1] > start[1:]).tolist():
            text = f"logged extents {start[at]} and {start[at + 1]} overlap"
            yield _log("LOG-006", text, bytenr=int(start[at + 1]))
        for at, (begin, length) in enumerate(logged.T.tolist()):
            found = self._filesystem.volume.chunks.find(begin) if not there[at] else None
            if not there[at] and (found is None or begin + length > found[0] + found[1].length):
                yield _log("LOG-006", f"logged extent {begin}, {length} bytes: no chunk holds it", bytenr=begin)
            elif found is not None and not found[1].type & c.BLOCK_GROUP_DATA:
                yield _log("LOG-006", f"logged extent {begin}: chunk {found[0]} holds no data", bytenr=begin)

    def _checksums(self, forest: Forest) -> Iterator[Finding]:
        """Data that is logged has its checksums in the log, or in the csum tree."""
        logged = self._all(self._csums, 2)
        both = [
            np.concatenate(pair) for pair in zip(logged, (self._about.csums.start, self._about.csums.end), strict=True)
        ]
        order = np.argsort(both[0], kind="stable")
        ranges = Ranges(*disjoint(both[0][order], both[1][order]))
        _, _, start, length, ino, wants, leaf = self._all(self._extents, _COLUMNS)
        lacking = (ranges.covered(start, start + length) < length) & (wants != U64(_WANTS_NONE))
        for at in np.flatnonzero(lacking).tolist():
            if wants[at] == U64(_WANTS) or self._inode_wants(forest, int(leaf[at]), int(ino[at])):
                text = f"logged inode {ino[at]}: checksums of {length[at]} bytes at {start[at]} are missing"
                yield _log("LOG-007", text, bytenr=int(start[at]))

    def _inode_wants(self, forest: Forest, leaf: int, ino: int) -> bool:
        """Whether an inode whose extents are in `leaf`, and whose item is not, wants checksums."""
        root = next(root for root in forest.roots if leaf in forest.leaves_of(root))
        try:
            item = Tree(self._filesystem.store, root).find(Key(ino, c.INODE_ITEM_KEY, 0))
            return item is not None and not item.read(INODE_ITEM).flags & c.INODE_NODATASUM
        except CorruptError:
            return False

    def _all(self, parts: list[Array], rows: int) -> Array:
        return np.concatenate([np.zeros((rows, 0), U64), *parts], axis=1)


def _log(code: str, text: str, severity: Severity = Severity.ERROR, bytenr: int | None = None) -> Finding:
    return Finding(code, severity, text, tree=c.TREE_LOG_OBJECTID, bytenr=bytenr)


def _wants(t: Tables, used: Table) -> Array:
    """Whether the inode of each file extent wants checksums, where its item is in the same leaf."""
    inodes: Table = t.batch.items(c.INODE_ITEM_KEY, INODE_ITEM)
    if not len(inodes):
        return np.full(len(used), _UNKNOWN, U64)
    at = np.maximum(np.searchsorted(inodes.rows, used.rows) - 1, 0)
    ours = (inodes.key_objectid[at] == used.ino) & (inodes.leaf[at] == used.leaf)
    without = (inodes.flags[at] & U64(c.INODE_NODATASUM)) != U64(0)
    return np.where(ours, np.where(without, U64(_WANTS_NONE), U64(_WANTS)), U64(_UNKNOWN))


def _are_extents(e: Extents, start: Array, length: Array) -> Array:
    if not len(e.bytenr):
        return np.zeros(len(start), bool)
    at = np.minimum(np.searchsorted(e.bytenr, start), len(e.bytenr) - 1)
    found: Array = (e.bytenr[at] == start) & (e.length[at] == length)
    return found


def disjoint(start: Array, end: Array) -> tuple[Array, Array]:
    """Ranges whose starts rise, without their overlaps."""
    if not len(start):
        return start, end
    reached = np.maximum.accumulate(end)
    begin = np.maximum(start, np.concatenate([start[:1], reached[:-1]]))
    return begin, np.maximum(end, begin)
