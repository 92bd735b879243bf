"""Trees of files as tree(1) draws them: a line a file, with strokes that lead to its directory."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

UNICODE = ("├── ", "└── ", "│   ", "    ")
"""The strokes to a file and to the last one, and what stands below each."""
ASCII = ("|-- ", "`-- ", "|   ", "    ")


class Branch(NamedTuple):
    """A file: how deep below the start, which is at 0, and whether it is the last of its directory."""

    depth: int
    text: str
    is_directory: bool
    is_last: bool


class Counts:
    """How many directories and other files were drawn, the starts left out."""

    def __init__(self) -> None:
        self.directories = self.files = 0


def drawn(branches: Iterable[Branch], strokes: tuple[str, str, str, str], counts: Counts) -> Iterator[str]:
    """A line a branch, each directory before what is in it; what is drawn is counted."""
    middle, last, beside, below = strokes
    before: list[str] = []  # what stands in front of a branch at each depth
    for depth, text, is_directory, is_last in branches:
        if not depth:
            yield text
            continue
        del before[depth - 1 :]
        yield "".join(before) + (last if is_last else middle) + text
        before.append(below if is_last else beside)
        counts.directories += is_directory
        counts.files += not is_directory


def summary(counts: Counts, *, directories_only: bool) -> str:
    """The line at the end."""
    directories = f"{counts.directories} director{'y' if counts.directories == 1 else 'ies'}"
    return directories if directories_only else f"{directories}, {counts.files} file{'' if counts.files == 1 else 's'}"
