"""Error counters of devices as text, as `btrfs device stats` prints them, and as JSON values."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pybtrfs.ondisk.chunk import DevStats
from pybtrfs.render.filesystems import Places
from pybtrfs.render.tables import text_table

Counts = Iterable[tuple[int, DevStats]]
_NAMES = ("write_io_errs", "read_io_errs", "flush_io_errs", "corruption_errs", "generation_errs")
_HEADING = ("Id", "Path", *(f"{kind} errors" for kind in ("Write", "Read", "Flush", "Corruption", "Generation")))


def count_lines(counts: Counts, places: Places, escape: Callable[..., str]) -> Iterator[str]:
    """A line for each counter of each device."""
    for devid, stats in counts:
        for name, number in zip(_NAMES, stats, strict=True):
            yield f"[{escape(_name(devid, places))}].{name:<16} {number}"


def count_table(counts: Counts, places: Places, escape: Callable[..., str]) -> Iterable[str]:
    """A row for each device, as with -T."""
    rows = [[f"<{name}" for name in _HEADING], ["*-"] * len(_HEADING)]
    rows += [[f">{cell}" for cell in (devid, escape(_name(devid, places)), *stats)] for devid, stats in counts]
    return text_table(rows)


def count_json(counts: Counts, places: Places) -> list[dict[str, Any]]:
    """The same, named as btrfs-progs name it."""
    return [
        {"device": _name(devid, places), "devid": devid, **dict(zip(_NAMES, stats, strict=True))}
        for devid, stats in counts
    ]


def _name(devid: int, places: Places) -> str:
    return places.get(devid, f"devid:{devid}")
