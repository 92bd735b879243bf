"""Subvolumes as text, as `btrfs subvolume list` and `show` print them, and as JSON values."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pybtrfs.fs.quota import Qgroup
from pybtrfs.fs.subvolume import TOP_LEVEL, Subvolume
from pybtrfs.ondisk.inode import Timespec
from pybtrfs.ondisk.quota import qgroup_name
from pybtrfs.ondisk.uuid import uuid_text
from pybtrfs.render.json_values import bytes_field, timespec_text
from pybtrfs.render.sizes import size_text
from pybtrfs.render.values import local_time

Row = tuple[Subvolume, bytes]
Escape = Callable[[bytes], str]
_UUID_WIDTH = 36


class Columns(NamedTuple):
    """Which columns besides id, generation, top level and path `subvolume list` prints."""

    parent: bool
    ogeneration: bool
    parent_uuid: bool
    received_uuid: bool
    uuid: bool
    otime: bool


def list_lines(rows: Iterable[Row], columns: Columns, escape: Escape) -> Iterator[str]:
    """A line a subvolume: names and values in turn."""
    for subvolume, path in rows:
        yield " ".join(f"{name} {value}" for name, value in _cells(subvolume, escape(path), columns))


def table_lines(rows: Iterable[Row], columns: Columns, escape: Escape) -> Iterator[str]:
    """The same with the names once, in a heading; columns are parted by tabs, as the C program has them."""
    names = _names(columns)
    yield "".join(f"{name}\t" for name in names)
    yield "".join(f"{'-' * len(name)}\t" for name in names)
    for subvolume, path in rows:
        cells = _cells(subvolume, escape(path), columns)
        yield "".join(
            f"{value}\t{chr(9) if name == 'top level' else ''}" if name != "path" else value for name, value in cells
        )


def table_cells(rows: Iterable[Row], columns: Columns, escape: Escape) -> tuple[list[str], list[list[str]]]:
    """The names of the columns and the cells of each row, for a table on a terminal."""
    cells = [_cells(subvolume, escape(path), columns) for subvolume, path in rows]
    return _names(columns), [[value if name == "path" else value.strip() for name, value in row] for row in cells]


def tree_lines(
    top: Row, below: Mapping[int, Sequence[Row]], columns: Columns, escape: Escape, *, ascii_only: bool = False
) -> Iterator[str]:
    """A line a subvolume, each under the one that holds it; paths lead from there.

    `below` are the subvolumes right below each id, in order.
    """
    fork, corner, bar, gap = ("|-- ", "`-- ", "|   ", "    ") if ascii_only else ("├── ", "└── ", "│   ", "    ")
    yield _tree_label(*top, columns, escape)
    waiting = [("", row, not number) for number, row in enumerate(reversed(below.get(top[0].id, ())))]
    while waiting:
        indent, row, last = waiting.pop()
        yield f"{indent}{corner if last else fork}{_tree_label(*row, columns, escape)}"
        inner = indent + (gap if last else bar)
        waiting += [(inner, child, not number) for number, child in enumerate(reversed(below.get(row[0].id, ())))]


def show_lines(
    subvolume: Subvolume, path: bytes, snapshots: Iterable[bytes], qgroup: Qgroup | None, escape: Escape
) -> Iterator[str]:
    """What `btrfs subvolume show` prints of one subvolume."""
    root = subvolume.root
    yield escape(path) or "/"
    for name, value in (
        ("Name:", escape(subvolume.name) or ("<FS_TREE>" if subvolume.id == TOP_LEVEL else "-")),
        ("UUID:", _uuid_or_dash(root.uuid)),
        ("Parent UUID:", _uuid_or_dash(root.parent_uuid)),
        ("Received UUID:", _uuid_or_dash(root.received_uuid)),
        ("Creation time:", _local_time(root.otime)),
        ("Subvolume ID:", subvolume.id),
        ("Generation:", root.generation),
        ("Gen at creation:", root.otransid),
        ("Parent ID:", subvolume.parent or 0),
        ("Top level ID:", subvolume.parent or 0),
        ("Flags:", "readonly" if root.read_only else "-"),
        ("Send transid:", root.stransid),
        ("Send time:", _local_time(root.stime)),
        ("Receive transid:", root.rtransid),
        ("Receive time:", _local_time(root.rtime)),
    ):
        yield f"\t{name} {_tabs(name)}{value}"
    yield "\tSnapshot(s):"
    for snapshot in snapshots:
        yield f"\t\t\t\t{escape(snapshot)}"
    yield from _qgroup_lines(qgroup)


def subvolume_json(subvolume: Subvolume, path: bytes) -> dict[str, Any]:
    """A subvolume as JSON values, named as btrfs-progs names them."""
    root = subvolume.root
    return {
        "id": subvolume.id,
        "generation": root.generation,
        "cgeneration": root.otransid,
        "parent": subvolume.parent,
        "top_level": subvolume.parent,
        "otime": timespec_text(root.otime),
        "uuid": _uuid_or_none(root.uuid),
        "parent_uuid": _uuid_or_none(root.parent_uuid),
        "received_uuid": _uuid_or_none(root.received_uuid),
        **bytes_field("path", path),
        **bytes_field("name", subvolume.name),
        "flags": ["readonly"] if root.read_only else [],
        "deleted": subvolume.deleted,
        "stransid": root.stransid,
        "stime": timespec_text(root.stime) if root.stime.sec else None,
        "rtransid": root.rtransid,
        "rtime": timespec_text(root.rtime) if root.rtime.sec else None,
    }


def _cells(subvolume: Subvolume, path: str, columns: Columns) -> list[tuple[str, str]]:
    root = subvolume.root
    parent = str(subvolume.parent or 0)
    values = {
        "ID": str(subvolume.id),
        "gen": str(root.generation),
        "cgen": str(subvolume.created),
        "parent": parent,
        "top level": parent,
        "otime": local_time(root.otime.sec) if root.otime.sec else "-",
        "parent_uuid": _uuid_or_dash(root.parent_uuid).ljust(_UUID_WIDTH),
        "received_uuid": _uuid_or_dash(root.received_uuid).ljust(_UUID_WIDTH),
        "uuid": _uuid_or_dash(root.uuid).ljust(_UUID_WIDTH),
        "path": path,
    }
    return [(name, values[name]) for name in _names(columns)]


def _names(columns: Columns) -> list[str]:
    """The names of the columns that are printed, in the order of btrfs-progs."""
    return [
        name
        for shown, name in (
            (True, "ID"),
            (True, "gen"),
            (columns.ogeneration, "cgen"),
            (columns.parent, "parent"),
            (True, "top level"),
            (columns.otime, "otime"),
            (columns.parent_uuid, "parent_uuid"),
            (columns.received_uuid, "received_uuid"),
            (columns.uuid, "uuid"),
            (True, "path"),
        )
        if shown
    ]


def _tree_label(subvolume: Subvolume, path: bytes, columns: Columns, escape: Escape) -> str:
    cells = [f"{name} {value.strip()}" for name, value in _cells(subvolume, "", columns)]
    facts = [cell for cell in cells if not cell.startswith(("top level ", "path "))]
    return f"{escape(path)} ({' '.join(facts + ['readonly'] * subvolume.root.read_only)})"


def _qgroup_lines(qgroup: Qgroup | None) -> Iterator[str]:
    if qgroup is None:
        yield "\tQuota group:\t\tn/a"
        return
    yield f"\tQuota group:\t\t{qgroup_name(qgroup.id)}"
    for name, limit in (("referenced", qgroup.limit.max_rfer), ("exclusive", qgroup.limit.max_excl)):
        yield f"\t  Limit {name}:\t{size_text(limit) if limit else '-'}"
    for name, usage in (("referenced", qgroup.info.rfer), ("exclusive", qgroup.info.excl)):
        yield f"\t  Usage {name}:\t{size_text(usage)}"


def _tabs(name: str) -> str:
    """The tabs between a name of `show`, with the space behind it, and its value."""
    return "\t" * (3 - (len(name) + 1) // 8)


def _uuid_or_dash(uuid: bytes) -> str:
    return uuid_text(uuid) if any(uuid) else "-"


def _uuid_or_none(uuid: bytes) -> str | None:
    return uuid_text(uuid) if any(uuid) else None


def _local_time(time: Timespec) -> str:
    if not time.sec:
        return "-"
    try:
        return datetime.fromtimestamp(time.sec, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    except (OverflowError, ValueError, OSError):
        return str(time.sec)
