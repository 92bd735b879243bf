"""Paths as the API takes and gives them, and the entries of directories.

A path is `bytes`, or `str` with bytes that are not UTF-8 as surrogate escapes; what comes back is of the same kind.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, AnyStr, Generic

from pybtrfs.api.facts import Stat, stat_of
from pybtrfs.fs.inode import Place
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.inode import InodeItem

if TYPE_CHECKING:
    from pybtrfs.api.view import SubvolumeView

TextPath = str | os.PathLike[str]
AnyPath = TextPath | bytes


class Entry(Generic[AnyStr]):
    """A name in a directory, much as an `os.DirEntry`. `path` begins with the path that was asked for."""

    __slots__ = ("_inode", "_place", "_type", "_view", "is_subvolume", "name", "path")

    def __init__(
        self,
        view: "SubvolumeView",
        name: AnyStr,
        path: AnyStr,
        place: Place,
        type_: int,
        is_subvolume: bool,
        inode: InodeItem | None = None,
    ) -> None:
        self.name: AnyStr = name
        self.path: AnyStr = path
        self.is_subvolume = is_subvolume
        self._view, self._place, self._type, self._inode = view, place, type_, inode

    @property
    def ino(self) -> int:
        """The number of its inode, which counts within its subvolume."""
        return self._place.ino

    @property
    def subvolume_id(self) -> int:
        return self._place.subvolume_id

    def is_symlink(self) -> bool:
        return self._type == c.FT_SYMLINK

    def is_dir(self, *, follow: bool = True) -> bool:
        """Whether it is a directory, or with `follow` a symbolic link to one."""
        return self._view.is_dir(self.path) if follow and self.is_symlink() else self._type == c.FT_DIR

    def is_file(self, *, follow: bool = True) -> bool:
        """Whether it is a regular file, or with `follow` a symbolic link to one."""
        return self._view.is_file(self.path) if follow and self.is_symlink() else self._type == c.FT_REG_FILE

    def stat(self, *, follow: bool = True) -> Stat:
        """The inode: with `follow`, of what a symbolic link leads to."""
        if follow and self.is_symlink():
            return self._view.stat(self.path)
        return self._view.stat_place(self._place) if self._inode is None else stat_of(self._place, self._inode)

    def __repr__(self) -> str:
        return f"<Entry {self.path!r}>"


def path_bytes(path: AnyPath) -> bytes:
    """A path as it stands in the image."""
    path = os.fspath(path)
    return path.encode(errors="surrogateescape") if isinstance(path, str) else path


def path_text(path: bytes) -> str:
    """A path as `str`, from which `path_bytes` makes the same again."""
    return path.decode(errors="surrogateescape")


def answer_in(path: AnyPath) -> Callable[[bytes], Any]:
    """What turns names into the kind, `str` or `bytes`, that `path` is."""
    return bytes if isinstance(os.fspath(path), bytes) else path_text


def joined(directory: bytes, name: bytes) -> bytes:
    """The path of a name in a directory."""
    return directory + name if not directory or directory.endswith(b"/") else directory + b"/" + name
