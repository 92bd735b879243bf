"""What a whole run of the check knows: sizes, features, and what the first trees tell of extents and checksums."""

from typing import NamedTuple

import numpy as np

from pybtrfs.check.columns import U64, Array
from pybtrfs.check.ledger import Multipliers


class Ranges:
    """A sorted set of disjoint ranges of addresses, for asking how much of others it covers."""

    def __init__(self, start: Array, end: Array) -> None:
        """`start` must rise; ranges that touch stay apart."""
        self.start, self.end = start, end
        self._before = np.concatenate([np.zeros(1, U64), (end - start).cumsum(dtype=U64)])

    @property
    def total(self) -> int:
        """How many bytes the set has."""
        return int(self._before[-1])

    def covered(self, start: Array, end: Array) -> Array:
        """How many bytes of each range [start, end) lie in the set."""
        return self._up_to(end) - self._up_to(start)

    def _up_to(self, at: Array) -> Array:
        if not len(self.start):
            return np.zeros(len(at), U64)
        index = np.searchsorted(self.start, at, side="right")
        last = np.maximum(index - 1, 0)
        beyond = np.where(at < self.end[last], self.end[last] - at, U64(0))
        total: Array = self._before[index] - np.where(index > 0, beyond, U64(0))
        return total


class Extents(NamedTuple):
    """The extent items, in the order of their addresses: a row each."""

    bytenr: Array
    length: Array
    refs: Array
    generation: Array
    flags: Array
    level: Array  # of tree blocks


class About(NamedTuple):
    """What rules may ask for beside the tables."""

    multipliers: Multipliers
    sectorsize: int
    nodesize: int
    csum_size: int
    generation: int
    no_holes: bool
    extents: Extents
    csums: Ranges
    full_backref: Array  # addresses of tree blocks whose references are by block, rising
