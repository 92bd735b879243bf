"""How much space files take, directory by directory; and how much is theirs alone.

Rows come as coreutils' du prints them: a directory after what is in it, an inode with several names once.
"""

import stat
from array import array
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import NamedTuple

from pybtrfs.fs.exclusive import OUTSIDE, Freed, Inodes, Share, exclusive
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.inode import Place
from pybtrfs.fs.subvolume import Subvolumes
from pybtrfs.fs.walk import Damage, Found, walk
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.inode import InodeItem

Measure = Callable[[InodeItem], int]
Name = tuple[Place, bytes]
"""A directory, and a name in it."""
_Columns = tuple["array[int]", "array[int]", "array[int]"]


class Row(NamedTuple):
    """A line of du: a path from the start (empty for the start itself), and its bytes."""

    path: bytes
    size: int
    freed: Freed | None = None  # where that was asked for: what `size` is made of


class Scope(NamedTuple):
    """Which rows are wanted, and how far the walk goes."""

    deepest: int | None = None  # directories below the start that have rows of their own; None for all
    files: bool = False  # rows for files, too
    cross: bool = True  # into subvolumes below

    def shows(self, found: Found) -> bool:
        """Whether what was found has a row of its own; the start always has."""
        wanted = found.is_directory or self.files
        return not found.depth or (wanted and (self.deepest is None or found.depth <= self.deepest))


def allocated(sectorsize: int) -> Measure:
    """Bytes as st_blocks counts them on a mount: whole sectors."""
    return lambda inode: -(-inode.nbytes // sectorsize) * sectorsize


def apparent(inode: InodeItem) -> int:
    """The size of a file or of a symbolic link's target; other kinds have none."""
    return inode.size if stat.S_ISREG(inode.mode) or stat.S_ISLNK(inode.mode) else 0


def usage(
    filesystem: Filesystem, start: Place, scope: Scope, measure: Measure, damage: Damage, met: set[Place] | None
) -> Iterator[Row]:
    """The rows of `start`; the last one is its own. `met` has the inodes that were counted, None counts each name."""
    way: list[tuple[Found, list[int]]] = []  # the directories that the walk is in, each with its sum

    def leave() -> Iterator[Row]:
        found, (total,) = way.pop()
        if way:
            way[-1][1][0] += total
        if scope.shows(found):
            yield Row(found.path, total)

    steps = _walk(filesystem, start, scope, damage)
    found = next(steps, None)
    while found is not None:
        while way and found.depth <= way[-1][0].depth:
            yield from leave()
        counted = met is not None and found.place in met
        if not counted:
            if met is not None and (found.is_directory or found.inode.nlink > 1) and not found.place.is_left_over:
                met.add(found.place)
            way.append((found, [measure(found.inode)]))
            if not found.is_directory:
                yield from leave()
        found = steps.send(counted)
    while way:
        yield from leave()


def _walk(
    filesystem: Filesystem, start: Place, scope: Scope, damage: Damage
) -> Generator[Found | None, bool | None, None]:
    """All that counts at and below `start`, then None. True is sent back for a directory that is to be left out."""
    steps = walk(filesystem, start, damage, cross=scope.cross)
    leave_out: bool | None = None
    with suppress(StopIteration):
        while True:
            found = steps.send(leave_out)
            other = found.is_subvolume and found.depth and not scope.cross
            leave_out = None if other else (yield found)
    yield None


class Selection:
    """What is to be deleted together, as walks meet it; a node for each row that is wanted."""

    def __init__(self, filesystem: Filesystem, scope: Scope) -> None:
        self._filesystem, self._scope = filesystem, scope
        self._parents: list[int] = [0]
        self._shown: list[bytes] = [b""]  # path, by node
        self._whole: dict[int, int] = {}  # subvolumes, and with which node they go
        self._files: dict[int, _Columns] = {}  # by subvolume
        self._linked: dict[Place, _Linked] = {}

    def add(self, start: Place, name: Name, damage: Damage) -> None:
        """Everything at and below `start`, whose `name` counts where it is a file, with the node of all of it."""
        way: list[tuple[Found, int]] = []
        steps = _walk(self._filesystem, start, self._scope, damage)
        found = next(steps, None)
        while found is not None:
            while way and found.depth <= way[-1][0].depth:
                way.pop()
            above = way[-1][1] if way else 0
            node = self._node(found, above) if found.depth else 0
            whole = found.place.ino == c.FIRST_FREE_OBJECTID
            hidden = whole and self._scope.deepest is not None and found.depth >= self._scope.deepest
            if whole:
                self._add_subvolume(found.place.subvolume_id, node, alone=not hidden)
            if found.is_directory and not hidden:
                way.append((found, node))
            elif stat.S_ISREG(found.inode.mode):
                self._add_file(found, (way[-1][0].place, found.name) if way else name, node)
            found = steps.send(hidden)

    def _add_subvolume(self, subvolume_id: int, node: int, *, alone: bool) -> None:
        """A subvolume, and unless `alone` those below it, with all that is inside."""
        self._whole[subvolume_id] = node
        if not alone and self._scope.cross:
            below = Subvolumes(self._filesystem).below(subvolume_id)
            self._whole |= dict.fromkeys(below, node)

    def rows(self, complain: Callable[[str], None]) -> Iterator[Row]:
        """A row for each node, a directory's after those below it, with what goes if that is deleted."""
        freed = exclusive(self._filesystem, self._shares(), self._parents, complain)
        way: list[int] = []
        for node, parent in enumerate(self._parents):
            while way and way[-1] != parent:
                yield self._row(way.pop(), freed)
            way.append(node)
        while way:
            yield self._row(way.pop(), freed)

    def _row(self, node: int, freed: list[Freed]) -> Row:
        return Row(self._shown[node], sum(freed[node]), freed[node])

    def _node(self, found: Found, above: int) -> int:
        if not self._scope.shows(found):
            return above
        self._parents.append(above)
        self._shown.append(found.path)
        return len(self._parents) - 1

    def _add_file(self, found: Found, name: Name, node: int) -> None:
        if found.inode.nlink <= 1:
            self._add_inode(found.place, node, node)
            return
        linked = self._linked.setdefault(found.place, _Linked(found.inode.nlink, node, node))
        linked.names.add(name)
        linked.low, linked.high = min(linked.low, node), max(linked.high, node)

    def _add_inode(self, place: Place, *row: int) -> None:
        columns = self._files.setdefault(place.subvolume_id, (array("Q"), array("q"), array("q")))
        for column, value in zip(columns, (place.ino, *row), strict=True):
            column.append(value)

    def _shares(self) -> dict[int, Share]:
        for place, linked in self._linked.items():
            if len(linked.names) >= linked.nlink:  # with a name elsewhere it stays
                self._add_inode(place, linked.low, linked.high)
        shares = {number: Share(node) for number, node in self._whole.items()}
        for number, columns in self._files.items():
            shares[number] = Share(self._whole.get(number, OUTSIDE), _inodes(columns))
        return shares


class _Linked:
    """A file with several names: those that were met, and their lowest and highest node."""

    def __init__(self, nlink: int, low: int, high: int) -> None:
        self.nlink, self.low, self.high = nlink, low, high
        self.names: set[Name] = set()


def _inodes(columns: _Columns) -> Inodes:
    import numpy as np  # noqa: PLC0415  start-up

    ino, low, high = (np.array(column) for column in columns)
    order = ino.argsort(kind="stable")
    return Inodes(ino[order], low[order], high[order])
