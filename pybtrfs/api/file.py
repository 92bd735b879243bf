"""A file of an image as a binary file object of Python's `io`."""

import errno
import io
import os
from typing import TYPE_CHECKING, NoReturn

from pybtrfs.api.facts import Stat, stat_of
from pybtrfs.api.turn import Turn
from pybtrfs.errors import CorruptError
from pybtrfs.fs.file import File

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_ZEROS = memoryview(bytes(1 << 18))


class ImageFile(io.RawIOBase):
    """A regular file, unbuffered and seekable; what is read was compared with its checksums.

    Where bytes cannot be read, those in front of them still come, and the next read raises `CorruptError`; behind
    them it goes on after a seek. `seek` takes `os.SEEK_DATA` and `os.SEEK_HOLE`: preallocated space is a hole.
    """

    mode = "rb"

    def __init__(self, file: File, name: str | bytes, turn: Turn, keep: object) -> None:
        """`keep` is what must live as long as the file: the image that it reads from."""
        super().__init__()
        self._file, self.name, self._turn, self._keep = file, name, turn, keep
        self._position = 0

    @property
    def size(self) -> int:
        """In bytes."""
        return self._file.size

    def stat(self) -> Stat:
        """What `SubvolumeView.stat` says of the file."""
        return stat_of(self._file.place, self._file.inode)

    def readable(self) -> bool:
        self._refuse_closed()
        return True

    def seekable(self) -> bool:
        self._refuse_closed()
        return True

    def tell(self) -> int:
        self._refuse_closed()
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place and return it; beyond the end of the file there is nothing to be read."""
        self._refuse_closed()
        if whence in (os.SEEK_DATA, os.SEEK_HOLE):
            self._position = self._find(offset, hole=whence == os.SEEK_HOLE)
            return self._position
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}
        if whence not in bases:
            raise ValueError(f"whence is {whence}, expected one of {', '.join(map(str, bases))}")
        if bases[whence] + offset < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._position = bases[whence] + offset
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read into `buffer` as much as there is, and return how many bytes that is."""
        self._refuse_closed()
        view, start, done = memoryview(buffer).cast("B"), self._position, 0
        try:
            with self._turn:
                for piece in self._file.pieces(start, min(self.size, start + len(view))):
                    if piece.problem is not None:
                        raise CorruptError(f"byte {piece.offset}: {piece.problem}")
                    _fill(view[done : done + piece.length], piece.data)
                    done += piece.length
        except CorruptError as error:
            if not done:
                raise self._named(error) from None
        self._position += done
        return done

    def readall(self) -> bytes:
        """All that is behind the position."""
        self._refuse_closed()
        try:
            with self._turn:
                data = self._file.read(self._position)
        except CorruptError as error:
            raise self._named(error) from None
        self._position += len(data)
        return data

    def write(self, buffer: "ReadableBuffer") -> NoReturn:
        raise io.UnsupportedOperation("not writable")

    def _find(self, offset: int, *, hole: bool) -> int:
        if 0 <= offset < self.size:
            with self._turn:
                for segment in self._file.segments(offset):
                    if segment.reads_as_zeros == hole:
                        return segment.file_offset
            if hole:
                return self.size
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))

    def _named(self, error: CorruptError) -> CorruptError:
        name = self.name if isinstance(self.name, str) else self.name.decode(errors="surrogateescape")
        return type(error)(f"{name}: {error}")

    def _refuse_closed(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file.")


def _fill(view: memoryview, data: bytes | bytearray | memoryview | None) -> None:
    if data is not None:
        view[:] = data
        return
    for at in range(0, len(view), len(_ZEROS)):
        part = view[at : at + len(_ZEROS)]
        part[:] = _ZEROS[: len(part)]
