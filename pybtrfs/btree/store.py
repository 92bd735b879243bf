"""Tree blocks by logical address: read, verified, judged, kept in a bounded cache.

Every copy of a block is tried until one holds; where none does, the error names what is wrong with each.
A block that comes from the cache is still compared with what its parent says of it.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Protocol

from pybtrfs.btree.block import Block
from pybtrfs.btree.check import ANYTHING, Expected, checksum_problem, disagreements, problems
from pybtrfs.checksum import CsumType
from pybtrfs.errors import ChecksumError, CorruptError

CACHE_BYTES = 32 * 1024**2
_BYTES_AN_ITEM = 400  # what a cached block's keys, offsets and sizes take as Python objects


class Copies(Protocol):
    """What the store needs of a volume: the copies of a range of logical addresses."""

    @property
    def nodesize(self) -> int: ...
    @property
    def sectorsize(self) -> int: ...
    @property
    def block_fsids(self) -> Sequence[bytes]: ...
    @property
    def csum_type(self) -> CsumType: ...
    def copies(self, logical: int, length: int) -> Iterator[tuple[str, bytes | None]]:
        """Each copy's place, for messages, and its bytes; None where that copy cannot be read."""
        ...


class BlockStore:
    """Reads tree blocks of one volume. `blocks_read` counts those that did not come from the cache."""

    def __init__(self, volume: Copies, cache_bytes: int = CACHE_BYTES) -> None:
        self.volume = volume
        self.blocks_read = 0
        self._room = cache_bytes
        self._cache: OrderedDict[int, Block] = OrderedDict()

    def read(self, bytenr: int, expected: Expected = ANYTHING) -> Block:
        """The block at `bytenr`, judged; `CorruptError` or `ChecksumError` where no copy holds."""
        block = self._cache.get(bytenr)
        if block is not None:
            self._cache.move_to_end(bytenr)
            for problem in disagreements(block, expected):
                raise CorruptError(f"{block.kind} {bytenr}: {problem}")
            return block
        block = self._first_good(bytenr, expected)
        self._cache[bytenr] = block
        self._room -= self._cost(block)
        while self._room < 0 and len(self._cache) > 1:
            self._room += self._cost(self._cache.popitem(last=False)[1])
        return block

    def read_any(self, bytenr: int) -> Block:
        """A block as it stands, for showing damage: the first copy whose checksum holds, else the first."""
        first = None
        for _, data in self.volume.copies(bytenr, self.volume.nodesize):
            if data is not None:
                block = Block(data, bytenr)
                if checksum_problem(block, self.volume.csum_type) is None:
                    return block
                first = first or block
        if first is None:
            raise CorruptError(f"tree block {bytenr}: no copy can be read")
        return first

    def _cost(self, block: Block) -> int:
        return len(block.data) + block.nritems * _BYTES_AN_ITEM

    def _first_good(self, bytenr: int, expected: Expected) -> Block:
        if bytenr % self.volume.sectorsize:
            raise CorruptError(f"tree block {bytenr}: address is not a multiple of {self.volume.sectorsize}")
        self.blocks_read += 1
        found: list[str] = []
        error: type[CorruptError] = ChecksumError
        for place, data in self.volume.copies(bytenr, self.volume.nodesize):
            if data is None:
                found.append(f"{place}: cannot be read")
                continue
            block = Block(data, bytenr)
            problem = checksum_problem(block, self.volume.csum_type)
            if problem is None:
                error = CorruptError
                problem = next(problems(block, self.volume.block_fsids, self.volume.sectorsize, expected), None)
            if problem is None:
                return block
            found.append(f"{place}: {problem}")
        raise error(f"tree block {bytenr}: " + "; ".join(found or ["it has no place on a device"]))
