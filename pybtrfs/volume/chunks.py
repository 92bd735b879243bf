"""The chunk map: from logical addresses to places on devices.

It begins with the system chunks of the superblock, with which the chunk tree is read, and then takes the
chunk tree's. Every chunk is judged before it is used (the kernel's `btrfs_check_chunk_valid`).
"""

from bisect import bisect_right
from collections.abc import Iterator

from pybtrfs.errors import CorruptError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import Chunk
from pybtrfs.volume.profiles import Profile, find_profile
from pybtrfs.volume.striping import Piece, pieces

_LONGEST = ((1 << 32) - 1) * c.STRIPE_LEN


class ChunkMap:
    """Chunks by their logical start."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._chunks: dict[int, Chunk] = {}

    def __iter__(self) -> Iterator[tuple[int, Chunk]]:
        return ((start, self._chunks[start]) for start in self._starts)

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, start: int, chunk: Chunk, sectorsize: int) -> None:
        """Take a chunk in; `CorruptError` where it is malformed or overlaps another one."""
        for problem in chunk_problems(start, chunk, sectorsize):
            raise CorruptError(f"chunk {start}: {problem}")
        if start in self._chunks:
            return
        index = bisect_right(self._starts, start)
        if index and self._end(index - 1) > start:
            raise CorruptError(f"chunk {start}: overlaps chunk {self._starts[index - 1]}")
        if index < len(self._starts) and start + chunk.length > self._starts[index]:
            raise CorruptError(f"chunk {start}: overlaps chunk {self._starts[index]}")
        self._starts.insert(index, start)
        self._chunks[start] = chunk

    def find(self, logical: int) -> tuple[int, Chunk] | None:
        """The chunk that holds a logical address, with its start."""
        index = bisect_right(self._starts, logical) - 1
        if index < 0 or logical >= self._end(index):
            return None
        return self._starts[index], self._chunks[self._starts[index]]

    def pieces(self, logical: int, length: int) -> list[Piece]:
        """Where a range inside one chunk is; `CorruptError` where no chunk holds all of it."""
        found = self.find(logical)
        if found is None:
            raise CorruptError(f"logical address {logical}: no chunk holds it")
        start, chunk = found
        if logical + length > start + chunk.length:
            raise CorruptError(f"{length} bytes at logical address {logical} cross the end of chunk {start}")
        profile = find_profile(chunk.type)
        assert profile is not None, "chunk_problems lets none through"
        return list(pieces(chunk, profile, logical - start, length))

    def _end(self, index: int) -> int:
        start = self._starts[index]
        return start + self._chunks[start].length


def chunk_problems(start: int, chunk: Chunk, sectorsize: int) -> Iterator[str]:
    """What is wrong with a chunk item by itself."""
    profile = find_profile(chunk.type)
    if profile is None:
        yield f"type {chunk.type:#x} has more than one profile"
        return
    yield from _type_problems(chunk.type)
    yield from _size_problems(start, chunk, sectorsize)
    yield from _stripe_problems(chunk, profile)


def _type_problems(flags: int) -> Iterator[str]:
    kinds = flags & c.BLOCK_GROUP_TYPE_MASK
    if flags & ~(c.BLOCK_GROUP_TYPE_MASK | c.BLOCK_GROUP_PROFILE_MASK):
        yield f"type {flags:#x} has unknown bits"
    if not kinds:
        yield f"type {flags:#x} is neither data, metadata nor system"
    if kinds & c.BLOCK_GROUP_SYSTEM and kinds != c.BLOCK_GROUP_SYSTEM:
        yield f"type {flags:#x} is system and something else"


def _size_problems(start: int, chunk: Chunk, sectorsize: int) -> Iterator[str]:
    if start % sectorsize or not chunk.length or chunk.length % sectorsize:
        yield f"length {chunk.length} at {start}, expected multiples of {sectorsize}"
    if start + chunk.length > c.U64_MAX:
        yield f"length {chunk.length} ends after the last address"
    if chunk.length >= _LONGEST:
        yield f"length is {chunk.length}, expected below {_LONGEST}"
    if chunk.stripe_len != c.STRIPE_LEN:
        yield f"stripe_len is {chunk.stripe_len}, expected {c.STRIPE_LEN}"
    if chunk.sector_size != sectorsize:
        yield f"sector_size is {chunk.sector_size}, expected {sectorsize}"


def _stripe_problems(chunk: Chunk, profile: Profile) -> Iterator[str]:
    if not chunk.num_stripes:
        yield "it has no stripes"
    if profile.whole and profile.copies != chunk.num_stripes:
        yield f"{chunk.num_stripes} stripes, expected {profile.copies} for {profile.name}"
    if profile.sub_stripes > 1 and (chunk.sub_stripes != profile.sub_stripes or chunk.num_stripes % 2):
        yield f"{chunk.num_stripes} stripes in sets of {chunk.sub_stripes}, expected sets of {profile.sub_stripes}"
    if chunk.num_stripes <= profile.parity:
        yield f"{chunk.num_stripes} stripes, expected more than {profile.parity} for {profile.name}"
