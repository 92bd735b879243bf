"""The lying disk: what a power cut may leave of writes that were recorded.

All that a flush of its own device followed is there; of the rest any part, in any order, the last one torn.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import chain, combinations

from pybtrfs.volume.device import Device
from pybtrfs.volume.overlay import OverlayDevice
from pybtrfs.volume.recorder import Event, Recording, replay

SECTOR = 512


def power_cuts(
    recording: Recording, before: Sequence[Device], seed: int, samples: int, prefixes: bool = False
) -> Iterator[list[OverlayDevice]]:
    """States of the devices, in the order of the events: before each flush and at the end.

    Where few writes are pending, every part of them; else none, all, and so many random parts, each also with its
    last write torn; with `prefixes`, the first n for every n as well.
    """
    chance = random.Random(seed)
    flushes = [number for number, event in enumerate(recording.events) if event.data is None]
    for moment in (*flushes, len(recording.events)):
        lasting, pending = recording.cut(moment)
        for part in _parts(pending, chance, samples, prefixes):
            devices = {number: OverlayDevice(device) for number, device in enumerate(before)}
            replay((*lasting, *part), devices)
            yield list(devices.values())


def _parts(pending: list[Event], chance: random.Random, samples: int, prefixes: bool) -> Iterator[list[Event]]:
    if 2 ** len(pending) <= samples + 2:
        sizes = range(len(pending) + 1)
        yield from map(list, chain.from_iterable(combinations(pending, size) for size in sizes))
        return
    for length in range(len(pending) + 1) if prefixes else (0, len(pending)):
        yield pending[:length]
    for _ in range(samples):
        kept = [event for event in pending if chance.random() < 0.5]
        yield kept
        if kept:
            yield [*kept[:-1], _torn(kept[-1])]


def _torn(event: Event) -> Event:
    data = event.data or b""
    return event._replace(data=data[: len(data) // 2 // SECTOR * SECTOR])
