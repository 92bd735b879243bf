"""What is written to devices, in its order, so that a power cut can be played.

Until a flush returns, each write may have reached the medium or not, whatever the order; a flush of one device says
nothing about another's. A `Recording` keeps one order over all its devices; `cut` says what is lasting at a moment
and what is not, and `replay` writes any part of that to other devices, mostly overlays of the state before.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pybtrfs.volume.device import Device


class Event(NamedTuple):
    """A write to one of the devices, or a flush of it that returned."""

    device: int  # its number in the recording
    offset: int
    data: bytes | None  # None for a flush


class Cut(NamedTuple):
    """The writes before a power cut, in their order."""

    lasting: list[Event]  # a flush of their device followed
    pending: list[Event]  # none did: any part of them may be there, in any order


class Recording:
    """The events of some devices; they are numbered as they come."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._devices = 0

    def device(self, base: Device) -> "RecorderDevice":
        """A device that passes everything on to `base` and is recorded."""
        self._devices += 1
        return RecorderDevice(base, self._devices - 1, self.events)

    def cut(self, moment: int) -> Cut:
        """What a power cut after so many events may leave."""
        lasting: list[Event] = []
        pending: list[Event] = []
        flushed: dict[int, int] = {}
        for number, event in enumerate(self.events[:moment]):
            if event.data is None:
                flushed[event.device] = number
        for number, event in enumerate(self.events[:moment]):
            if event.data is not None:
                (lasting if number < flushed.get(event.device, 0) else pending).append(event)
        return Cut(lasting, pending)


class RecorderDevice:
    """A device of a recording. A write is recorded before it is passed on, a flush when it has returned."""

    def __init__(self, base: Device, number: int, events: list[Event]) -> None:
        self.name, self._base, self._number, self._events = base.name, base, number, events

    @property
    def size(self) -> int:
        return self._base.size

    def read(self, offset: int, length: int) -> bytes:
        return self._base.read(offset, length)

    def write(self, offset: int, data: bytes) -> None:
        self._events.append(Event(self._number, offset, bytes(data)))
        self._base.write(offset, data)

    def flush(self) -> None:
        self._base.flush()
        self._events.append(Event(self._number, 0, None))

    def close(self) -> None:
        self._base.close()


def replay(events: Iterable[Event], devices: Mapping[int, Device]) -> None:
    """Write what was written, each event to the device of its number."""
    for event in events:
        if event.data is not None:
            devices[event.device].write(event.offset, event.data)
