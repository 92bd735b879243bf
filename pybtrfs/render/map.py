"""Devices as rows of cells, for drawing: which kind of block groups lies where, and how much of it is used.

A cell stands for an equal part of its device. It shows the kind (data, metadata, system, mixed, or 0: free) that
has the most of that part, and how much of what block groups of that kind have there is used. A kind that would be
seen nowhere on the device, as system chunks on large disks, gets one cell where it has something.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from pybtrfs.fs.space import Extent
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import DevItem
from pybtrfs.ondisk.uuid import uuid_text
from pybtrfs.render.filesystems import Places
from pybtrfs.render.space import profile_name, type_name

MIXED = c.BLOCK_GROUP_DATA | c.BLOCK_GROUP_METADATA
KINDS = (c.BLOCK_GROUP_DATA, c.BLOCK_GROUP_METADATA, c.BLOCK_GROUP_SYSTEM, MIXED)
FREE = 0


class Bar(NamedTuple):
    """A device to be drawn; `path` is None where it is missing."""

    devid: int
    size: int
    path: str | None
    extents: list[Extent]

    @property
    def allocated(self) -> int:
        return sum(extent.length for extent in self.extents)


class Cell(NamedTuple):
    """A part of a device: the kind that has the most of it, and the share of that kind's bytes there in use."""

    kind: int
    fill: float  # from 0 to 1


def bars(devices: Iterable[DevItem], extents: Iterable[Extent], places: Places) -> list[Bar]:
    """The devices with what is on each, in the order of their ids and of physical addresses."""
    found = {item.devid: Bar(item.devid, item.total_bytes, places.get(item.devid), []) for item in devices}
    for extent in sorted(extents, key=lambda extent: extent.start):
        if extent.devid in found:
            found[extent.devid].extents.append(extent)
    return list(found.values())


def kind_of(extent: Extent) -> int:
    """Whether data, metadata, both or system chunks are in it."""
    return extent.chunk.type & c.BLOCK_GROUP_TYPE_MASK


def share_used(extent: Extent) -> float:
    """How much of its block group is in use, from 0 to 1, whatever a damaged item says."""
    return min(1.0, extent.used / extent.chunk.length)


def cells(extents: Iterable[Extent], size: int, count: int) -> list[Cell]:
    """A device of `size` bytes as `count` cells; time and memory go with the sum of extents and cells."""
    if not size:
        return []
    edges = [size * number // count for number in range(count + 1)]
    taken, used = ({kind: _Amounts(edges) for kind in KINDS} for _ in range(2))
    for extent in extents:
        if (kind := kind_of(extent)) in taken:
            taken[kind].add(extent.start, extent.length, 1.0)
            used[kind].add(extent.start, extent.length, share_used(extent))
    bytes_of = {kind: amounts.sums() for kind, amounts in taken.items()}
    used_of = {kind: amounts.sums() for kind, amounts in used.items()}
    free = (edges[n + 1] - edges[n] - sum(bytes_of[kind][n] for kind in KINDS) for n in range(count))
    shown = [max(((bytes_of[kind][n], kind) for kind in KINDS), default=(0.0, 0)) for n in range(count)]
    kinds = [kind if most >= rest and most > 0 else FREE for (most, kind), rest in zip(shown, free, strict=True)]
    _show_each(kinds, bytes_of)
    return [Cell(kind, min(1.0, used_of[kind][n] / bytes_of[kind][n]) if kind else 0.0) for n, kind in enumerate(kinds)]


class Scale(NamedTuple):
    """How devices are laid out: all to one scale, the largest over so many rows of cells."""

    width: int  # cells in a row
    counts: list[int]  # cells of each device

    def rows(self, number: int) -> int:
        return -(-self.counts[number] // self.width)


def scale(sizes: Sequence[int], width: int, most_rows: int, tallest: int = 4) -> Scale:
    """The most rows that fit: at least one for each device, at most `tallest` for the largest."""
    largest = max([1, *sizes])
    for rows in range(tallest, 0, -1):
        found = Scale(width, [max(1, -(-size * width * rows // largest)) for size in sizes])
        if rows == 1 or sum(map(found.rows, range(len(sizes)))) <= most_rows:
            return found
    raise AssertionError("one row is always taken")


def map_json(found: Iterable[Bar], uuids: dict[int, bytes]) -> list[dict[str, Any]]:
    """The devices with their extents; numbers are bytes, and a missing device's path is null."""
    return [
        {
            "devid": bar.devid,
            "uuid": uuid_text(uuids[bar.devid]),
            "path": bar.path,
            "size": bar.size,
            "allocated": bar.allocated,
            "extents": [_extent_json(extent) for extent in bar.extents],
        }
        for bar in found
    ]


def _extent_json(extent: Extent) -> dict[str, Any]:
    return {
        "physical": extent.start,
        "length": extent.length,
        "logical": extent.logical,
        "chunk_length": extent.chunk.length,
        "type": type_name(extent.chunk.type),
        "profile": profile_name(extent.chunk.type),
        "used": extent.used,
    }


def _show_each(kinds: list[int], bytes_of: dict[int, list[float]]) -> None:
    """Give each kind that has bytes and no cell the one in which it has the most, but no other kind's last one."""
    for kind in KINDS:
        times = Counter(kinds)
        places = [n for n, amount in enumerate(bytes_of[kind]) if amount > 0 and (not kinds[n] or times[kinds[n]] > 1)]
        if places and not times[kind]:
            kinds[max(places, key=lambda n: bytes_of[kind][n])] = kind


class _Amounts:
    """Weighted bytes in each cell: ranges are added at their ends, and summed up once."""

    def __init__(self, edges: list[int]) -> None:
        self._edges = edges
        self._ends = [0.0] * len(edges)  # what ranges have of the cells in which they begin and end
        self._inside = [0.0] * len(edges)  # changes of the weight of whole cells

    def add(self, start: int, length: int, weight: float) -> None:
        edges = self._edges
        start, end = min(start, edges[-1]), min(start + length, edges[-1])
        if start >= end:
            return
        first, last = bisect_right(edges, start) - 1, bisect_left(edges, end) - 1
        if first == last:
            self._ends[first] += (end - start) * weight
            return
        self._ends[first] += (edges[first + 1] - start) * weight
        self._ends[last] += (end - edges[last]) * weight
        self._inside[first + 1] += weight
        self._inside[last] -= weight

    def sums(self) -> list[float]:
        edges, weights = self._edges, list(accumulate(self._inside))
        return [self._ends[n] + weights[n] * (edges[n + 1] - edges[n]) for n in range(len(edges) - 1)]
