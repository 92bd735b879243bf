"""What the first walk keeps of the trees that are not shared: extents, checksums, block groups, free space."""

from typing import NamedTuple

import numpy as np

from pybtrfs.check.columns import U64, Array
from pybtrfs.check.context import Extents
from pybtrfs.check.tables import Tables
from pybtrfs.ondisk import constants as c


class Collected(NamedTuple):
    """Columns, each in the order of its addresses."""

    extents: Extents
    csum_at: Array  # address of the first sector of each EXTENT_CSUM item
    csum_size: Array  # bytes of checksums in it

    def csum_ranges(self, csum_size: int, sectorsize: int) -> tuple[Array, Array]:
        """Starts and ends of the ranges that have checksums."""
        return self.csum_at, self.csum_at + self.csum_size // U64(csum_size) * U64(sectorsize)


class Collector:
    """Takes leaves as they come, in any order."""

    def __init__(self) -> None:
        self._extents: list[Array] = []
        self._csums: list[Array] = []

    def take(self, t: Tables) -> None:
        """Keep what some leaves say."""
        e = t.extent_item
        if len(e):
            self._extents.append(np.stack([e.bytenr, e.length, e.refs, e.generation, e.flags, e.level]))
        rows = np.flatnonzero((t.batch.type == c.EXTENT_CSUM_KEY) & (t.batch.objectid == U64(c.EXTENT_CSUM_OBJECTID)))
        if len(rows):
            self._csums.append(np.stack([t.batch.offset[rows], t.batch.size[rows].astype(U64)]))

    def done(self) -> Collected:
        """All of it, sorted."""
        return Collected(Extents(*_sorted(self._extents, len(Extents._fields))), *_sorted(self._csums, 2))


def _sorted(parts: list[Array], columns: int) -> Array:
    if not parts:
        return np.zeros((columns, 0), U64)
    whole = np.concatenate(parts, axis=1)
    found: Array = whole[:, np.argsort(whole[0], kind="stable")]
    return found
