"""Data by logical address, verified: every sector is compared with its checksum, and another copy, or what parity
says, is taken where it does not hold.

The first good copy of a long range is read at once. Only the sectors of it that do not hold are looked for
elsewhere, a stripe element at a time; one that holds nowhere is named with what is wrong with each copy.
"""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import NamedTuple

from pybtrfs.checksum import digests
from pybtrfs.fs.csums import find_csums
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk.constants import STRIPE_LEN

Judge = Callable[[int, bytes], str | None]
"""Takes a sector's address and bytes, says what is wrong with them."""


class BadSector(NamedTuple):
    """A sector that cannot be read, or that holds in no copy."""

    logical: int
    problem: str  # with the place


class Verified(NamedTuple):
    """What was read; zeros stand where a sector is bad."""

    data: bytes | bytearray
    bad: list[BadSector]


def read_data(filesystem: Filesystem, logical: int, length: int, *, verify: bool = True) -> Verified:
    """`length` bytes of data from `logical` on, both multiples of the sectorsize.

    Without `verify`, the first copy that can be read is good. Raises `CorruptError` where no chunk holds the range,
    or the csum tree cannot be read.
    """
    data, unread = filesystem.volume.read_first(logical, length)
    sectorsize = filesystem.sectorsize
    doubtful = {at for begin, size in unread for at in range(begin - begin % sectorsize, begin + size, sectorsize)}
    if verify:
        doubtful |= set(_wrong(filesystem, logical, data))
    if not doubtful:
        return Verified(data, [])
    judge = _judge(filesystem, doubtful) if verify else lambda at, sector: None
    mended, bad = bytearray(data), list[BadSector]()
    for _, sectors in groupby(sorted(doubtful), lambda at: at // STRIPE_LEN):
        for at, sector in _mend(filesystem, list(sectors), judge):
            if isinstance(sector, str):
                bad.append(BadSector(at, f"data at {at}: {sector}"))
                sector = bytes(sectorsize)
            mended[at - logical : at - logical + sectorsize] = sector
    return Verified(mended, bad)


def _wrong(filesystem: Filesystem, logical: int, data: bytes) -> Iterator[int]:
    """The sectors whose bytes are not those of their checksum, or that have none."""
    csum_type, sectorsize = filesystem.csum_type, filesystem.sectorsize
    view, at, size = memoryview(data), logical, csum_type.size
    for begin, stored in find_csums(filesystem, logical, len(data)):
        yield from range(at, begin, sectorsize)
        at = begin + len(stored) // size * sectorsize
        found = digests(csum_type, view[begin - logical : at - logical], sectorsize)
        if found != stored:
            for number in range(len(stored) // size):
                part = slice(number * size, (number + 1) * size)
                if stored[part] != found[part]:
                    yield begin + number * sectorsize
    yield from range(at, logical + len(data), sectorsize)


def _judge(filesystem: Filesystem, sectors: set[int]) -> Judge:
    """What says of the bytes of these sectors whether they are those of the stored checksum."""
    csum_type, sectorsize, first = filesystem.csum_type, filesystem.sectorsize, min(sectors)
    stored: dict[int, bytes] = {}
    for begin, csums in find_csums(filesystem, first, max(sectors) + sectorsize - first):
        for number in range(len(csums) // csum_type.size):
            at = begin + number * sectorsize
            if at in sectors:
                stored[at] = csums[number * csum_type.size :][: csum_type.size]

    def judge(at: int, sector: bytes) -> str | None:
        if at not in stored:
            return "the csum tree has no checksum of it"
        found = csum_type.digest(sector)
        return None if found == stored[at] else f"{csum_type.name} is {found.hex()}, stored is {stored[at].hex()}"

    return judge


def _mend(filesystem: Filesystem, sectors: list[int], judge: Judge) -> Iterator[tuple[int, bytes | str]]:
    """Good bytes of each of some sectors of one stripe element, or what is wrong with all copies of it."""
    sectorsize, first = filesystem.sectorsize, sectors[0]
    said: dict[int, list[str]] = {at: [] for at in sectors}
    for way, copy in filesystem.volume.copies(first, sectors[-1] + sectorsize - first):
        for at in list(said):
            sector = None if copy is None else copy[at - first : at - first + sectorsize]
            problem = "cannot be read" if sector is None else judge(at, sector)
            if sector is not None and problem is None:
                yield at, sector
                del said[at]
            else:
                said[at].append(f"{way}: {problem}")
        if not said:
            return
    for at, problems in said.items():
        yield at, "; ".join(problems)
