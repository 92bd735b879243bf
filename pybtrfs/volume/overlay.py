"""Writes that stay in memory, over a device that is only read.

What a recovery or a change would do to an image can so be looked at, and the image stays as it is. What was
written is kept in pages of 4 KiB by number; all else is read through. Memory is that of the pages, which `most`
bounds; how large the device is and how often a page is written do not matter.
"""

from collections.abc import Iterator

from pybtrfs.errors import DeviceError
from pybtrfs.volume.device import Device

PAGE = 4096
MOST_BYTES = 1024**3


class OverlayDevice:
    """A device whose writes nobody else sees. `close` closes the device beneath."""

    def __init__(self, base: Device, most: int = MOST_BYTES) -> None:
        """`most`: bytes of memory that pages may take; a write beyond them is a `DeviceError`."""
        self.name, self.size = base.name, base.size
        self._base, self._most = base, most
        self._seen = base.size  # bytes of the base that are seen: what a resize cut off does not come back
        self._pages: dict[int, bytes] = {}

    @property
    def bytes_held(self) -> int:
        """What the pages take of memory."""
        return len(self._pages) * PAGE

    def read(self, offset: int, length: int) -> bytes:
        self._bound(offset, length)
        touched = self._touched(offset, length)
        if not touched:
            return self._beneath(offset, length)
        if len(touched) == len(_pages_of(offset, length)):
            return b"".join(self._pages[page] for page in touched)[offset % PAGE :][:length]
        data = bytearray(self._beneath(offset, length))
        for page in touched:
            start, end = max(page * PAGE, offset), min((page + 1) * PAGE, offset + length)
            data[start - offset : end - offset] = self._pages[page][start - page * PAGE : end - page * PAGE]
        return bytes(data)

    def write(self, offset: int, data: bytes) -> None:
        self._bound(offset, len(data))
        pages = _pages_of(offset, len(data))
        new = len(pages) - len(self._touched(offset, len(data)))
        if self.bytes_held + new * PAGE > self._most:
            raise DeviceError(f"{self.name}: what was written takes more than {self._most} bytes of memory")
        for page, piece in list(self._merged(pages, offset, data)):
            self._pages[page] = piece

    def flush(self) -> None:
        """There is nothing that a flush could make more lasting."""

    def resize(self, size: int) -> None:
        """Make the device `size` bytes long; what is added reads as zeros, also where the base has bytes."""
        self._seen, self.size = min(self._seen, size), size
        for page in [page for page in self._pages if page * PAGE >= size]:
            del self._pages[page]
        if size // PAGE in self._pages:
            self._pages[size // PAGE] = self._pages[size // PAGE][: size % PAGE].ljust(PAGE, b"\0")

    def close(self) -> None:
        self._base.close()

    def _merged(self, pages: range, offset: int, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Each page as it will be; at both ends of the data it keeps what is around."""
        for page in pages:
            start = page * PAGE - offset
            if start >= 0 and start + PAGE <= len(data):
                yield page, bytes(data[start : start + PAGE])
                continue
            length = min(PAGE, self.size - page * PAGE)
            whole = bytearray(self.read(page * PAGE, length).ljust(PAGE, b"\0"))
            piece = data[max(start, 0) : start + PAGE]
            at = max(-start, 0)
            whole[at : at + len(piece)] = piece
            yield page, bytes(whole)

    def _touched(self, offset: int, length: int) -> list[int]:
        """The pages in memory that a range meets, in order."""
        pages = _pages_of(offset, length)
        if len(pages) < len(self._pages):
            return [page for page in pages if page in self._pages]
        return sorted(page for page in self._pages if page in pages)

    def _beneath(self, offset: int, length: int) -> bytes:
        """The base's bytes, and zeros behind those that are seen of it."""
        there = max(0, min(length, self._seen - offset))
        data = self._base.read(offset, there) if there else b""
        return data if there == length else data.ljust(length, b"\0")

    def _bound(self, offset: int, length: int) -> None:
        if offset < 0 or offset + length > self.size:
            raise DeviceError(f"{self.name}: {length} bytes at {offset} end after the device's {self.size}")


def _pages_of(offset: int, length: int) -> range:
    """The numbers of the pages that a range meets."""
    return range(offset // PAGE, -(-(offset + length) // PAGE)) if length else range(0)
