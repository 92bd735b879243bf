"""What the first walk keeps of the trees that are not shared: extents, checksums, block groups, free space, devices."""

from typing import Any, NamedTuple

import numpy as np

from pybtrfs.check.columns import U64, Array
from pybtrfs.check.context import Extents
from pybtrfs.check.tables import Tables
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import BLOCK_GROUP_ITEM, DEV_EXTENT
from pybtrfs.ondisk.free_space import FREE_SPACE_INFO


class Groups(NamedTuple):
    """The block group items."""

    bytenr: Array
    length: Array
    used: Array
    chunk_objectid: Array
    flags: Array


class SpaceInfos(NamedTuple):
    """The FREE_SPACE_INFO items."""

    bytenr: Array
    length: Array
    extent_count: Array
    flags: Array


class Free(NamedTuple):
    """Free ranges that the free-space tree states; `bitmap`: in bits, so that neighbours may belong together."""

    start: Array
    length: Array
    bitmap: Array


class DeviceExtents(NamedTuple):
    """The DEV_EXTENT items."""

    devid: Array
    physical: Array
    length: Array
    chunk_offset: Array
    chunk_tree: Array
    chunk_objectid: Array


class Csums(NamedTuple):
    """The EXTENT_CSUM items: where each begins, and the bytes of checksums in it."""

    start: Array
    size: Array
    leaf: Array


class Collected(NamedTuple):
    """Columns, each in the order of its addresses."""

    extents: Extents
    csums: Csums
    groups: Groups
    infos: SpaceInfos
    free: Free
    device_extents: DeviceExtents

    def csum_ranges(self, csum_size: int, sectorsize: int) -> tuple[Array, Array]:
        """Starts and ends of the ranges that have checksums; of items that overlap, the later begins where it may."""
        start, end = self.csums.start, self.csums.start + self.csums.size // U64(csum_size) * U64(sectorsize)
        if len(start):
            reached = np.maximum.accumulate(end)
            start = np.maximum(start, np.concatenate([start[:1], reached[:-1]]))
            end = np.maximum(reached, start)
        return start, end


class Collector:
    """Takes leaves as they come, in any order."""

    def __init__(self, sectorsize: int) -> None:
        self._sectorsize = sectorsize
        self._parts: dict[type[tuple[Array, ...]], list[Array]] = {kind: [] for kind in _KINDS}

    def take(self, t: Tables) -> None:
        """Keep what some leaves say."""
        e = t.extent_item
        self._keep(Extents, e.bytenr, e.length, e.refs, e.generation, e.flags, e.level)
        b = t.batch
        rows = np.flatnonzero((b.type == c.EXTENT_CSUM_KEY) & (b.objectid == U64(c.EXTENT_CSUM_OBJECTID)))
        self._keep(Csums, b.offset[rows], b.size[rows].astype(U64), b.bytenr[b.block[rows]])
        for kind, item_type, layout, fields in (
            (Groups, c.BLOCK_GROUP_ITEM_KEY, BLOCK_GROUP_ITEM, ("used", "chunk_objectid", "flags")),
            (SpaceInfos, c.FREE_SPACE_INFO_KEY, FREE_SPACE_INFO, ("extent_count", "flags")),
        ):
            found = b.items(item_type, layout)
            self._keep(kind, found.key_objectid, found.key_offset, *(getattr(found, name) for name in fields))
        d = b.items(c.DEV_EXTENT_KEY, DEV_EXTENT)
        self._keep(
            DeviceExtents, d.key_objectid, d.key_offset, d.length, d.chunk_offset, d.chunk_tree, d.chunk_objectid
        )
        f = b.items(c.FREE_SPACE_EXTENT_KEY)
        self._keep(Free, f.key_objectid, f.key_offset, np.zeros(len(f), U64))
        self._bitmaps(t)

    def done(self) -> Collected:
        """All of it, sorted."""
        columns: list[Any] = [kind(*_sorted(self._parts[kind], len(_KINDS[kind]))) for kind in _KINDS]
        return Collected(*columns)

    def _bitmaps(self, t: Tables) -> None:
        found = t.batch.items(c.FREE_SPACE_BITMAP_KEY)
        for start, at, size in zip(
            found.key_objectid.tolist(), found.at.tolist(), found.item_size.tolist(), strict=True
        ):
            bits = np.unpackbits(t.batch.buffer[at : at + size], bitorder="little").astype(np.int8)
            edges = np.flatnonzero(np.diff(np.concatenate([[0], bits, [0]]))).astype(U64)
            begin, end = edges[::2], edges[1::2]
            sector = U64(self._sectorsize)
            self._keep(Free, U64(start) + begin * sector, (end - begin) * sector, np.ones(len(begin), U64))

    def _keep(self, kind: type[tuple[Array, ...]], *columns: Array) -> None:
        if len(columns[0]):
            self._parts[kind].append(np.stack(columns))


_KINDS: dict[type[tuple[Array, ...]], tuple[str, ...]] = {
    kind: kind._fields for kind in (Extents, Csums, Groups, SpaceInfos, Free, DeviceExtents)
}


def _sorted(parts: list[Array], columns: int) -> Array:
    if not parts:
        return np.zeros((columns, 0), U64)
    whole = np.concatenate(parts, axis=1)
    found: Array = whole[:, np.lexsort((whole[1], whole[0]))]
    return found
