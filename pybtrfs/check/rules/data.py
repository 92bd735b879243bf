"""Data against its checksums: every copy of every sector, and the parities of RAID5 and RAID6 computed again.

Runs of up to a MiB are read in the order of addresses and compared as a whole; only what differs is looked at sector by
sector, in every way that there is to come by it. Of a row with parity, those sectors count above or below which an
extent lies: the rest was never written.
"""

from collections.abc import Callable, Iterator

from pybtrfs.check.context import Extents
from pybtrfs.check.findings import Finding, Severity
from pybtrfs.checksum import digests
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import Chunk
from pybtrfs.volume.parity import p_of, q_of
from pybtrfs.volume.profiles import Profile, find_profile
from pybtrfs.volume.striping import Row, pieces

_RUN_BYTES = 1 << 20
Run = tuple[int, bytes]
"""A logical address, and the checksums of the sectors from there on."""


def findings(
    filesystem: Filesystem, extents: Extents, tell: Callable[[int], None] = lambda done: None
) -> Iterator[Finding]:
    """All of what is wrong with data and parities; `extents` are all there are.

    `tell` hears how many bytes of data with checksums have been compared.
    """
    done = 0
    for logical, stored in _runs(filesystem):
        yield from _run(filesystem, logical, stored)
        done += len(stored) // filesystem.csum_type.size * filesystem.sectorsize
        tell(done)
    for start, chunk in filesystem.volume.chunks:
        profile = find_profile(chunk.type)
        if profile is not None and profile.parity:
            yield from _parities(filesystem, start, chunk, profile, extents)


def _runs(filesystem: Filesystem) -> Iterator[Run]:
    """The checksums of the csum tree, those of neighbours together, no run in two chunks."""
    tree = filesystem.find_tree(c.CSUM_TREE_OBJECTID)
    if tree is None:
        return
    size, sectorsize = filesystem.csum_type.size, filesystem.sectorsize
    whole = filesystem.volume.devices.keys() >= filesystem.device_items.keys()
    most = (_RUN_BYTES if whole else c.STRIPE_LEN) // sectorsize * size  # a piece on a missing device is no run's end
    begin, held, end, chunk_end = 0, bytearray(), 0, 0
    for item in tree.items(trouble=lambda error: None):  # the walk tells of blocks that are damaged
        at, data = item.key.offset, item.data
        if item.key.type != c.EXTENT_CSUM_KEY or at % sectorsize:
            continue
        for first in range(0, len(data) - len(data) % size, most):
            part = data[first : first + most]
            part, logical = part[: len(part) - len(part) % size], at + first // size * sectorsize
            behind = logical + len(part) // size * sectorsize
            if logical != end or len(held) + len(part) > most or behind > chunk_end:
                if held:
                    yield begin, bytes(held)
                begin, held = logical, bytearray()
                found = filesystem.volume.chunks.find(logical)
                chunk_end = 0 if found is None else found[0] + found[1].length
            held += part
            end = behind
    if held:
        yield begin, bytes(held)


def _run(filesystem: Filesystem, logical: int, stored: bytes) -> Iterator[Finding]:
    """Compare a run as a whole; what differs, or lies in no chunk or in two, a stripe element at a time."""
    sectorsize, size = filesystem.sectorsize, filesystem.csum_type.size
    length = len(stored) // size * sectorsize
    found = filesystem.volume.chunks.find(logical)
    inside = found is not None and logical + length <= found[0] + found[1].length
    if inside and _holds(filesystem, logical, length, stored):
        return
    end = logical + length
    while logical < end:
        part = min(end, logical - logical % c.STRIPE_LEN + c.STRIPE_LEN) - logical
        count = part // sectorsize * size
        yield from _element(filesystem, logical, part, stored[:count])
        logical, stored = logical + part, stored[count:]


def _holds(filesystem: Filesystem, logical: int, length: int, stored: bytes) -> bool:
    """Whether there is a copy, and all copies are right."""
    good: bytes | None = None
    for _, data in filesystem.volume.direct_copies(logical, length, first=0):
        if data is None:
            return False
        if good is None:
            if digests(filesystem.csum_type, data, filesystem.sectorsize) != stored:
                return False
            good = data
        elif data != good:
            return False
    return good is not None


def _element(filesystem: Filesystem, logical: int, length: int, stored: bytes) -> Iterator[Finding]:
    sectorsize = filesystem.sectorsize
    sectors = set(range(length // sectorsize))
    if filesystem.volume.chunks.find(logical) is None:
        yield _found("DAT-001", Severity.ERROR, logical, length, "no chunk holds it")
        return
    wrong = {
        way: sectors if data is None else _wrong(filesystem, data, stored)
        for way, data in filesystem.volume.direct_copies(logical, length, first=0)
    }
    lost = set.intersection(sectors, *wrong.values())
    if lost:
        for _, data in filesystem.volume.copies(logical, length):
            if data is not None:
                lost &= _wrong(filesystem, data, stored)
    for way, bad in wrong.items():
        for first, count in _together(bad - lost):
            text = f"{way} is wrong, and can be had otherwise"
            yield _found("DAT-002", Severity.WARNING, logical + first * sectorsize, count * sectorsize, text)
    for first, count in _together(lost):
        text = "; ".join(wrong) or "no device"
        yield _found(
            "DAT-001",
            Severity.ERROR,
            logical + first * sectorsize,
            count * sectorsize,
            f"in no copy is it right: {text}",
        )


def _found(code: str, severity: Severity, logical: int, length: int, text: str) -> Finding:
    return Finding(code, severity, f"{length} bytes of data at {logical}: {text}", bytenr=logical)


def _wrong(filesystem: Filesystem, data: bytes, stored: bytes) -> set[int]:
    """The sectors whose checksum is not the stored one."""
    found, size = digests(filesystem.csum_type, data, filesystem.sectorsize), filesystem.csum_type.size
    return {at // size for at in range(0, len(stored), size) if found[at : at + size] != stored[at : at + size]}


def _together(sectors: set[int]) -> Iterator[tuple[int, int]]:
    """Runs of numbers that follow each other: the first, and how many."""
    rest = sorted(sectors)
    while rest:
        count = next((n for n, sector in enumerate(rest) if sector != rest[0] + n), len(rest))
        yield rest[0], count
        rest = rest[count:]


def _parities(
    filesystem: Filesystem, start: int, chunk: Chunk, profile: Profile, extents: Extents
) -> Iterator[Finding]:
    """Compare the parities of the rows of a chunk in which extents lie."""
    columns = chunk.num_stripes - profile.parity
    for number, used in _used_rows(filesystem, start, chunk, columns, extents):
        logical = number * columns * c.STRIPE_LEN
        [piece] = pieces(chunk, profile, logical, c.STRIPE_LEN)
        assert piece.row is not None, "the profile has parity"
        for name, stored, computed in _computed(filesystem, piece.row):
            if stored == computed:
                continue
            size = filesystem.sectorsize
            odd = {at for at in used if stored[at * size : (at + 1) * size] != computed[at * size : (at + 1) * size]}
            for first, count in _together(odd):
                at = start + logical + first * size
                text = f"{name} is not the parity of the row at {start + logical}"
                yield _found("DAT-003", Severity.WARNING, at, count * size, text)


def _used_rows(
    filesystem: Filesystem, start: int, chunk: Chunk, columns: int, extents: Extents
) -> Iterator[tuple[int, set[int]]]:
    """Rows with extents, rising, and which sectors of their elements these take."""
    size, per_element = filesystem.sectorsize, c.STRIPE_LEN // filesystem.sectorsize
    inside = (extents.bytenr >= start) & (extents.bytenr < start + chunk.length)
    row, used = -1, set[int]()
    for bytenr, length in zip(extents.bytenr[inside].tolist(), extents.length[inside].tolist(), strict=True):
        at, end = bytenr - start, min(bytenr - start + length, chunk.length)
        while at < end:
            number = at // c.STRIPE_LEN // columns
            if number != row:
                if used:
                    yield row, used
                row, used = number, set()
            stop = min(end, at - at % c.STRIPE_LEN + c.STRIPE_LEN)
            if len(used) < per_element:
                first = at % c.STRIPE_LEN // size
                used.update(range(first, first + -(-(stop - at) // size)))
            at = stop
    if used:
        yield row, used


def _computed(filesystem: Filesystem, row: Row) -> Iterator[tuple[str, bytes, bytes]]:
    """Of each parity: what it is, what stands there, what should; nothing where a device is missing."""
    data = [filesystem.volume.read_at(place) for place in row.data]
    known = [part for part in data if part is not None]
    if len(known) == len(data):
        for place, parity in zip(row.parity, (p_of, q_of), strict=False):
            stored = filesystem.volume.read_at(place)
            if stored is not None:
                yield f"devid {place.devid} at {place.physical}", stored, parity(known)
