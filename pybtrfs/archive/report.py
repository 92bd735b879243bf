"""What became of a run that copies files out: counts, what was left out and why, and what went wrong where.

A problem costs its file or directory only. However many there are, memory is bounded: the first are kept, the
others counted.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

MOST_KEPT = 10_000
_MOST_RANGES = 1000

UNREADABLE = "could not be read"
BAD_DATA = "bad data, zeros stand in their place"
UNWRITTEN = "could not be written"
KINDS = (UNREADABLE, BAD_DATA, UNWRITTEN)


class Problem(NamedTuple):
    """What went wrong with one file or directory. `ranges` are the bytes of a file that are lost: first, end."""

    kind: str
    path: bytes  # from where the run began
    text: str
    ranges: tuple[tuple[int, int], ...] = ()


class Report:
    """The ledger of a run. `advance` hears of bytes and files as they come, for showing progress."""

    def __init__(self, advance: Callable[["Report"], None] = lambda report: None) -> None:
        self.made: Counter[str] = Counter()  # by what it is: files, directories, …
        self.left_out: Counter[str] = Counter()  # by the reason
        self.counts: Counter[str] = Counter()  # problems by kind
        self.problems: list[Problem] = []
        self.bytes = 0  # of content
        self.items = 0
        self.fraction: Callable[[], float | None] = lambda: None  # how much is done, as far as that can be told
        self.advance = advance

    @property
    def is_complete(self) -> bool:
        return not self.counts

    def add(self, problem: Problem) -> None:
        self.counts[problem.kind] += 1
        if len(self.problems) < MOST_KEPT:
            self.problems.append(problem)

    def take(self, other: "Report") -> None:
        """Add what another process has done of the same run; a problem that both have met counts once."""
        self.made.update(other.made)
        self.left_out.update(other.left_out)
        self.counts.update(other.counts)
        self.bytes, self.items = self.bytes + other.bytes, self.items + other.items
        known = set(self.problems)
        for problem in other.problems:
            if problem in known:
                self.counts[problem.kind] -= 1
            elif len(self.problems) < MOST_KEPT:
                self.problems.append(problem)

    def __getstate__(self) -> dict[str, object]:
        """What crosses from one process to another: the counts, not the functions."""
        return {name: value for name, value in vars(self).items() if name not in ("advance", "fraction")}


class BadRanges:
    """The bytes of one file that are lost, as they are met in order."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []
        self._text = ""
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def add(self, first: int, length: int, text: str) -> None:
        """`length` bytes from `first` on; ranges that touch become one."""
        self._text = self._text or text
        if self._ranges and self._ranges[-1][1] == first:
            self._ranges[-1] = self._ranges[-1][0], first + length
        elif len(self._ranges) < _MOST_RANGES:
            self._ranges.append((first, first + length))
        else:
            self._more += 1

    def take(self, other: "BadRanges") -> None:
        """Those of a later part of the file, too."""
        for first, end in other._ranges:
            self.add(first, end - first, other._text)
        self._more += other._more

    def problem(self, path: bytes) -> Problem:
        """All of it as one problem, with what was wrong with the first."""
        more = f"; and {self._more} more ranges" if self._more else ""
        return Problem(BAD_DATA, path, self._text + more, tuple(self._ranges))
