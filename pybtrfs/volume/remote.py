"""Images that are no files of this host: file objects, and whatever fsspec has a URL for (the extra `remote`).

What is behind a URL answers slowly, so it is read in aligned blocks that are kept, no more than CACHE_BYTES of them:
a tree block brings its neighbours along, and where misses follow each other, as in a long file, each fetch takes
more ahead. Nothing else is downloaded. That a server does not answer, or answers with less than was asked for, is
`UnreachableError`: it says nothing about the image.
"""

import io
import os
from collections import OrderedDict
from threading import RLock
from typing import Any, Protocol, runtime_checkable

from pybtrfs.errors import DeviceError, UnreachableError, UnsupportedError

BLOCK_BYTES = 64 * 1024
CACHE_BYTES = 32 * 1024**2
_MOST_AHEAD = 64  # blocks
_MOST_STREAMS = 8  # sequences of misses that are known at a time: data, and the trees that say where it is


@runtime_checkable
class FileObject(Protocol):
    """What is needed of a binary file object."""

    def seek(self, offset: int, whence: int = ..., /) -> int: ...
    def read(self, size: int = ..., /) -> bytes | None: ...


class FileObjectDevice:
    """A seekable binary file object, read only. Whoever opened it closes it."""

    def __init__(self, file: FileObject, name: str | None = None) -> None:
        """`name` is for messages; by default the object's own, where it has one."""
        self._file, self._lock = file, RLock()
        own = getattr(file, "name", None)
        self.name = name or (own if isinstance(own, str) else f"<{type(file).__name__}>")
        if issubclass(type(file), io.TextIOBase):
            raise DeviceError(f"{self.name}: is open as text, expected a binary file object")
        try:
            self.size = file.seek(0, os.SEEK_END)
        except Exception as error:  # noqa: BLE001  the object is anybody's
            raise DeviceError(f"{self.name}: is not seekable: {_reason(error)}") from None

    def read(self, offset: int, length: int) -> bytes:
        if offset < 0 or offset + length > self.size:
            raise DeviceError(f"{self.name}: {length} bytes at {offset} end after the device's {self.size}")
        parts = []
        try:
            with self._lock:
                self._file.seek(offset)
                while length and (part := self._file.read(length)):
                    parts.append(part[:length])
                    length -= len(parts[-1])
        except Exception as error:  # noqa: BLE001  of a protocol's package, or the object's own
            raise UnreachableError(f"{self.name}: cannot read at {offset}: {_reason(error)}") from None
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        if length:
            raise UnreachableError(f"{self.name}: ends at {offset + len(data)}, {length} more bytes expected")
        return data

    def write(self, offset: int, data: bytes) -> None:
        raise UnsupportedError(f"{self.name}: is read only")

    def flush(self) -> None:
        """Nothing is ever written."""

    def close(self) -> None:
        """The object stays open."""


class RemoteDevice:
    """A file of an fsspec filesystem, read only, through a cache of blocks.

    `requests` and `bytes_read` count what was asked of the filesystem.
    """

    def __init__(self, filesystem: Any, path: str, name: str) -> None:
        """`filesystem` is any `fsspec.AbstractFileSystem`, `name` is for messages."""
        self.name, self.requests, self.bytes_read = name, 0, 0
        self._filesystem = filesystem  # some close what they opened when they are gone
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._streams: OrderedDict[int, int] = OrderedDict()  # the block where a miss would go on: length of the last
        self._lock = RLock()
        try:
            if filesystem.info(path).get("size") is None:
                raise DeviceError(f"{name}: cannot open: the server does not say how long it is")
            self._file = filesystem.open(path, "rb", block_size=BLOCK_BYTES, cache_type="none")
            if not self._file.seekable():
                raise DeviceError(f"{name}: cannot open: the server does not let parts of a file be read")
        except DeviceError:
            raise
        except Exception as error:  # noqa: BLE001  each protocol's package raises its own
            raise DeviceError(f"{name}: cannot open: {_reason(error)}") from None
        self._device = FileObjectDevice(self._file, name)
        self.size = self._device.size

    @classmethod
    def at(cls, url: str) -> "RemoteDevice":
        """The image at a URL, with what fsspec's own configuration says of the protocol, such as credentials."""
        try:
            from fsspec.core import url_to_fs  # noqa: PLC0415  an extra, and slow to load
        except ImportError:
            raise UnsupportedError(f"{url}: needs fsspec: pip install 'pybtrfs-toolkit[remote]'") from None
        try:
            filesystem, path = url_to_fs(url)
        except Exception as error:  # noqa: BLE001  each protocol's package raises its own
            raise DeviceError(f"{url}: cannot open: {_reason(error)}") from None
        return cls(filesystem, path, url)

    def read(self, offset: int, length: int) -> bytes:
        if offset < 0 or offset + length > self.size:
            raise DeviceError(f"{self.name}: {length} bytes at {offset} end after the device's {self.size}")
        parts, end = [], offset + length
        with self._lock:
            while offset < end:
                number, at = divmod(offset, BLOCK_BYTES)
                parts.append(self._block(number, -(-end // BLOCK_BYTES))[at : at + end - offset])
                offset += len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _block(self, number: int, stop: int) -> bytes:
        """Block `number`, where those before `stop` are wanted as well."""
        found = self._cache.get(number)
        if found is not None:
            self._cache.move_to_end(number)
            return found
        ahead = min(_MOST_AHEAD, 2 * self._streams.pop(number, 0))
        last = number + 1
        while last < stop + ahead and last * BLOCK_BYTES < self.size and last not in self._cache:
            last += 1
        self._fetch(number, last)
        self._streams[last] = last - number
        if len(self._streams) > _MOST_STREAMS:
            self._streams.popitem(last=False)
        return self._cache[number]

    def _fetch(self, first: int, last: int) -> None:
        start = first * BLOCK_BYTES
        data = self._device.read(start, min(last * BLOCK_BYTES, self.size) - start)
        self.requests, self.bytes_read = self.requests + 1, self.bytes_read + len(data)
        for number in reversed(range(first, last)):  # the first is wanted next: it is the last to go
            self._cache[number] = data[(number - first) * BLOCK_BYTES : (number - first + 1) * BLOCK_BYTES]
        while len(self._cache) > CACHE_BYTES // BLOCK_BYTES and len(self._cache) > 1:
            self._cache.popitem(last=False)

    def write(self, offset: int, data: bytes) -> None:
        raise UnsupportedError(f"{self.name}: is read only")

    def flush(self) -> None:
        """Nothing is ever written."""

    def close(self) -> None:
        self._cache.clear()
        self._file.close()


def _reason(error: BaseException) -> str:
    """What an exception of anybody's says, in one line: no more than its first sentence."""
    if isinstance(error, FileNotFoundError) and error.__cause__ is not None:
        return _reason(error.__cause__)  # fsspec says so of every answer to its first question but a good one
    if isinstance(error, FileNotFoundError):
        return "no such file"
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return f"the server answers {status} {getattr(error, 'message', '')}".rstrip()
    return " ".join(str(error).partition(". ")[0].split()) or type(error).__name__
