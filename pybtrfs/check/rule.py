"""How rules are declared: a function, and beside it what a finding of it says.

    @ledger("INO-002", Severity.ERROR, "inode {ino}: nlink is off by {difference} from its names", "ino")
    def link_count(t):
        yield t.inode.nlink, t.inode, (t.inode.ino,)
        yield -1, t.ref, (t.ref.ino,)

    @row_test("NAM-004", Severity.ERROR, "directory {dir}: an entry stands under hash {hash}, its name's is {crc}")
    def entry_hash(t):
        return t.dir_item, t.dir_item.hash != t.dir_item.crc

A ledger balances over a tree; a row test looks at each row by itself. Messages name columns of the table.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from pybtrfs.check.columns import Array, Table
from pybtrfs.check.findings import Finding, Severity
from pybtrfs.check.ledger import Ledger, Post
from pybtrfs.check.tables import Tables

Judged = tuple[Table, Array]
"""Rows, and the mask of those that are wrong."""


class RowTest(NamedTuple):
    """A rule about single rows."""

    code: str
    severity: Severity
    message: str
    judge: Callable[[Tables], Judged]

    def findings(self, tables: Tables) -> Iterator[Finding]:
        """What is wrong in some leaves."""
        table, wrong = self.judge(tables)
        for row in np.flatnonzero(wrong).tolist():
            leaf = int(table.batch.bytenr[table.leaf[row]])
            names = {name: int(getattr(table, name)[row]) for name in _fields(self.message)}
            ino = next((int(getattr(table, name)[row]) for name in ("ino", "dir") if table.has(name)), None)
            place = f"leaf {leaf} slot {int(table.slot[row])}"
            yield Finding(
                self.code, self.severity, f"{place}: {self.message.format(**names)}", int(table.owner[row]), ino, leaf
            )


def _fields(message: str) -> list[str]:
    from string import Formatter  # noqa: PLC0415  only where something is wrong

    return [name for _, name, _, _ in Formatter().parse(message) if name]


def ledger(code: str, severity: Severity, message: str, *account: str) -> Callable[[Post], Ledger]:
    """Make a `Ledger` of a function that posts; `account` names the columns of its accounts for the message."""
    return lambda post: Ledger(code, severity, message, account, post)


def row_test(code: str, severity: Severity, message: str) -> Callable[[Callable[[Tables], Judged]], RowTest]:
    """Make a `RowTest` of a function that judges rows."""
    return lambda judge: RowTest(code, severity, message, judge)


def collected(module_globals: dict[str, Any], kind: type[Any]) -> list[Any]:
    """The rules of one kind that a module declares, in its order."""
    return [value for value in module_globals.values() if isinstance(value, kind)]
