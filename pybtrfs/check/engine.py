"""The run of a check: which trees are read in which order, and what is looked at again.

First come the trees that no two roots share (chunks, roots, extents, checksums, space): they tell what the second
walk, of all file trees at once, needs to know. Sums that balance are done with. What does not balance is read
again, tree by tree, until each account that is off has been named.
"""

import ctypes
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from pybtrfs.btree.search import Root
from pybtrfs.check.collect import Collected, Collector
from pybtrfs.check.columns import U64, Array, LeafBatch, NodeBatch, Table
from pybtrfs.check.context import About, Ranges
from pybtrfs.check.findings import Finding, Severity
from pybtrfs.check.forest import Forest, OnLeaves, OnNodes
from pybtrfs.check.holes import Holes
from pybtrfs.check.ledger import Detail, Ledger, Multipliers, leaf_sums
from pybtrfs.check.neighbours import Neighbours
from pybtrfs.check.reader import BlockReader, Report
from pybtrfs.check.roots import Roots
from pybtrfs.check.rule import RowTest
from pybtrfs.check.rules import (
    blocks,
    chunks,
    data,
    extent_items,
    extents_of_files,
    inodes,
    items,
    logs,
    names,
    quotas,
    references,
    space,
    space_cache,
    states,
    subvolumes,
    superblocks,
)
from pybtrfs.check.sharing import Sharing
from pybtrfs.check.tables import NodeTables, Tables
from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c

TREE_LEDGERS: list[Ledger] = [*inodes.LEDGERS, *names.LEDGERS]
TREE_TESTS = [*inodes.TESTS, *names.TESTS, *extents_of_files.TESTS, *items.TESTS, *blocks.TESTS]
SINGLE_TESTS = [*TREE_TESTS, *extent_items.TESTS]
FILESYSTEM_RULES = (superblocks, chunks, subvolumes, states)
WHOLE_LEDGERS: list[Ledger] = [*references.LEDGERS, *extent_items.LEDGERS]


Progress = Callable[[str, int, int | None], None]
"""Takes the phase, how many tree blocks (of the phase "data": bytes) are done, and how many there are, where known."""


class Check:
    """One run over one filesystem; `report` takes each finding as it is made."""

    def __init__(
        self,
        filesystem: Filesystem,
        report: Report,
        multipliers: Multipliers | None = None,
        *,
        data_csums: bool = False,
        only: int | None = None,
        progress: Progress = lambda phase, blocks, expected: None,
    ) -> None:
        """`data_csums`: verify all data, too. `only`: of the file trees, judge this subvolume alone."""
        self.filesystem, self._report, self._only, self._progress = filesystem, report, only, progress
        self._multipliers = multipliers or Multipliers()
        self._phase = "metadata"
        self._expected: int | None = None
        self._reader = BlockReader(filesystem, report, self._tell)
        self._whole = np.zeros(len(WHOLE_LEDGERS), U64)
        self._data_csums = data_csums
        self._charges = quotas.Charges(filesystem)
        self._lost = False

    @property
    def blocks(self) -> int:
        """How many tree blocks have been read, copies not counted."""
        return self._reader.blocks

    def run(self) -> None:
        """All phases."""
        _keep_freed_memory()
        roots = Roots(self.filesystem, self._report, self._only)
        collected = self._trees_of_their_own(roots)
        if self._only is None:
            elsewhere = self.filesystem.begins_elsewhere
            rows = [rules for rules in FILESYSTEM_RULES if not (elsewhere and rules is superblocks)]
            self._report_all(rules.findings(self.filesystem) for rules in rows)
            self._report_all(rules.findings(self.filesystem, collected) for rules in (space, space_cache))
        self._file_trees(roots)
        self._phase = "what does not balance"
        self._balance_trees(roots)
        if self._only is not None:
            return
        self._balance_whole(roots)
        log = logs.LogCheck(self.filesystem, self._reader, self._about_files, self._report)
        self._report_all([log.run(TREE_TESTS)])
        self._report_all([quotas.findings(self.filesystem, roots.dying, self._sharing, self._charges)])
        if self._data_csums:
            self._phase, self._expected = "data", self._about_files.csums.total
            self._report_all([data.findings(self.filesystem, self._about_files.extents, self._tell)])

    def _trees_of_their_own(self, roots: Roots) -> Collected:
        collector, about = Collector(self.filesystem.sectorsize), self._about(None)
        self._single = Forest(self._reader, roots.single, self._report, shared=False)
        self._single.walk(self._take_single(collector, about), self._take_nodes(about, shared=False))
        collected = collector.done()
        self._about_files = self._about(collected)
        return collected

    def _file_trees(self, roots: Roots) -> None:
        flags = self._about_files.extents.flags
        self._phase, self._expected = "files", int(((flags & U64(c.EXTENT_FLAG_TREE_BLOCK)) != U64(0)).sum())
        self._files = Forest(
            self._reader,
            roots.files,
            self._report,
            shared=True,
            dropped=roots.dropped,
            full_backref=self._about_files.full_backref if self._only is None else None,
        )
        neighbours, holes = Neighbours(), Holes()
        takers = [neighbours.take] if self._about_files.no_holes else [neighbours.take, holes.take]
        self._files.walk(self._take_files(takers), self._take_nodes(self._about_files, shared=True))
        self._report_all([neighbours.finish(self._files, self.filesystem), holes.finish(self._files)])

    def _report_all(self, several: Iterable[Iterable[Finding]]) -> None:
        """Report findings; where a block that they need is damaged, that what is behind it was not looked at."""
        for findings in several:
            try:
                for finding in findings:
                    self._report(finding)
            except CorruptError as error:
                self._report(Finding("BLK-009", Severity.ERROR, f"not checked to the end: {error}"))

    def _tell(self, done: int) -> None:
        self._progress(self._phase, done, self._expected)

    def _sharing(self) -> Sharing | None:
        return None if self._lost else Sharing(self._files, self._reader, self._about_files)

    def _about(self, collected: Collected | None) -> About:
        fs, sb = self.filesystem, self.filesystem.superblock
        none = Collector(self.filesystem.sectorsize).done() if collected is None else collected
        flagged = (none.extents.flags & U64(c.BLOCK_FLAG_FULL_BACKREF)) != U64(0)
        return About(
            self._multipliers,
            fs.sectorsize,
            fs.nodesize,
            fs.csum_type.size,
            min(sb.generation, c.U64_MAX - 1),  # so that there is a next one
            bool(sb.incompat_flags & c.INCOMPAT_NO_HOLES),
            none.extents,
            Ranges(*none.csum_ranges(fs.csum_type.size, fs.sectorsize)),
            none.extents.bytenr[flagged],
        )

    def _take_single(self, collector: Collector, about: About) -> OnLeaves:
        def take(batch: LeafBatch, number: Array) -> Array:
            tables = Tables(batch, number, about, shared=False)
            collector.take(tables)
            self._charges.take_extents(tables)
            self._test(SINGLE_TESTS, tables)
            self._add(tables, len(batch))
            return np.zeros((len(batch), 0), U64)

        return take

    def _take_nodes(self, about: About, *, shared: bool) -> OnNodes:
        def take(batch: NodeBatch) -> None:
            tables = NodeTables(batch, about, shared=shared)
            self._test(blocks.TESTS, tables)
            if shared:
                self._charges.take_blocks(batch)
            self._add(tables, len(batch))

        return take

    def _take_files(self, takers: Sequence[Callable[[Tables], None]]) -> OnLeaves:
        def take(batch: LeafBatch, number: Array) -> Array:
            tables = Tables(batch, number, self._about_files, shared=True)
            self._add(tables, len(batch))
            self._test(TREE_TESTS, tables)
            for look in takers:
                look(tables)
            self._charges.take_blocks(batch)
            return np.stack(
                [leaf_sums(ledger, tables, self._multipliers, len(batch)) for ledger in TREE_LEDGERS], axis=1
            )

        return take

    def _test(self, tests: list[RowTest], tables: Tables) -> None:
        for test in tests:
            for finding in test.findings(tables):
                self._report(finding)

    def _add(self, tables: Any, blocks: int) -> None:
        """Add some blocks to the sums that go over all trees."""
        sums = [leaf_sums(ledger, tables, self._multipliers, blocks).sum(dtype=U64) for ledger in WHOLE_LEDGERS]
        self._whole += np.array(sums, U64)

    def _balance_trees(self, roots: Roots) -> None:
        for tree in self._files.sums():
            if not tree.complete:
                self._lost = True
            elif tree.root.tree_id not in roots.dying:
                for index in np.flatnonzero(tree.sums).tolist():
                    self._detail(TREE_LEDGERS[index], tree.root)

    def _detail(self, ledger: Ledger, root: Root) -> None:
        detail = Detail(ledger, self._multipliers)
        leaves = self._files.leaves_of(root)
        for look in (detail.bucket, detail.collect):
            for batch in self._reader.read(leaves, 0, quiet=True):
                assert isinstance(batch, LeafBatch)
                look(Tables(batch, np.zeros(len(batch), np.int64), self._about_files, shared=True))
        for finding in self._findings(ledger, detail, root.tree_id):
            self._report(finding)

    def _balance_whole(self, roots: Roots) -> None:
        tables = RootTables(roots.all(), self.filesystem.nodesize)
        self._add(tables, 1)
        for ledger, total in zip(WHOLE_LEDGERS, self._whole, strict=True):
            if total != U64(0) and not self._lost:
                detail = Detail(ledger, self._multipliers)
                for look in (detail.bucket, detail.collect):
                    look(tables)
                    for part in self._all_tables():
                        look(part)
                for finding in self._findings(ledger, detail, None):
                    self._report(finding)

    def _all_tables(self) -> Iterator[Tables]:
        for forest, shared in ((self._single, False), (self._files, True)):
            for height, level in enumerate(forest.levels):
                for batch in self._reader.read(level.bytenr[level.good], height, quiet=True):
                    if isinstance(batch, LeafBatch):
                        yield Tables(batch, np.zeros(len(batch), np.int64), self._about_files, shared=shared)
                    elif isinstance(batch, NodeBatch):
                        yield NodeTables(batch, self._about_files, shared=shared)

    def _findings(self, ledger: Ledger, detail: Detail, tree: int | None) -> Iterator[Finding]:
        for account, difference in detail.imbalances():
            named = dict(zip(ledger.account, account, strict=True))
            where = "" if tree is None else f"tree {tree}: "
            text = where + ledger.message.format(**named, difference=difference)
            ino = next((named[name] for name in ("ino", "dir") if name in named), None)
            yield Finding(ledger.code, ledger.severity, text, tree, ino, named.get("bytenr"))


class RootTables:
    """What refers to root blocks: root items and the superblock, as a table."""

    def __init__(self, roots: list[Root], nodesize: int) -> None:
        none = np.zeros(len(roots), U64)
        reloc = np.array([root.tree_id == c.TREE_RELOC_OBJECTID for root in roots], bool)
        bytenr = np.array([root.bytenr for root in roots], U64)
        self.reference = Table(
            (None,),
            np.arange(len(roots)),
            np.arange(len(roots)),
            None,
            leaf=np.zeros(len(roots), np.int64),
            bytenr=bytenr,
            kind=np.where(reloc, U64(c.SHARED_BLOCK_REF_KEY), U64(c.TREE_BLOCK_REF_KEY)),
            a=np.where(reloc, bytenr, np.array([root.tree_id for root in roots], U64)),
            b=none,
            c=none,
            length=none + U64(nodesize),
        )
        empty = np.zeros(0, np.int64)
        names = ("bytenr", "kind", "a", "b", "c", "count", "length", "refs", "flags", "level", "generation")
        self.backref = self.extent_item = Table((None,), empty, empty, None, **dict.fromkeys(names, none[:0]))
        self.block = self.extent_item


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def _keep_freed_memory() -> None:
    """Have glibc reuse the arrays of one batch for the next: else each costs its page faults again, a tenth of all."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)
