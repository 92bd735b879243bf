"""Tree blocks in batches: read in long runs, every copy compared, checksums and headers judged as columns.

What looks wrong in a column is read again by the strict reader (`btree.store`), which tries every copy and whose
judge (`btree.check`) finds the words. So the columns only have to be right about what is sound.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pybtrfs.btree.check import Expected
from pybtrfs.check.columns import MARGIN, U64, Array, Batch, LeafBatch, NodeBatch
from pybtrfs.check.findings import Finding, Severity
from pybtrfs.checksum import CSUM_SIZE, crc32c
from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk.constants import HEADER_FLAG_WRITTEN
from pybtrfs.ondisk.header import HEADER, ITEM, leaf_data_size, max_key_ptrs

BATCH_BLOCKS = 256
_RUN_BYTES, _MOST_BETWEEN = 4 << 20, 128 << 10
Report = Callable[[Finding], None]


class BlockReader:
    """Reads the tree blocks of one filesystem; `report` takes what is wrong with them."""

    def __init__(self, filesystem: Filesystem, report: Report, tell: Callable[[int], None]) -> None:
        """`tell` hears now and then how many blocks have been read."""
        self._filesystem, self._report, self._tell = filesystem, report, tell
        self.nodesize = filesystem.nodesize
        self._buffer = np.zeros(BATCH_BLOCKS * self.nodesize + 2 * MARGIN, np.uint8)
        self._told: set[int] = set()
        self._first_copies: list[tuple[int, int, bytes]] = []  # of the batch: runs of blocks, by index, and their bytes
        self.blocks = 0

    def read(self, bytenrs: Array, level: int, *, quiet: bool = False) -> Iterator[Batch]:
        """The sound ones among the blocks at rising addresses, in batches; a batch lives until the next is asked for.

        `quiet`: they have been read before, and what is wrong with them was reported then.
        """
        for first in range(0, len(bytenrs), BATCH_BLOCKS):
            wanted = bytenrs[first : first + BATCH_BLOCKS]
            self.blocks += len(wanted)
            self._tell(self.blocks)
            batch, read = self._batch(wanted, level)
            keep = self._sound(batch, level) & read
            if not keep.all():
                keep = np.array([good or self._second_look(batch, i, level) for i, good in enumerate(keep.tolist())])
            if not quiet:
                self._compare_copies(batch, keep)
            yield batch.chosen(keep)

    def _batch(self, bytenrs: Array, level: int) -> tuple[Batch, Array]:
        """The blocks as the first copies have them, and which of them could be read."""
        self._first_copies = []
        size = self.nodesize
        buffer = self._buffer[: len(bytenrs) * size + 2 * MARGIN]
        buffer[len(buffer) - MARGIN :] = 0
        read = np.ones(len(bytenrs), bool)
        rows = buffer[MARGIN : len(buffer) - MARGIN].reshape(len(bytenrs), size)
        for begin, end in self._runs(bytenrs):
            logical = int(bytenrs[begin])
            try:
                data, unread = self._filesystem.volume.read_first(logical, int(bytenrs[end - 1]) + size - logical)
            except CorruptError:
                read[begin:end] = False
                continue
            wanted = (bytenrs[begin:end] - U64(logical)) // U64(size)
            rows[begin:end] = np.frombuffer(data, np.uint8).reshape(-1, size)[wanted]
            self._first_copies.append((begin, end, data))
            for logical, length in unread:
                lost = bytenrs[begin:end] + U64(size) > U64(logical)
                read[begin:end] &= ~(lost & (bytenrs[begin:end] < U64(logical + length)))
        kind: type[Batch] = NodeBatch if level else LeafBatch
        return kind(buffer, bytenrs, size), read

    def _runs(self, bytenrs: Array) -> Iterator[tuple[int, int]]:
        """Ranges of `bytenrs` that lie close together, inside one chunk: to read what is between costs less."""
        chunks, size = self._filesystem.volume.chunks, self.nodesize
        apart = np.diff(bytenrs)
        breaks = np.flatnonzero((apart > U64(_MOST_BETWEEN)) | (apart % U64(size) != U64(0))) + 1
        for begin, end in zip([0, *breaks.tolist()], [*breaks.tolist(), len(bytenrs)], strict=True):
            while begin < end:
                logical = int(bytenrs[begin])
                found = chunks.find(logical)
                limit = min(logical + _RUN_BYTES, found[0] + found[1].length if found else 0)
                inside = int(np.searchsorted(bytenrs[begin:end], U64(max(limit - size, logical)), side="right"))
                yield begin, begin + inside
                begin += inside

    def _sound(self, batch: Batch, level: int) -> Array:
        """Which blocks are beyond doubt: checksum, header, item headers and the order of keys."""
        sound = self._csums_hold(batch)
        sound &= (batch.header("bytenr") == batch.bytenr) & (batch.header("level") == U64(level))
        sound &= (batch.header("flags") & U64(HEADER_FLAG_WRITTEN)) != U64(0)
        sound &= self._ours(batch) & _keys_rise(batch)
        if isinstance(batch, LeafBatch):
            return sound & _items_fit(batch, leaf_data_size(self.nodesize))
        count, blockptr = batch.header("nritems"), batch.entry("blockptr")
        sound &= (count > U64(0)) & (count <= U64(max_key_ptrs(self.nodesize)))
        odd = (blockptr % U64(self._filesystem.sectorsize) != U64(0)) | (blockptr == U64(0))
        sound[batch.block[odd]] = False
        return sound

    def _ours(self, batch: Batch) -> Array:
        """Which blocks have an fsid of this filesystem, or of a seed below it."""
        at = batch.start + HEADER.offset_of("fsid")
        first, second = _words(batch.buffer, at), _words(batch.buffer, at + 8)
        ours = np.zeros(len(batch), bool)
        for fsid in self._filesystem.volume.block_fsids:
            halves = np.frombuffer(fsid, U64)
            ours |= (first == halves[0]) & (second == halves[1])
        return ours

    def _csums_hold(self, batch: Batch) -> Array:
        view, size = batch.buffer.data, self.nodesize
        csum_type = self._filesystem.csum_type
        spans = [view[at + CSUM_SIZE : at + size] for at in batch.start.tolist()]
        if csum_type.number == 0:
            found = np.fromiter(map(crc32c, spans), np.uint32, len(spans)).astype(U64)
            return found == (_words(batch.buffer, batch.start) & U64(0xFFFFFFFF))
        stored = [bytes(view[at : at + csum_type.size]) for at in batch.start.tolist()]
        return np.array(list(map(csum_type.digest, spans))) == np.array(stored)

    def _second_look(self, batch: Batch, index: int, level: int) -> bool:
        """Ask the strict reader about a block; a copy that it likes better is put in its place."""
        bytenr, tell = int(batch.bytenr[index]), int(batch.bytenr[index]) not in self._told
        self._told.add(bytenr)
        try:
            block = self._filesystem.store.read(bytenr, Expected(level))
        except CorruptError as error:
            if tell:
                self._report(Finding("BLK-001", Severity.ERROR, str(error), bytenr=bytenr))
            return False
        at = int(batch.start[index])
        batch.buffer[at : at + self.nodesize] = np.frombuffer(block.data, np.uint8)
        batch.forget()
        if tell:
            self._compare_with(block.data, bytenr, first=0)
        return True

    def _compare_copies(self, batch: Batch, keep: Array) -> None:
        """Report the copies, on any device, that are not what the first one is."""
        size, volume = self.nodesize, self._filesystem.volume
        for begin, end, first in self._first_copies:
            logical = int(batch.bytenr[begin])
            if all(copy == first for _, copy in volume.direct_copies(logical, len(first), first=1)):
                continue
            for index in range(begin, end):
                bytenr = int(batch.bytenr[index])
                if keep[index] and bytenr not in self._told:
                    self._compare_with(first[bytenr - logical : bytenr - logical + size], bytenr, first=1)

    def _compare_with(self, good: bytes, bytenr: int, *, first: int) -> None:
        for way, copy in self._filesystem.volume.direct_copies(bytenr, self.nodesize, first=first):
            if copy is None:
                self._damaged_copy(bytenr, way, "cannot be read")
            elif copy != good:
                self._damaged_copy(bytenr, way, "differs from the copy that is good")

    def _damaged_copy(self, bytenr: int, way: str, why: str) -> None:
        message = f"tree block {bytenr}: {way} {why}"
        self._report(Finding("BLK-002", Severity.WARNING, message, bytenr=bytenr))


def _words(buffer: Array, at: Array) -> Array:
    view: Array = np.ndarray((len(buffer) - 7,), "<u8", buffer, strides=(1,))
    return view[at]


def _keys_rise(batch: Batch) -> Array:
    """Of each block: whether each key is greater than the one before it."""
    objectid, kind, offset = batch.objectid, batch.type, batch.offset
    same = objectid[1:] == objectid[:-1]
    rises = (objectid[1:] > objectid[:-1]) | (
        same & ((kind[1:] > kind[:-1]) | ((kind[1:] == kind[:-1]) & (offset[1:] > offset[:-1])))
    )
    return _all_of(batch, np.concatenate([[True], rises]) | (batch.slot == 0) if len(objectid) else objectid == 0)


def _items_fit(batch: LeafBatch, data_size: int) -> Array:
    """Of each leaf: whether its items fill it from the back without gaps, and leave room for their headers."""
    offset, size = batch.entry("offset").astype(np.int64), batch.entry("size").astype(np.int64)
    limit = np.concatenate([[data_size], offset[:-1]]) if len(offset) else offset
    limit[batch.slot == 0] = data_size
    fits = (offset + size == limit) & (offset >= batch.nritems[batch.block] * ITEM.size)
    return _all_of(batch, fits) & (batch.header("nritems") <= U64(data_size // ITEM.size))


def _all_of(batch: Batch, entries: Array) -> Array:
    """Of each block: whether the mask holds for all its entries."""
    sound: Array = np.ones(len(batch), bool)
    sound[batch.block[~entries.astype(bool)]] = False
    return sound


def starts_and_ends(batch: Batch) -> tuple[Array, Array]:
    """First and last key of each block, (blocks, 3) u64; blocks without items have zeros."""
    keys: Any = np.stack([batch.objectid, batch.type.astype(U64), batch.offset], axis=1)
    ends = batch.nritems.cumsum()
    filled = batch.nritems > 0
    first, last = np.zeros((len(batch), 3), U64), np.zeros((len(batch), 3), U64)
    first[filled], last[filled] = keys[(ends - batch.nritems)[filled]], keys[(ends - 1)[filled]]
    return first, last
