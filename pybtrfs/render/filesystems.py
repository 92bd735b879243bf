"""A filesystem's devices and its block groups as text, as `btrfs filesystem` prints them, and as JSON values."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pybtrfs.fs.space import Usage
from pybtrfs.ondisk.chunk import DevItem
from pybtrfs.ondisk.superblock import Superblock
from pybtrfs.ondisk.uuid import uuid_text
from pybtrfs.render.json_values import bytes_field
from pybtrfs.render.sizes import Units, size_text
from pybtrfs.render.space import profile_name, type_name

Places = dict[int, str]
"""Where each device was found, by its id."""


def show_lines(
    sb: Superblock, label: bytes, devices: Iterable[DevItem], places: Places, units: Units, escape: Callable[..., str]
) -> Iterator[str]:
    """What `filesystem show` prints of an unmounted filesystem."""
    yield title_text(sb, label, escape)
    yield f"\tTotal devices {sb.num_devices} FS bytes used {size_text(sb.bytes_used, units)}"
    for item in devices:
        if item.devid in places:
            size, used = size_text(item.total_bytes, units), size_text(item.bytes_used, units)
            yield f"\tdevid {item.devid:4} size {size} used {used} path {escape(places[item.devid])}"
    if len(places) < sb.num_devices:
        yield "\t*** Some devices missing"


def title_text(sb: Superblock, label: bytes, escape: Callable[..., str]) -> str:
    """Label and UUID in a line."""
    name = f"'{escape(label)}'" if label else "none"
    return f"Label: {name}  uuid: {uuid_text(sb.fsid)}"


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
