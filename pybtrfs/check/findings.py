"""Findings as data: a stable code, how bad it is, where, and what to say of it.

The texts of a code (what it means, what is at risk, what to do next) stand in `catalogue`; a finding itself
carries only what is particular to it. `Findings` gathers those of a run, a bounded number of each code.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

KEPT_OF_A_CODE = 1000


class Severity(IntEnum):
    """How bad a finding is."""

    NOTE = 0  # odd, allowed, worth knowing; a filesystem with notes alone is sound
    WARNING = 1  # wrong, and harmless as long as nothing else breaks
    ERROR = 2  # wrong: something cannot be read, or the next write may destroy data


class Finding(NamedTuple):
    """One thing that is wrong."""

    code: str
    severity: Severity
    message: str  # with the place, what was expected, what was found
    tree: int | None = None  # id of the tree that it is in
    ino: int | None = None  # the inode concerned, in that tree
    bytenr: int | None = None  # of the block or extent concerned


class Group(NamedTuple):
    """The findings of one code: the first of them, and how many there were."""

    code: str
    severity: Severity
    findings: list[Finding]
    total: int


class Findings:
    """What a run has found, by code; `take` is the report that the engine is handed."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Finding]] = {}
        self._totals: dict[str, int] = {}

    def take(self, finding: Finding) -> None:
        """Keep a finding, or count it where there are many like it; one that is there already does not count."""
        kept = self._kept.setdefault(finding.code, [])
        if len(kept) < KEPT_OF_A_CODE:
            if finding in kept[-8:]:
                return
            kept.append(finding)
        self._totals[finding.code] = self._totals.get(finding.code, 0) + 1

    def groups(self) -> Iterator[Group]:
        """The findings by code, the worst first."""
        rows = [
            Group(code, max(f.severity for f in kept), kept, self._totals[code]) for code, kept in self._kept.items()
        ]
        yield from sorted(rows, key=lambda group: (-group.severity, group.code))

    def count(self, severity: Severity) -> int:
        """How many there are of a severity."""
        return sum(group.total for group in self.groups() if group.severity == severity)
