"""A device in memory that is mostly zeros, and that can be copied with more writes on it: an overlay over nothing."""

from __future__ import annotations

from collections.abc import Callable

from pybtrfs.volume.device import Device
from pybtrfs.volume.overlay import PAGE, OverlayDevice


class Zeros:
    """A device that holds nothing and takes nothing."""

    def __init__(self, size: int, name: str = "zeros") -> None:
        self.size, self.name = size, name

    def read(self, offset: int, length: int) -> bytes:
        assert 0 <= offset <= offset + length <= self.size
        return bytes(length)

    def write(self, offset: int, data: bytes) -> None:
        raise AssertionError("an overlay writes nothing to what is beneath")

    def flush(self) -> None:
        raise AssertionError("an overlay has nothing to flush")

    def close(self) -> None:
        pass


class SparseDevice(OverlayDevice):
    """Zeros to write on."""

    def __init__(self, size: int, name: str = "sparse") -> None:
        super().__init__(Zeros(size, name))

    def copied(self) -> SparseDevice:
        """A device that holds the same."""
        copy = SparseDevice(self.size, self.name)
        copy._pages = dict(self._pages)
        return copy

    def freeing(self, device: Device) -> Callable[[int, int], bool]:
        """A discard of this device, by way of `device`: as a regular file does it, what is freed reads as zeros."""

        def discard(offset: int, length: int) -> bool:
            for page in [page for page in self._pages if offset <= page * PAGE < offset + length]:
                device.write(page * PAGE, bytes(PAGE))
            return True

        return discard
