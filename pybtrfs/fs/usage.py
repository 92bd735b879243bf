"""The use of a whole filesystem's space: what each device gives to block groups, and how much more data would fit.

Bytes are *logical* where files count them and *raw* where devices do: a raid1 block group takes two raw bytes for
each logical one, a raid5 over three devices one and a half. The estimates are those of `btrfs filesystem usage`.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.space import Extent, Usage, by_type, devices, extents, global_reserve, usages
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import DevItem
from pybtrfs.volume.profiles import BY_FLAG

DATA, METADATA, SYSTEM = c.BLOCK_GROUP_DATA, c.BLOCK_GROUP_METADATA, c.BLOCK_GROUP_SYSTEM
_WORTH_COUNTING = 16 << 20  # less than this is not counted as room for a new block group


class Taken(NamedTuple):
    """What the block groups of one type, profile and width take of one device."""

    devid: int
    flags: int
    stripes: int  # of each of the chunks
    size: int  # raw bytes on this device


class Space:
    """A filesystem's devices, what is on them, and the sums of that, as `btrfs filesystem usage` orders them."""

    def __init__(self, filesystem: Filesystem, complain: Callable[[str], None] | None = None) -> None:
        """`complain` is told where block groups cannot be read, of which then nothing is used; else `CorruptError`."""
        self.devices: list[DevItem] = devices(filesystem)
        self.sizes = {devid: device.size for devid, device in filesystem.volume.devices.items()}
        self.extents: list[Extent] = list(extents(filesystem, complain))
        self.usages: list[Usage] = sorted(usages(self.extents), key=lambda usage: data_first(usage.flags))
        self.taken: list[Taken] = _taken(self.extents)
        self.reserve = global_reserve(filesystem)

    def on_device(self, devid: int, flags: int | None = None) -> int:
        """Raw bytes that block groups of these flags, or all, take of a device."""
        return sum(taken.size for taken in self.taken if taken.devid == devid and flags in (None, taken.flags))

    def slack(self, item: DevItem) -> int:
        """Bytes behind the part of a device that the filesystem uses; 0 where the device is missing."""
        return self.sizes[item.devid] - item.total_bytes if item.devid in self.sizes else 0

    def unallocated(self, item: DevItem) -> int:
        """Raw bytes of a device that no block group has."""
        return item.total_bytes - self.on_device(item.devid)

    def raw(self, usage: Usage) -> tuple[int, int]:
        """What block groups take of all devices, and how much of that is used: raw bytes."""
        profile = BY_FLAG[usage.flags & c.BLOCK_GROUP_PROFILE_MASK]
        if not profile.parity:
            return usage.total * profile.copies, usage.used * profile.copies
        shares = [taken.size for taken in self.taken if taken.flags == usage.flags]
        return sum(shares), sum(int(share * (usage.used / usage.total)) for share in shares)


class Overall(NamedTuple):
    """What `btrfs filesystem usage` says first: raw bytes, but for the free ones and the reserve."""

    size: int
    allocated: int
    unallocated: int
    missing: int  # of the size, on devices that are not there
    slack: int
    used: int
    free_estimated: int  # bytes of data that would fit
    free_min: int  # the same, were all of the rest given to the most expensive profile there is
    data_ratio: float  # raw bytes for a logical one
    metadata_ratio: float
    reserve: int
    several_profiles: list[int]  # the types of which block groups of more than one profile exist


def overall(space: Space) -> Overall:
    """The sums and estimates of a filesystem."""
    raw = {usage.flags: space.raw(usage) for usage in space.usages}
    size = sum(item.total_bytes for item in space.devices)
    allocated = sum(total for total, _ in raw.values())
    data = [raw[usage.flags] for usage in space.usages if usage.flags & DATA]
    data_ratio = _ratio(space.usages, raw, DATA)
    estimated = int(sum(total - used for total, used in data) / data_ratio)
    if any(usage.flags & DATA and usage.flags & METADATA for usage in space.usages):
        estimated -= space.reserve
    room = size - allocated if size - allocated >= _WORTH_COUNTING else 0
    return Overall(
        size,
        allocated,
        size - allocated,
        sum(item.total_bytes for item in space.devices if item.devid not in space.sizes),
        sum(map(space.slack, space.devices)),
        sum(used for _, used in raw.values()),
        estimated + int(room / data_ratio),
        estimated + int(room / max(1.0, *map(_raw_for_one, space.taken))) if space.taken else estimated + room,
        data_ratio,
        _ratio(space.usages, raw, METADATA),
        space.reserve,
        several_profiles(space.usages),
    )


def several_profiles(found: Iterable[Usage]) -> list[int]:
    """The types (data, metadata, system) that have block groups of more than one profile."""
    flags = [usage.flags for usage in found]
    return [kind for kind in (DATA, METADATA, SYSTEM) if sum(bool(one & kind) for one in flags) > 1]


def _taken(found: Iterable[Extent]) -> list[Taken]:
    """The sums by device, type, profile and width; type by type, in the order of their first chunks."""
    sums: dict[tuple[int, int, int], int] = {}
    for extent in found:
        group = extent.devid, extent.chunk.type, extent.chunk.num_stripes
        sums[group] = sums.get(group, 0) + extent.length
    return sorted((Taken(*group, size) for group, size in sums.items()), key=lambda taken: data_first(taken.flags))


def data_first(flags: int) -> tuple[bool, tuple[int, int]]:
    """The order of block groups here: data, metadata, mixed, system; each by profile."""
    return bool(flags & SYSTEM), by_type(flags)


def _ratio(found: Iterable[Usage], raw: dict[int, tuple[int, int]], kind: int) -> float:
    groups = [usage for usage in found if usage.flags & kind]
    logical = sum(usage.total for usage in groups)
    return (sum(raw[usage.flags][0] for usage in groups) / logical if logical else 0) or 1.0


def _raw_for_one(taken: Taken) -> float:
    profile = BY_FLAG[taken.flags & c.BLOCK_GROUP_PROFILE_MASK]
    return taken.stripes / (taken.stripes - profile.parity) if profile.parity else profile.copies
