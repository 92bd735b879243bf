"""Findings as data: a stable code, how bad it is, where, and what to say of it.

The texts of a code (what it means, what is at risk, what to do next) stand in `catalogue`; a finding itself
carries only what is particular to it.
"""

from enum import IntEnum
from typing import NamedTuple


class Severity(IntEnum):
    """How bad a finding is."""

    NOTE = 0  # odd, allowed, worth knowing; the exit status stays 0
    WARNING = 1  # wrong, and harmless as long as nothing else breaks
    ERROR = 2  # wrong: something cannot be read, or the next write may destroy data
    FATAL = 3  # the check cannot go on from here


class Finding(NamedTuple):
    """One thing that is wrong."""

    code: str
    severity: Severity
    message: str  # with the place, what was expected, what was found
    tree: int | None = None  # id of the tree that it is in
    ino: int | None = None  # the inode concerned, in that tree
    bytenr: int | None = None  # of the block or extent concerned
