"""`pybtrfs.open`: an image, by path, URL or as an object, and what is in it."""

import os
import weakref
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Literal, get_args
from uuid import UUID

from pybtrfs.api.turn import Turn
from pybtrfs.api.view import Opened, SubvolumeView
from pybtrfs.errors import UnsupportedError, UsageError
from pybtrfs.fs.filesystem import Filesystem, open_filesystem
from pybtrfs.fs.inode import TOP
from pybtrfs.fs.path import default_subvolume_id
from pybtrfs.fs.subvolume import Subvolumes
from pybtrfs.volume.device import Device
from pybtrfs.volume.opening import Where
from pybtrfs.volume.remote import FileObject, FileObjectDevice

Source = str | bytes | os.PathLike[str] | FileObject | Device
"""A path, a URL, a seekable binary file object, or what does what a `pybtrfs.volume.device.Device` does."""
ReplayLog = Literal["ignore", "memory", "disk"]


def open(  # noqa: A001  as of gzip, tarfile and others
    image: Source,
    *,
    devices: Iterable[Source] = (),
    offset: int | None = None,
    partition: int | None = None,
    super_copy: int | None = None,
    writable: bool = False,
    replay_log: ReplayLog = "ignore",
    verify: bool = True,
    notice: Callable[[str], None] | None = None,
) -> "Image":
    """The filesystem in an image, for reading; close it, or use it as a context manager.

    `image` is the path of an image file or block device, a URL that fsspec knows (the extra `remote`), a seekable
    binary file object, which is left open, or a `Device`, which is closed with the image. `devices` are the other
    members of a filesystem that spans several. `offset` (bytes) or `partition` (from 1) say where in a disk the
    filesystem is, `super_copy` which copy of the superblock counts. Without `verify`, data is not compared with its
    checksums; tree blocks always are. `notice` takes lines that a user should see, such as that a log waits to be
    replayed; `Image.notices` has them as well.

    Raises `DeviceError`, `NotBtrfsError`, `UnsupportedError`, `CorruptError`, `RefusedError`: all `PybtrfsError`.
    """
    if replay_log not in get_args(ReplayLog):
        raise UsageError(f"replay_log is {replay_log!r}, expected one of {', '.join(get_args(ReplayLog))}")
    if writable:
        raise UnsupportedError("writable=True: this version opens images for reading only")
    if replay_log != "ignore":
        raise UnsupportedError(f"replay_log={replay_log!r}: this version does not replay logs")
    notices: list[str] = []

    def tell(text: str) -> None:
        notices.append(text)
        if notice is not None:
            notice(text)

    where = Where(offset, partition, super_copy, tuple(map(_source, devices)))
    return Image(open_filesystem(_source(image), where, tell), verify=verify, notices=notices)


class Image(SubvolumeView):
    """An open image: the top-level subvolume, from which all others are reached; a context manager.

    It closes itself when the last view and file of it is gone; `close` is for those who do not wait.
    """

    def __init__(self, filesystem: Filesystem, *, verify: bool = True, notices: Iterable[str] = ()) -> None:
        """Takes over an open filesystem."""
        turn = Turn()
        super().__init__(Opened(filesystem, Subvolumes(filesystem), turn, verify), TOP)
        self.notices = notices if isinstance(notices, list) else list(notices)
        self._close = weakref.finalize(self, _close, filesystem, turn)

    def __enter__(self) -> "Image":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the devices; whatever reads after that gets a `ValueError`."""
        self._close()

    @property
    def filesystem(self) -> Filesystem:
        """The trees, for those who look beneath: from one thread, and only as long as the image is there."""
        return self._filesystem

    @property
    def label(self) -> str:
        return self._filesystem.superblock.label_bytes.decode(errors="surrogateescape")

    @property
    def fsid(self) -> UUID:
        return UUID(bytes=self._filesystem.superblock.fsid)

    @property
    def default_subvolume_id(self) -> int:
        """The subvolume that is mounted where none is named."""
        with self._turn:
            return default_subvolume_id(self._filesystem)


def _close(filesystem: Filesystem, turn: Turn) -> None:
    with turn:
        turn.over = True
        filesystem.close()


def _source(image: Source) -> str | Device:
    if isinstance(image, str | bytes | os.PathLike):
        return os.fsdecode(image)
    if isinstance(image, FileObject):
        return FileObjectDevice(image)
    if not hasattr(image, "size"):
        raise TypeError(f"a {type(image).__name__} is no image: expected a path, a binary file object or a Device")
    return image
