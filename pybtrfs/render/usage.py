"""The use of space as text, as `btrfs filesystem usage` and `btrfs device usage` print it, and as JSON values."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pybtrfs.fs.space import Usage, by_type
from pybtrfs.fs.usage import Overall, Space, overall, several_profiles
from pybtrfs.ondisk.uuid import uuid_text
from pybtrfs.render.filesystems import Places, df_json
from pybtrfs.render.sizes import HUMAN, Units, size_text
from pybtrfs.render.space import profile_name, type_name
from pybtrfs.render.tables import text_table
from pybtrfs.volume.profiles import find_profile

Escape = Callable[..., str]
_MISSING = "missing"
_NAME_WIDTH = 21  # a longer name has as many spaces behind it as it is too long: the C program's %*s


def usage_lines(space: Space, places: Places, units: Units, escape: Escape, *, table: bool = False) -> Iterator[str]:
    """What `filesystem usage` prints but for what statfs says; with `table`, as with -T."""
    yield from _overall_lines(overall(space), units)
    if table:
        yield ""
        yield from text_table(_table(space, places, units, escape))
        return
    for flags, total, used in space.usages:
        percent = 100 * used / (total + 1)
        sizes_text = f"Size:{size_text(total, units)}, Used:{size_text(used, units)} ({percent:.2f}%)"
        yield ""
        yield f"{type_name(flags)},{profile_name(flags)}: {sizes_text}"
        for item in space.devices:
            taken = space.on_device(item.devid, flags)
            if taken:
                yield f"   {escape(places.get(item.devid, _MISSING))}\t{size_text(taken, units):>10}"
    yield ""
    yield "Unallocated:"
    for item in space.devices:
        yield f"   {escape(places.get(item.devid, _MISSING))}\t{size_text(space.unallocated(item), units):>10}"


def usage_json(space: Space, places: Places) -> dict[str, Any]:
    """The same; numbers are bytes, and a missing device's path is null."""
    sums = overall(space)
    several = [type_name(kind).lower() for kind in sums.several_profiles]
    return {
        "overall": sums._asdict() | {"several_profiles": several},
        "devices": device_usage_json(space, places),
        "groups": df_json(sorted(space.usages, key=lambda usage: by_type(usage.flags)), space.reserve),
    }


def device_usage_lines(space: Space, places: Places, units: Units, escape: Escape) -> Iterator[str]:
    """What `device usage` prints: for each device its sizes, and what the block groups of each kind take of it."""
    for item in space.devices:
        rows = [("Device size", space.sizes.get(item.devid, 0)), ("Device slack", space.slack(item))]
        rows += [(name, size) for name, size, _ in _groups(space, item.devid)]
        yield f"{escape(places.get(item.devid, _MISSING))}, ID: {item.devid}"
        for name, size in [*rows, ("Unallocated", space.unallocated(item))]:
            yield f"   {name}:{' ' * abs(_NAME_WIDTH - len(name))}{size_text(size, units):>10}"
        yield ""


def device_usage_json(space: Space, places: Places) -> list[dict[str, Any]]:
    """The same; numbers are bytes, and a missing device's path is null."""
    return [
        {
            "devid": item.devid,
            "uuid": uuid_text(item.uuid),
            "path": places.get(item.devid),
            "size": item.total_bytes,
            "used": item.bytes_used,
            "slack": space.slack(item),
            "unallocated": space.unallocated(item),
            "groups": [fields for _, _, fields in _groups(space, item.devid)],
        }
        for item in space.devices
    ]


def several_profiles_text(found: Sequence[Usage]) -> str:
    """A notice of the types that have block groups of several profiles, such as of a conversion; else nothing."""
    flags = [usage.flags for usage in found]
    kinds = {type_name(kind): [profile_name(one) for one in flags if one & kind] for kind in several_profiles(found)}
    return "; ".join(f"{kind} block groups of several profiles: {', '.join(names)}" for kind, names in kinds.items())


def _groups(space: Space, devid: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """What kinds of block groups take of a device: the name with the width of striped profiles, bytes, JSON."""
    for _, flags, stripes, size in (taken for taken in space.taken if taken.devid == devid):
        profile = find_profile(flags)
        kind, name = type_name(flags), profile_name(flags)
        width = f"/{stripes}" if profile and not profile.whole else ""
        yield f"{kind},{name}{width}", size, {"bg-type": kind, "bg-profile": name, "stripes": stripes, "size": size}


def _overall_lines(sums: Overall, units: Units) -> Iterator[str]:
    width = 10 if units == HUMAN else 18
    yield "Overall:"
    for name, number in (
        ("Device size:\t\t", sums.size),
        ("Device allocated:\t\t", sums.allocated),
        ("Device unallocated:\t\t", sums.unallocated),
        ("Device missing:\t\t", sums.missing),
        ("Device slack:\t\t", sums.slack),
        ("Used:\t\t\t", sums.used),
    ):
        yield f"    {name}{size_text(number, units):>{width}}"
    least = size_text(sums.free_min, units)
    yield f"    Free (estimated):\t\t{size_text(sums.free_estimated, units):>{width}}\t(min: {least})"
    yield f"    Data ratio:\t\t\t{sums.data_ratio:{width}.2f}"
    yield f"    Metadata ratio:\t\t{sums.metadata_ratio:{width}.2f}"
    yield f"    Global reserve:\t\t{size_text(sums.reserve, units):>{width}}\t(used: {size_text(0, units)})"
    names = ", ".join(type_name(kind).lower() for kind in sums.several_profiles)
    yield f"    Multiple profiles:\t\t{'yes' if names else 'no':>{width}}" + (f"\t({names})" if names else "")


def _table(space: Space, places: Places, units: Units, escape: Escape) -> list[list[str]]:
    """A row a device, a column a kind of block groups; cells as `text_table` wants them."""
    kinds = [usage.flags for usage in space.usages]
    rule = ["*-"] * (len(kinds) + 5)

    def sizes(numbers: Iterable[int], nothing: str = "") -> list[str]:
        return [f">{nothing if nothing and not number else size_text(number, units)}" for number in numbers]

    rows = [
        ["", "", *(f"<{type_name(flags)}" for flags in kinds), "", "", ""],
        ["<Id", "<Path", *(f"<{profile_name(flags)}" for flags in kinds), "<Unallocated", "<Total", "<Slack"],
        rule,
    ]
    for item in space.devices:
        taken = sizes((space.on_device(item.devid, flags) for flags in kinds), "-")
        sums = sizes((space.unallocated(item), item.total_bytes)) + sizes([space.slack(item)], "-")
        rows.append([f">{item.devid}", f"<{escape(places.get(item.devid, _MISSING))}", *taken, *sums])
    totals = [sum(map(space.unallocated, space.devices)), sum(item.total_bytes for item in space.devices)]
    totals.append(sum(map(space.slack, space.devices)))
    rows += [rule, ["", "<Total", *sizes(usage.total for usage in space.usages), *sizes(totals)]]
    return [*rows, ["", "<Used", *sizes(usage.used for usage in space.usages), "", "", ""]]
