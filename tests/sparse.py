"""A device in memory that is mostly zeros, and that remembers the order of what was written to it.

`steps` are the epochs between flushes, each a list of (offset, bytes); `after` replays some of them onto a copy,
which is what a power cut may leave.
"""

from __future__ import annotations

from collections.abc import Iterable

from pybtrfs.errors import DeviceError

PAGE = 4096
Write = tuple[int, bytes]


class SparseDevice:
    """Bytes by page; `name` is for messages."""

    def __init__(self, size: int, name: str = "sparse") -> None:
        self.size, self.name = size, name
        self.pages: dict[int, bytes] = {}
        self.steps: list[list[Write]] = [[]]

    def read(self, offset: int, length: int) -> bytes:
        if offset < 0 or offset + length > self.size:
            raise DeviceError(f"{self.name}: {length} bytes at {offset} end after the device's {self.size}")
        first, last = offset // PAGE, (offset + length + PAGE - 1) // PAGE
        data = b"".join(self.pages.get(page, bytes(PAGE)) for page in range(first, last))
        return data[offset - first * PAGE :][:length]

    def write(self, offset: int, data: bytes) -> None:
        if offset < 0 or offset + len(data) > self.size:
            raise DeviceError(f"{self.name}: {len(data)} bytes at {offset} end after the device's {self.size}")
        self.steps[-1].append((offset, data))
        self._apply(offset, data)

    def discard(self, offset: int, length: int) -> bool:
        """As a regular file does: what is freed reads as zeros."""
        for page in [page for page in self.pages if offset <= page * PAGE < offset + length]:
            self.write(page * PAGE, bytes(PAGE))
        return True

    def flush(self) -> None:
        self.steps.append([])

    def close(self) -> None:
        pass

    def after(self, writes: Iterable[Write]) -> SparseDevice:
        """A copy on which some more writes arrived."""
        copy = SparseDevice(self.size, self.name)
        copy.pages = dict(self.pages)
        for offset, data in writes:
            copy._apply(offset, data)
        return copy

    def _apply(self, offset: int, data: bytes) -> None:
        for page in range(offset // PAGE, (offset + len(data) + PAGE - 1) // PAGE):
            old = self.pages.get(page, bytes(PAGE))
            start = max(offset - page * PAGE, 0)
            piece = data[max(page * PAGE - offset, 0) :][: PAGE - start]
            new = old[:start] + piece + old[start + len(piece) :]
            if any(new):
                self.pages[page] = new
            else:
                self.pages.pop(page, None)
