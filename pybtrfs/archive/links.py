"""Which name of an inode was restored first, where it has several: the others become hard links to that.

Whoever meets a name claims the inode: either it has been restored, and under which name is answered, or whoever
claims it is the first, restores it, and says so. Several processes ask one that keeps the book.
"""

from pybtrfs.archive.report import Report
from pybtrfs.fs.inode import Place

MOST_LINKS = 100_000
"""Names that are remembered, each with those of the directories on the way to it."""
TOO_MANY = "hard links that became copies, being too many"

Names = tuple[bytes, ...]
"""The names that lead to a file from the top of the target."""


class Links:
    """The book. Its memory is bounded; what is forgotten becomes a copy and is counted."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._known: dict[Place, Names] = {}
        self._room = MOST_LINKS

    def claim(self, place: Place, names: Names) -> Names | None:
        """The name under which the inode was restored; None for whoever is the first, who must then `settle`."""
        return self._known.get(place)

    def settle(self, place: Place, names: Names | None) -> None:
        """The inode was restored under this name; None: it could not be."""
        if names is None or place in self._known:
            return
        self._room -= len(names)
        if self._room > 0:
            self._known[place] = names
        else:
            self._report.left_out[TOO_MANY] += 1
