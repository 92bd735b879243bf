"""An image as an fsspec filesystem, registered as `btrfs` (the extra `fsspec`).

`fsspec.filesystem("btrfs", fo="disk.img")`, or a chain: `btrfs://home/notes::file:///disk.img`,
`btrfs://home/notes::https://host/disk.img`. Paths begin at the image's top level, without a slash in front. In a
listing a symbolic link is of the type `link`; `info`, `open` and what is built on them follow it.
"""

import io
import stat
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NoReturn

import fsspec

from pybtrfs.api.entry import Entry
from pybtrfs.api.facts import Stat
from pybtrfs.api.opening import Source
from pybtrfs.api.opening import open as open_image
from pybtrfs.api.view import BUFFER_BYTES, SubvolumeView
from pybtrfs.errors import CorruptError, ReadOnlyError
from pybtrfs.volume.remote import RemoteDevice

_TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}


class BtrfsFileSystem(fsspec.AbstractFileSystem):
    """The files of a subvolume in an image, read only.

    Errors are those of `pybtrfs`, which are those of Python where it has one: `FileNotFoundError`,
    `NotADirectoryError`, `IsADirectoryError`, `OSError` (EROFS) for what would change the image.
    """

    protocol = "btrfs"
    root_marker = ""
    cachable = False  # two instances would share one image, and the first to close it

    def __init__(
        self,
        fo: Source = "",
        *,
        target_protocol: str | None = None,
        target_options: dict[str, Any] | None = None,
        subvolume: str | int | None = None,
        devices: Iterable[Source] = (),
        offset: int | None = None,
        partition: int | None = None,
        verify: bool = True,
        **options: Any,
    ) -> None:
        """`fo` is what `pybtrfs.open` takes, or a path of the filesystem that `target_protocol` names.

        `subvolume`, a path or an id, is where paths begin; the others are those of `pybtrfs.open`.
        """
        super().__init__(**options)
        source = _source(fo, target_protocol, target_options or {})
        self._image = open_image(source, devices=devices, offset=offset, partition=partition, verify=verify)
        self.view: SubvolumeView = self._image if subvolume is None else self._image.subvolume(subvolume)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        stripped = super()._strip_protocol(path)
        return stripped if isinstance(stripped, list) else stripped.lstrip("/")

    def close(self) -> None:
        """Close the image; files that are still open read no more."""
        self._image.close()

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        path = self._strip_protocol(path)
        info = self.info(path)
        if info["type"] != "directory":
            return [info if detail else path]
        found = list(self.view.scandir(path))
        if not detail:
            return [entry.path for entry in found]
        return [_listed(entry) for entry in found]

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        path = self._strip_protocol(path)
        return _info(path, self.view.stat(path), is_link=self.view.is_symlink(path))

    def exists(self, path: str, **options: Any) -> bool:
        """Whether there is something: damage is no answer, and is raised."""
        return self.view.exists(self._strip_protocol(path))

    def created(self, path: str) -> datetime:
        """When the inode was made, to the microsecond."""
        return _datetime(self.view.stat(self._strip_protocol(path)).otime_ns)

    def modified(self, path: str) -> datetime:
        return _datetime(self.view.stat(self._strip_protocol(path)).mtime_ns)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        """A file's bytes from `start` up to `end`; a negative one counts from the end of the file."""
        path = self._strip_protocol(path)
        if start is None and end is None:
            return self.view.read_bytes(path)
        first, behind, _ = slice(start, end).indices(self.view.stat(path).size)
        return self.view.read_bytes(path, first, max(0, behind - first))

    def _open(
        self, path: str, mode: str = "rb", block_size: int | str | None = None, **options: Any
    ) -> io.BufferedReader:
        if mode != "rb":
            self._refuse(path)
        buffering = block_size if isinstance(block_size, int) and block_size > 0 else BUFFER_BYTES
        return self.view.open(self._strip_protocol(path), buffering=buffering)

    def _refuse(self, *arguments: Any, **options: Any) -> NoReturn:
        raise ReadOnlyError(f"{self._shown(arguments)}: the image is open for reading only")

    @staticmethod
    def _shown(arguments: tuple[Any, ...]) -> str:
        return str(arguments[0]) if arguments else "btrfs"

    mkdir = makedirs = rmdir = touch = rm = rm_file = _rm = cp_file = mv = pipe_file = put_file = _refuse


def _source(fo: Source, protocol: str | None, options: dict[str, Any]) -> Source:
    if not isinstance(fo, str) or protocol is None or (protocol == "file" and not options):
        return fo
    filesystem, path = fsspec.filesystem(protocol, **options), fo
    return RemoteDevice(filesystem, path, filesystem.unstrip_protocol(path))


def _listed(entry: Entry[str]) -> dict[str, Any]:
    try:
        return _info(entry.path, entry.stat(follow=False))
    except CorruptError:  # it is there, and opening it says what is wrong
        return {"name": entry.path, "size": None, "type": "directory" if entry.is_dir(follow=False) else "other"}


def _info(path: str, facts: Stat, *, is_link: bool = False) -> dict[str, Any]:
    return {
        "name": path,
        "size": facts.size,
        "type": _TYPES.get(stat.S_IFMT(facts.mode), "other"),
        "islink": is_link or stat.S_ISLNK(facts.mode),
        "mode": facts.mode,
        "uid": facts.uid,
        "gid": facts.gid,
        "nlink": facts.nlink,
        "ino": facts.ino,
        "subvolume_id": facts.subvolume_id,
        "mtime": facts.mtime_ns / 1e9,
        "created": facts.otime_ns / 1e9,
    }


def _datetime(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
