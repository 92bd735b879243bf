"""Double-entry bookkeeping. Items post weights to accounts; in a sound filesystem every account balances to zero.

The fast pass adds `weight * hash(account)` modulo 2^64, with multipliers that are random in each run and hashes
that are odd, so that no single wrong weight vanishes. Sums are linear: those of leaves add up to those of trees,
block by block, however many trees share a block. Where a tree's sum is not zero, the same rule posts again, leaf
by leaf, into a few thousand buckets, and then only what falls into the buckets that do not balance is kept, account by
account (`Detail`).
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from pybtrfs.check.columns import U64, Array, Table
from pybtrfs.check.findings import Severity

Posting = tuple[Any, Table, Sequence[Any]]
"""Weights (an array, or one number for all rows), the rows they are of, and the columns of the account."""
Post = Callable[[Any], Iterable[Posting]]

_WORDS, _BUCKETS = 40, 4096


class Ledger(NamedTuple):
    """A rule: what posts, and what to say of an account that does not balance."""

    code: str
    severity: Severity
    message: str  # with the names of the account's columns, and {difference}
    account: tuple[str, ...]
    post: Post


class Multipliers:
    """The random odd multipliers of one run."""

    def __init__(self, seed: bytes | None = None) -> None:
        raw = os.urandom(_WORDS * 8) if seed is None else seed.ljust(_WORDS * 8, b"\x9e")[: _WORDS * 8]
        self.values: Array = np.frombuffer(raw, U64) | U64(1)

    def hash(self, columns: Sequence[Any], rows: int) -> Array:
        """An odd hash of each row's account."""
        total = np.zeros(rows, U64)
        for number, column in enumerate(columns):
            part = column if isinstance(column, np.ndarray) else U64(column)
            total = (total ^ part) * self.values[number]
            total ^= total >> U64(32)
        total *= self.values[len(columns)]
        total ^= total >> U64(29)
        return total | U64(1)


def weighed(weight: Any, rows: int) -> Array:
    """Weights as u64, one a row; a negative number is its complement."""
    if isinstance(weight, np.ndarray):
        return weight.astype(U64, copy=False)
    return np.full(rows, weight & (1 << 64) - 1, U64)


def leaf_sums(ledger: Ledger, tables: Any, multipliers: Multipliers, leaves: int) -> Array:
    """What each leaf of a batch adds to the rule's sum (u64)."""
    total = np.zeros(leaves, U64)
    for weight, table, account in ledger.post(tables):
        if len(table):
            values = weighed(weight, len(table)) * multipliers.hash(account, len(table))
            sums = np.concatenate([np.zeros(1, U64), values.cumsum(dtype=U64)])[table.bounds]
            total += sums[1:] - sums[:-1]
    return total


class Imbalance(NamedTuple):
    """An account that does not balance: the values of its columns, and by how much it is off."""

    account: tuple[int, ...]
    difference: int


class Detail:
    """The second and third look at one rule: first `bucket` sees all tables, then `collect` sees them again."""

    def __init__(self, ledger: Ledger, multipliers: Multipliers) -> None:
        self._ledger, self._multipliers = ledger, multipliers
        self._buckets = np.zeros(_BUCKETS, U64)
        self._rows: list[tuple[Array, Array]] = []

    def bucket(self, tables: Any) -> None:
        for weights, hashes, _ in self._posted(tables):
            np.add.at(self._buckets, self._number(hashes), weights * hashes)

    def collect(self, tables: Any) -> None:
        bad = self._buckets != 0
        for weights, hashes, account in self._posted(tables):
            kept = bad[self._number(hashes)]
            if kept.any():
                columns = [np.broadcast_to(np.asarray(column, U64), len(hashes))[kept] for column in account]
                self._rows.append((weights[kept], np.array(columns, U64).T))

    def imbalances(self) -> Iterator[Imbalance]:
        """The accounts that do not balance, in the order of their columns."""
        if not self._rows:
            return
        weights = np.concatenate([part for part, _ in self._rows])
        accounts, inverse = np.unique(np.concatenate([part for _, part in self._rows]), axis=0, return_inverse=True)
        sums = np.zeros(len(accounts), U64)
        np.add.at(sums, inverse.reshape(-1), weights)
        for number in np.flatnonzero(sums).tolist():
            off = int(sums[number])
            yield Imbalance(tuple(map(int, accounts[number])), off - (1 << 64) if off >> 63 else off)

    def _posted(self, tables: Any) -> Iterator[tuple[Array, Array, Sequence[Any]]]:
        for weight, table, account in self._ledger.post(tables):
            if len(table):
                yield weighed(weight, len(table)), self._multipliers.hash(account, len(table)), account

    def _number(self, hashes: Array) -> Array:
        return (hashes >> U64(52)).astype(np.int64)
