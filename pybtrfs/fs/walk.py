"""Walking: everything below a place, subvolumes included, each directory before what is in it.

A walk of a lying image ends: a directory is entered once, wherever else it hangs. Damage is told, and costs only
what it hides.
"""

import stat
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import NamedTuple

from pybtrfs.errors import CorruptError
from pybtrfs.fs.directory import Entry, entries
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.inode import Place, get_inode
from pybtrfs.ondisk.inode import InodeItem

Damage = Callable[[bytes, CorruptError], None]
"""Takes the path of what is lost, or of the directory in which something is, and why."""
LONGEST_PATH = 1 << 20


class Found(NamedTuple):
    """What a walk meets: its path from the start (empty for the start itself), how deep that is, and the inode."""

    path: bytes
    depth: int
    place: Place
    inode: InodeItem
    is_subvolume: bool
    is_last: bool = False  # of its directory; known in an ordered walk only

    @property
    def name(self) -> bytes:
        return self.path.rpartition(b"/")[2]

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.inode.mode)


def walk(
    filesystem: Filesystem,
    start: Place,
    damage: Damage | None = None,
    *,
    ordered: bool = False,
    deepest: int | None = None,
    cross: bool = True,
    keep: Callable[[bytes, Entry], bool] | None = None,
) -> Generator[Found, bool | None, None]:
    """`start` and all below it. Where there is `damage`, it is told of what is lost; else that raises `CorruptError`.

    `ordered`: by name, not in the order of the directory. `deepest`: how many directories deep the walk goes.
    `cross`: whether subvolumes below are entered. `keep`: which entries are looked at at all, by the
    path of the directory and the entry. Send True to the iterator to have a directory left out.
    """
    told = _raise if damage is None else damage
    found = _look(filesystem, b"", 0, Entry(b"", start, 0, False), told)
    if found is None:
        return
    entered = set[Place]()
    stack = [iter((found,))]
    while stack:
        found = next(stack[-1], None)
        if found is None:
            stack.pop()
            continue
        leave_out = yield found
        if not found.is_directory or leave_out or (deepest is not None and found.depth >= deepest):
            continue
        if found.is_subvolume and not cross:
            continue
        if found.place in entered:
            told(found.path, CorruptError(f"{found.place}: the directory hangs in two places; it is entered once"))
            continue
        if not found.place.is_left_over:
            entered.add(found.place)
        below = _inside(filesystem, found, told, keep, tolerant=damage is not None, ordered=ordered)
        stack.append(_marked(below) if ordered else below)


def _inside(
    filesystem: Filesystem,
    directory: Found,
    told: Damage,
    keep: Callable[[bytes, Entry], bool] | None,
    *,
    tolerant: bool,
    ordered: bool,
) -> Iterator[Found]:
    prefix = directory.path + b"/" if directory.path else b""
    found = entries(filesystem, directory.place, (lambda error: told(directory.path, error)) if tolerant else None)
    if keep is not None:
        found = filter(partial(keep, directory.path), found)
    for entry in sorted(found) if ordered else found:
        path = prefix + entry.name
        if len(path) > LONGEST_PATH:
            told(directory.path, CorruptError(f"{directory.place}: a path of over {LONGEST_PATH} bytes"))
            return
        below = _look(filesystem, path, directory.depth + 1, entry, told)
        if below is not None:
            yield below


def _marked(siblings: Iterator[Found]) -> Iterator[Found]:
    """The last of them says that it is."""
    held = None
    for sibling in siblings:
        if held is not None:
            yield held
        held = sibling
    if held is not None:
        yield held._replace(is_last=True)


def _look(filesystem: Filesystem, path: bytes, depth: int, entry: Entry, told: Damage) -> Found | None:
    try:
        return Found(path, depth, entry.place, get_inode(filesystem, entry.place), entry.is_subvolume)
    except CorruptError as error:
        told(path, error)
        return None


def _raise(path: bytes, error: CorruptError) -> None:
    shown = path.decode(errors="surrogateescape")
    raise type(error)(f"/{shown}: {error}") from None
