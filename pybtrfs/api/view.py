"""The files of a subvolume and of those below it, by their paths, named as in Python's `os` and `io`."""

import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, TypeVar, overload
from uuid import UUID

from pybtrfs.api.entry import AnyPath, Entry, TextPath, answer_in, joined, path_bytes, path_text
from pybtrfs.api.facts import ExtentInfo, Stat, SubvolumeInfo, extent_info, stat_of, subvolume_info
from pybtrfs.api.file import ImageFile
from pybtrfs.api.turn import Turn
from pybtrfs.errors import CorruptError, IsDirectoryError, NotDirectoryError, NotFoundError, UnsupportedError
from pybtrfs.fs.directory import entries
from pybtrfs.fs.file import File, read_symlink
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.inode import FILE_TYPES, Place, get_inode
from pybtrfs.fs.path import resolve
from pybtrfs.fs.subvolume import Subvolumes
from pybtrfs.fs.walk import walk
from pybtrfs.fs.xattr import xattrs
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.inode import InodeItem

T = TypeVar("T")
OnError = Callable[[CorruptError], None]
BUFFER_BYTES = 128 * 1024  # a compressed extent inflates to no more


class Opened(NamedTuple):
    """What the views of an image share."""

    filesystem: Filesystem
    subvolumes: Subvolumes
    turn: Turn
    verify: bool


class SubvolumeView:
    """A subvolume as a tree of files; subvolumes below it are crossed like directories.

    Paths begin at its top directory, with or without a slash in front; symbolic links are followed inside it, and
    `..` leads no higher. A path that does not exist is `NotFoundError`, which is a `FileNotFoundError`; damage is
    `CorruptError`. It may be used from several threads: their reads are correct, and take turns.
    """

    def __init__(self, opened: Opened, start: Place, keep: object = None) -> None:
        """`keep` is what must live as long as the view."""
        self._opened, self._start, self._keep = opened, start, keep
        self._filesystem, self._turn = opened.filesystem, opened.turn

    # -- the subvolume itself --

    @property
    def id(self) -> int:
        return self._start.subvolume_id

    @property
    def info(self) -> SubvolumeInfo:
        with self._turn:
            return subvolume_info(self._opened.subvolumes, self._opened.subvolumes.get(self.id))

    @property
    def uuid(self) -> UUID:
        return self.info.uuid

    @property
    def read_only(self) -> bool:
        return self.info.read_only

    @property
    def path(self) -> str | None:
        """From the top level; None for a deleted subvolume."""
        return self.info.path

    def subvolume(self, path_or_id: AnyPath | int) -> "SubvolumeView":
        """The subvolume at a path, or with an id anywhere in the image; `NotFoundError` where there is none."""
        with self._turn:
            if isinstance(path_or_id, int):
                place = Place(self._opened.subvolumes.get(path_or_id).id, c.FIRST_FREE_OBJECTID)
            else:
                place = self._find(path_or_id)
                if place.ino != c.FIRST_FREE_OBJECTID:
                    raise NotFoundError(f"{_shown(path_or_id)}: is not a subvolume")
        return SubvolumeView(self._opened, place, self)

    def subvolumes(self) -> list[SubvolumeInfo]:
        """All subvolumes of the image in the order of their ids, the top level first."""
        with self._turn:
            return [subvolume_info(self._opened.subvolumes, found) for found in self._opened.subvolumes]

    # -- one path --

    def stat(self, path: AnyPath, follow: bool = True) -> Stat:
        """The inode at a path; without `follow`, a symbolic link itself."""
        with self._turn:
            return self.stat_place(self._find(path, follow=follow))

    def stat_place(self, place: Place) -> Stat:
        """An inode by the subvolume's id and its number."""
        with self._turn:
            return stat_of(place, get_inode(self._filesystem, place))

    def exists(self, path: AnyPath, follow: bool = True) -> bool:
        return self._mode(path, follow=follow) != 0

    def is_dir(self, path: AnyPath, follow: bool = True) -> bool:
        return stat.S_ISDIR(self._mode(path, follow=follow))

    def is_file(self, path: AnyPath, follow: bool = True) -> bool:
        return stat.S_ISREG(self._mode(path, follow=follow))

    def is_symlink(self, path: AnyPath) -> bool:
        return stat.S_ISLNK(self._mode(path, follow=False))

    @overload
    def readlink(self, path: TextPath) -> str: ...
    @overload
    def readlink(self, path: bytes) -> bytes: ...
    def readlink(self, path: AnyPath) -> str | bytes:
        """The target of a symbolic link; `OSError` (EINVAL) where it is none."""
        with self._turn:
            place = self._find(path, follow=False)
            if not stat.S_ISLNK(get_inode(self._filesystem, place).mode):
                raise NotALinkError(f"{_shown(path)}: is not a symbolic link")
            target: str | bytes = answer_in(path)(read_symlink(self._filesystem, place))
        return target

    def xattrs(self, path: AnyPath, follow: bool = True) -> dict[str, bytes]:
        """The extended attributes; names as of `os.listxattr`."""
        with self._turn:
            return {path_text(name): value for name, value in xattrs(self._filesystem, self._find(path, follow=follow))}

    def extents(self, path: AnyPath) -> list[ExtentInfo]:
        """What a regular file consists of, in order and without gaps."""
        with self._turn:
            return [extent_info(segment) for segment in self._file(path).segments()]

    # -- a file's bytes --

    @overload
    def open(self, path: AnyPath, *, buffering: Literal[0]) -> ImageFile: ...  # type: ignore[overload-overlap]
    @overload
    def open(self, path: AnyPath, *, buffering: int = ...) -> io.BufferedReader: ...
    def open(self, path: AnyPath, *, buffering: int = -1) -> ImageFile | io.BufferedReader:
        """A regular file for reading, seekable, as `open(path, "rb")`; `buffering=0` gives the `ImageFile` itself."""
        with self._turn:
            found = ImageFile(self._file(path), os.fspath(path), self._turn, self)
        if buffering == 0:
            return found
        return io.BufferedReader(found, BUFFER_BYTES if buffering < 0 else buffering)

    def read_bytes(self, path: AnyPath, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a regular file: up to `length` from `offset` on, by default all."""
        with self._turn:
            file = self._file(path)
            try:
                return file.read(offset, length)
            except CorruptError as error:
                raise _named(path_bytes(path), error) from None

    # -- directories --

    @overload
    def listdir(self, path: TextPath = ...) -> list[str]: ...
    @overload
    def listdir(self, path: bytes) -> list[bytes]: ...
    def listdir(self, path: AnyPath = "/") -> list[Any]:
        """The names in a directory, in its own order."""
        say = answer_in(path)
        with self._turn:
            return [say(entry.name) for entry in entries(self._filesystem, self._directory(path))]

    @overload
    def scandir(self, path: TextPath = ...) -> Iterator[Entry[str]]: ...
    @overload
    def scandir(self, path: bytes) -> Iterator[Entry[bytes]]: ...
    def scandir(self, path: AnyPath = "/") -> Iterator[Any]:
        """The entries of a directory, in its own order."""
        say, prefix = answer_in(path), path_bytes(path)
        with self._turn:
            found = entries(self._filesystem, self._directory(path))
        for entry in _steps(self._turn, found):
            path = say(joined(prefix, entry.name))
            yield Entry(self, say(entry.name), path, entry.place, entry.type, entry.is_subvolume)

    @overload
    def walk(
        self, top: TextPath = ..., onerror: OnError | None = ...
    ) -> Iterator[tuple[str, list[str], list[str]]]: ...
    @overload
    def walk(self, top: bytes, onerror: OnError | None = ...) -> Iterator[tuple[bytes, list[bytes], list[bytes]]]: ...
    def walk(self, top: AnyPath = "/", onerror: OnError | None = None) -> Iterator[tuple[Any, list[Any], list[Any]]]:
        """Each directory from `top` on, with the names of the directories and of the others in it, as `os.walk`.

        The list of directories may be changed on the way. Symbolic links are among the others. Damage is raised, or
        told to `onerror`, and then costs only what it hides.
        """
        say, entered = answer_in(top), set[Place]()
        with self._turn:
            stack = [(path_bytes(top), self._directory(top))]
        while stack:
            path, place = stack.pop()
            if place in entered:
                _tell(path, CorruptError(f"{place}: the directory hangs in two places; it is entered once"), onerror)
                continue
            if not place.is_left_over:
                entered.add(place)
            found = self._entries_of(path, place, onerror)
            below = {say(name): place for name, place, is_directory in found if is_directory}
            directories = list(below)
            yield say(path), directories, [say(name) for name, _, is_directory in found if not is_directory]
            known = [(name, below[name]) for name in reversed(directories) if name in below]
            stack += [(joined(path, path_bytes(name)), place) for name, place in known]

    @overload
    def scantree(self, top: TextPath = ..., onerror: OnError | None = ...) -> Iterator[Entry[str]]: ...
    @overload
    def scantree(self, top: bytes, onerror: OnError | None = ...) -> Iterator[Entry[bytes]]: ...
    def scantree(self, top: AnyPath = "/", onerror: OnError | None = None) -> Iterator[Any]:
        """All that is below `top`, each directory before what is in it; `stat` of an entry costs nothing more.

        Damage is raised, or told to `onerror`, and then costs only what it hides.
        """
        say, prefix = answer_in(top), path_bytes(top)
        with self._turn:
            start = self._directory(top)
        found = walk(self._filesystem, start, lambda path, error: _tell(joined(prefix, path), error, onerror))
        for each in _steps(self._turn, found):
            if each.depth:
                path, type_ = say(joined(prefix, each.path)), FILE_TYPES[stat.S_IFMT(each.inode.mode)]
                yield Entry(self, say(each.name), path, each.place, type_, each.is_subvolume, each.inode)

    # -- beneath --

    def _entries_of(self, path: bytes, place: Place, onerror: OnError | None) -> list[tuple[bytes, Place, bool]]:
        def trouble(error: CorruptError) -> None:
            _tell(path, error, onerror)

        with self._turn:
            found = entries(self._filesystem, place, trouble)
            return [(entry.name, entry.place, entry.type == c.FT_DIR) for entry in found]

    def _find(self, path: AnyPath, *, follow: bool = True) -> Place:
        return resolve(self._filesystem, path_bytes(path), self._start, follow=follow)

    def _mode(self, path: AnyPath, *, follow: bool) -> int:
        """The mode of what is at a path, 0 where there is nothing."""
        try:
            return self.stat(path, follow).mode
        except NotFoundError:
            return 0

    def _directory(self, path: AnyPath) -> Place:
        place = self._find(path)
        if not stat.S_ISDIR(get_inode(self._filesystem, place).mode):
            raise NotDirectoryError(f"{_shown(path)}: not a directory")
        return place

    def _file(self, path: AnyPath) -> File:
        place = self._find(path)
        inode = get_inode(self._filesystem, place)
        _refuse_others(path, inode)
        if inode.size > c.S64_MAX:
            raise CorruptError(f"{_shown(path)}: {place}: size is {inode.size}, expected at most {c.S64_MAX}")
        return File(self._filesystem, place, inode, verify=self._opened.verify)


class NotALinkError(UnsupportedError, OSError):
    """Something else where a symbolic link is wanted."""

    errno = errno.EINVAL


def _refuse_others(path: AnyPath, inode: InodeItem) -> None:
    if stat.S_ISDIR(inode.mode):
        raise IsDirectoryError(f"{_shown(path)}: is a directory")
    if not stat.S_ISREG(inode.mode):
        raise UnsupportedError(f"{_shown(path)}: is not a regular file")


def _steps(turn: Turn, iterator: Iterator[T]) -> Iterator[T]:
    """The same, each step in its turn."""
    while True:
        with turn:
            found = next(iterator, None)
        if found is None:
            return
        yield found


def _tell(path: bytes, error: CorruptError, onerror: OnError | None) -> None:
    if onerror is None:
        raise _named(path, error) from None
    onerror(_named(path, error))


def _named(path: bytes, error: CorruptError) -> CorruptError:
    return type(error)(f"{path_text(path)}: {error}")


def _shown(path: AnyPath) -> str:
    return path_text(path_bytes(path))
