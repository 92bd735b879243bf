"""Chunks, tree statistics and the use of space as text, as btrfs-progs print them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pybtrfs.fs.space import Extent
from pybtrfs.fs.treestats import TreeStats
from pybtrfs.ondisk import constants as c
from pybtrfs.render.sizes import Units, size_text
from pybtrfs.render.tables import text_table
from pybtrfs.volume.profiles import PROFILES, find_profile

_TYPES = {
    c.BLOCK_GROUP_DATA: "Data",
    c.BLOCK_GROUP_SYSTEM: "System",
    c.BLOCK_GROUP_METADATA: "Metadata",
    c.BLOCK_GROUP_METADATA | c.BLOCK_GROUP_DATA: "Data+Metadata",
}
_HEADING = ("Devid", "PNumber", "Type/profile", "PStart", "Length", "PEnd", "LNumber", "LStart", "Usage%")
_TICKS = 20


def type_name(flags: int) -> str:
    """What a block group holds."""
    return _TYPES.get(flags & c.BLOCK_GROUP_TYPE_MASK, "unknown")


def profile_name(flags: int) -> str:
    """How it is spread over devices."""
    profile = find_profile(flags)
    return profile.name if profile else "unknown"


class ChunkRow(NamedTuple):
    """A line of `list-chunks`: a stripe, its number on its device by physical and by logical address (from 1)."""

    extent: Extent
    pnumber: int
    lnumber: int

    @property
    def percent(self) -> float:
        return 100 * self.extent.used / self.extent.chunk.length


_TYPE_ORDER = {c.BLOCK_GROUP_DATA: 0, c.BLOCK_GROUP_METADATA: 1, c.BLOCK_GROUP_SYSTEM: 2}
_PROFILE_ORDER = {profile.flag: number for number, profile in enumerate(PROFILES)}
SORT_KEYS: dict[str, Callable[[ChunkRow], int | float]] = {
    "devid": lambda row: row.extent.devid,
    "pstart": lambda row: row.extent.start,
    "lstart": lambda row: row.extent.logical,
    "usage": lambda row: row.percent,
    "length": lambda row: row.extent.chunk.length,
    "type": lambda row: _TYPE_ORDER.get(row.extent.chunk.type & c.BLOCK_GROUP_TYPE_MASK, len(_TYPE_ORDER)),
    "profile": lambda row: _PROFILE_ORDER[row.extent.chunk.type & c.BLOCK_GROUP_PROFILE_MASK],
}


def chunk_rows(extents: Iterable[Extent]) -> list[ChunkRow]:
    """The stripes, numbered on each device, in the order of devices and physical addresses."""
    logical: dict[int, int] = {}
    numbered = []
    for extent in extents:
        logical[extent.devid] = logical.get(extent.devid, 0) + 1
        numbered.append((extent, logical[extent.devid]))
    rows: list[ChunkRow] = []
    for extent, lnumber in sorted(numbered, key=lambda pair: (pair[0].devid, pair[0].start)):
        before = rows[-1].pnumber if rows and rows[-1].extent.devid == extent.devid else 0
        rows.append(ChunkRow(extent, before + 1, lnumber))
    return rows


def chunk_lines(rows: Sequence[ChunkRow], units: Units) -> Iterable[str]:
    """The table that `list-chunks` prints."""
    table = [[f">{name}" for name in _HEADING], ["*-"] * len(_HEADING)]
    for row in rows:
        extent, chunk = row.extent, row.extent.chunk
        cells = (
            extent.devid,
            row.pnumber,
            f"{type_name(chunk.type):>10}/{profile_name(chunk.type):<6}",
            size_text(extent.start, units),
            size_text(chunk.length, units),
            size_text(extent.start + chunk.length, units),
            row.lnumber,
            size_text(extent.logical, units),
            f"{row.percent:6.2f}",
        )
        table.append([f">{cell}" for cell in cells])
    return text_table(table)


def chunk_json(row: ChunkRow) -> dict[str, Any]:
    """A row of `list-chunks`; numbers are bytes."""
    extent, chunk = row.extent, row.extent.chunk
    return {
        "devid": extent.devid,
        "pnumber": row.pnumber,
        "type": type_name(chunk.type),
        "profile": profile_name(chunk.type),
        "pstart": extent.start,
        "plength": extent.length,
        "length": chunk.length,
        "lnumber": row.lnumber,
        "lstart": extent.logical,
        "used": extent.used,
    }


def stats_json(stats: TreeStats) -> dict[str, Any]:
    """What is known of one tree; numbers are bytes and counts."""
    return {
        "total_size": stats.total_nodes * stats.nodesize,
        "inline_data": stats.inline,
        "forward_seeks": stats.forward,
        "backward_seeks": stats.backward,
        "seek_distance": stats.seek_distance,
        "clusters": len(stats.clusters),
        "cluster_bytes": sum(stats.clusters),
        "disk_spread": stats.highest - stats.lowest,
        "levels": stats.levels,
        "nodes_by_level": stats.nodes,
    }


def stats_lines(stats: TreeStats, seconds: float, units: Units) -> Iterator[str]:
    """What `tree-stats` prints of one tree."""
    clusters, microseconds = stats.clusters, int(seconds * 1000000)
    average = sum(clusters) // len(clusters) if clusters else 0
    seek = stats.seek_distance // stats.total_seeks if stats.total_seeks else 0
    yield f"\tTotal size: {size_text(stats.total_nodes * stats.nodesize, units)}"
    yield f"\t\tInline data: {size_text(stats.inline, units)}"
    yield f"\tTotal seeks: {stats.total_seeks}"
    yield f"\t\tForward seeks: {stats.forward}"
    yield f"\t\tBackward seeks: {stats.backward}"
    yield f"\t\tAvg seek len: {size_text(seek, units)}"
    yield from _histogram(stats)
    yield f"\tTotal clusters: {len(clusters) or 1}"
    yield f"\t\tAvg cluster size: {size_text(average, units)}"
    yield f"\t\tMin cluster size: {size_text(min(clusters, default=0), units)}"
    yield f"\t\tMax cluster size: {size_text(max(clusters, default=stats.nodesize), units)}"
    yield f"\tTotal disk spread: {size_text(stats.highest - stats.lowest, units)}"
    yield f"\tTotal read time: {microseconds // 1000000} s {microseconds % 1000000} us"
    yield f"\tLevels: {stats.levels}"
    yield f"\tTotal nodes: {stats.total_nodes}"
    for level, count in enumerate(stats.nodes):
        fanout = f"  (avg fanout {stats.nodes[level - 1] // max(1, count)})" if level else ""
        yield f"\t\tOn level {level}: {count:8}{fanout}"


def _histogram(stats: TreeStats) -> Iterator[str]:
    """Distances and how often they occur, a tick for each twentieth; rare ones that follow each other as one line."""
    if stats.total_seeks < _TICKS:
        return
    tick, digits = stats.total_seeks // _TICKS, len(str(max(stats.seeks)))
    group: list[int] = []
    grouped = 0

    def line(first: int, last: int, times: int) -> str:
        marks = "#" * (times // tick) or "|"
        return f"\t\t{first:{digits}} - {last:{digits}}: {times:{digits}} {marks}"

    yield "\tSeek histogram"
    for distance, times in sorted(stats.seeks.items()):
        rare = times // tick <= 2
        if rare and grouped // tick <= 2:
            group, grouped = [*group[:1], distance], grouped + times
            continue
        if group:
            yield line(group[0], group[-1], grouped)
            group, grouped = [], 0
        if not rare:
            yield line(distance, distance, times)
    if group:
        yield line(group[0], group[-1], grouped)
