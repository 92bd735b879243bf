"""A filesystem's devices and the use of its space as text, as `btrfs filesystem` prints them, and as JSON values."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pybtrfs.fs.space import Extent, Usage
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import DevItem
from pybtrfs.ondisk.superblock import Superblock
from pybtrfs.ondisk.uuid import uuid_text
from pybtrfs.render.json_values import bytes_field
from pybtrfs.render.sizes import HUMAN, Units, size_text
from pybtrfs.render.space import profile_name, type_name

Places = dict[int, str]
"""Where each device was found, by its id."""


def show_lines(
    sb: Superblock, label: bytes, devices: Iterable[DevItem], places: Places, units: Units, escape: Callable[..., str]
) -> Iterator[str]:
    """What `filesystem show` prints of an unmounted filesystem."""
    name = f"'{escape(label)}'" if label else "none"
    yield f"Label: {name}  uuid: {uuid_text(sb.fsid)}"
    yield f"\tTotal devices {sb.num_devices} FS bytes used {size_text(sb.bytes_used, units)}"
    for item in devices:
        if item.devid in places:
            size, used = size_text(item.total_bytes, units), size_text(item.bytes_used, units)
            yield f"\tdevid {item.devid:4} size {size} used {used} path {escape(places[item.devid])}"
    if len(places) < sb.num_devices:
        yield "\t*** Some devices missing"


def show_json(sb: Superblock, label: bytes, devices: Iterable[DevItem], places: Places) -> dict[str, Any]:
    """The same; numbers are bytes, and a missing device's path is null."""
    rows = [
        {
            "devid": item.devid,
            "uuid": uuid_text(item.uuid),
            "size": item.total_bytes,
            "used": item.bytes_used,
            "path": places.get(item.devid),
        }
        for item in devices
    ]
    fields = bytes_field("label", label)
    return {**fields, "uuid": uuid_text(sb.fsid), "total_devices": sb.num_devices, "used": sb.bytes_used} | {
        "devices": rows
    }


def df_lines(usages: Iterable[Usage], reserve: int, units: Units) -> Iterator[str]:
    """What `filesystem df` prints."""
    for flags, total, used in usages:
        sizes = f"total={size_text(total, units)}, used={size_text(used, units)}"
        yield f"{type_name(flags)}, {profile_name(flags)}: {sizes}"
    yield f"GlobalReserve, single: total={size_text(reserve, units)}, used={size_text(0, units)}"


def df_json(usages: Iterable[Usage], reserve: int) -> list[dict[str, Any]]:
    """The same; numbers are bytes."""
    rows = [(type_name(flags), profile_name(flags), total, used) for flags, total, used in usages]
    rows.append(("GlobalReserve", "single", reserve, 0))
    return [dict(zip(("bg-type", "bg-profile", "total", "used"), row, strict=True)) for row in rows]


def usage_lines(
    usages: Sequence[Usage],
    extents: Sequence[Extent],
    devices: Sequence[DevItem],
    sizes: dict[int, int],
    places: Places,
    reserve: int,
    units: Units,
    escape: Callable[..., str],
) -> Iterator[str]:
    """What `filesystem usage` prints but for what statfs says; `sizes` has the bytes of each device that is there."""
    yield from _overall_lines(usages, extents, devices, sizes, reserve, units)
    for flags, total, used in sorted(usages, key=_data_first):
        percent = 100 * used / (total + 1)
        sizes_text = f"Size:{size_text(total, units)}, Used:{size_text(used, units)} ({percent:.2f}%)"
        yield ""
        yield f"{type_name(flags)},{profile_name(flags)}: {sizes_text}"
        for item in devices:
            taken = sum(e.length for e in extents if (e.devid, e.chunk.type) == (item.devid, flags))
            if taken:
                yield f"   {escape(places.get(item.devid, 'missing'))}\t{size_text(taken, units):>10}"
    yield ""
    yield "Unallocated:"
    for item in devices:
        free = item.total_bytes - sum(e.length for e in extents if e.devid == item.devid)
        yield f"   {escape(places.get(item.devid, 'missing'))}\t{size_text(free, units):>10}"


def _overall_lines(
    usages: Sequence[Usage],
    extents: Sequence[Extent],
    devices: Sequence[DevItem],
    sizes: dict[int, int],
    reserve: int,
    units: Units,
) -> Iterator[str]:
    width = 10 if units == HUMAN else 18
    size, allocated = sum(item.total_bytes for item in devices), sum(extent.length for extent in extents)
    raw = {u.flags: sum(e.length for e in extents if e.chunk.type == u.flags) for u in usages}
    used = sum(_part(raw[u.flags] * u.used, u.total) for u in usages)
    data_ratio, metadata_ratio = (_ratio(usages, raw, kind) for kind in _KINDS)
    unallocated = size - allocated
    mixed = any(u.flags & c.BLOCK_GROUP_TYPE_MASK == _KINDS[0] | _KINDS[1] for u in usages)
    data = [u for u in usages if u.flags & c.BLOCK_GROUP_DATA]
    free = sum(raw[u.flags] - _part(raw[u.flags] * u.used, u.total) for u in data)
    estimated = least = int(free / data_ratio) - (reserve if mixed else 0)
    if unallocated >= _WORTH_COUNTING:
        estimated += int(unallocated / data_ratio)
        least += int(unallocated / max([1.0, *(raw[u.flags] / u.total for u in usages)]))
    several = [kind for kind in (*_KINDS, c.BLOCK_GROUP_SYSTEM) if sum(bool(u.flags & kind) for u in usages) > 1]
    yield "Overall:"
    missing = sum(item.total_bytes for item in devices if item.devid not in sizes)
    slack = sum(sizes[item.devid] - item.total_bytes for item in devices if item.devid in sizes)
    for name, number in (
        ("Device size:\t\t", size),
        ("Device allocated:\t\t", allocated),
        ("Device unallocated:\t\t", unallocated),
        ("Device missing:\t\t", missing),
        ("Device slack:\t\t", slack),
        ("Used:\t\t\t", used),
    ):
        yield f"    {name}{size_text(number, units):>{width}}"
    yield f"    Free (estimated):\t\t{size_text(estimated, units):>{width}}\t(min: {size_text(least, units)})"
    yield f"    Data ratio:\t\t\t{data_ratio:{width}.2f}"
    yield f"    Metadata ratio:\t\t{metadata_ratio:{width}.2f}"
    yield f"    Global reserve:\t\t{size_text(reserve, units):>{width}}\t(used: {size_text(0, units)})"
    names = ", ".join(type_name(kind).lower() for kind in several)
    yield f"    Multiple profiles:\t\t{'yes' if several else 'no':>{width}}" + (f"\t({names})" if several else "")


_KINDS = (c.BLOCK_GROUP_DATA, c.BLOCK_GROUP_METADATA)
_WORTH_COUNTING = 16 << 20


def _ratio(usages: Sequence[Usage], raw: dict[int, int], kind: int) -> float:
    """Bytes on devices for each logical byte of a kind."""
    found = [u for u in usages if u.flags & kind]
    logical = sum(u.total for u in found)
    return (sum(raw[u.flags] for u in found) / logical if logical else 0) or 1.0


def _part(product: int, total: int) -> int:
    return product // total if total else 0


def _data_first(usage: Usage) -> tuple[int, int]:
    order = (c.BLOCK_GROUP_DATA, c.BLOCK_GROUP_METADATA, c.BLOCK_GROUP_SYSTEM)
    return next(i for i, kind in enumerate(order) if usage.flags & kind), usage.flags
