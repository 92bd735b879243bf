"""`subvolume list | get-default | show`, as `btrfs subvolume` prints them of a mounted filesystem."""

import os
import sys
from collections.abc import Callable
from operator import eq, ge, le
from typing import Any, NamedTuple

import click

from pybtrfs.commands._image import image_options, open_image, split_place
from pybtrfs.commands._session import Session, define, escape
from pybtrfs.commands._tree import group
from pybtrfs.commands._types import UUID, SortOrder
from pybtrfs.errors import NotFoundError, UsageError
from pybtrfs.fs.path import default_subvolume_id, resolve
from pybtrfs.fs.quota import find_qgroup
from pybtrfs.fs.subvolume import TOP_LEVEL, Subvolume, Subvolumes
from pybtrfs.fs.uuidtree import UuidTree
from pybtrfs.render.json_values import bytes_field
from pybtrfs.render.subvolumes import (
    Columns,
    Row,
    list_lines,
    show_lines,
    subvolume_json,
    table_cells,
    table_lines,
    tree_lines,
)
from pybtrfs.render.tables import can_print, write_table

command = group("subvolume")

_SORT_KEYS: dict[str, Callable[[Row], Any]] = {
    "gen": lambda row: row[0].root.generation,
    "ogen": lambda row: row[0].created,
    "rootid": lambda row: row[0].id,
    "path": lambda row: row[1],
}
_BOUNDS: dict[str, Callable[[int, int], bool]] = {"+": ge, "-": le, "": eq}


class _Bound(click.ParamType[Callable[[int], bool]]):
    """A number, or with + or - in front the least or the greatest that is wanted."""

    name = "[+|-]N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Callable[[int], bool]:
        sign, digits = (value[0], value[1:]) if value[:1] in ("+", "-") else ("", value)
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 20:
            self.fail(f"'{value}' is not a generation (a number, with + or - in front for at least, at most)")
        return lambda number: _BOUNDS[sign](number, int(digits))


@define(command, "list")
@image_options
@click.option("-p", "parent", is_flag=True, help="Print the parent's id.")
@click.option("-c", "ogeneration", is_flag=True, help="Print the generation at creation.")
@click.option("-g", "generation", is_flag=True, help="Print the generation (it is always printed).")
@click.option("-u", "uuid", is_flag=True, help="Print the UUID.")
@click.option("-q", "parent_uuid", is_flag=True, help="Print the UUID of what it is a snapshot of.")
@click.option("-R", "received_uuid", is_flag=True, help="Print the received UUID.")
@click.option("-t", "table", is_flag=True, help="Print a table.")
@click.option("-a", "everything", is_flag=True, help="Mark paths outside IMAGE:/PATH with <FS_TREE>/.")
@click.option("-o", "below", is_flag=True, help="Only subvolumes right below IMAGE:/PATH.")
@click.option("-s", "snapshots", is_flag=True, help="Only snapshots.")
@click.option("-r", "read_only", is_flag=True, help="Only read-only subvolumes.")
@click.option("-d", "deleted", is_flag=True, help="Only deleted subvolumes that are not cleaned up yet.")
@click.option("-G", "gen", type=_Bound(), help="Only of this generation; +N at least, -N at most.")
@click.option("-C", "ogen", type=_Bound(), help="Only of this generation at creation; +N, -N alike.")
@click.option("--sort", "orders", type=SortOrder(*_SORT_KEYS), multiple=True, help="Order of the rows (rootid).")
@click.option("--tree", "as_tree", is_flag=True, help="Print each below the one that holds it.")
def list_subvolumes(session: Session, image: str, table: bool, as_tree: bool, **options: Any) -> None:
    """List the subvolumes and snapshots of IMAGE, the top level left out.

    IMAGE may be IMAGE:/PATH: paths are then as seen from the subvolume that holds PATH, where they lead below it.
    In a pipe the lines are those of `btrfs subvolume list`; on a terminal they are a table.
    """
    wanted = _Wanted(**{name: options.pop(name) for name in _Wanted._fields})
    keys = [key for order in options.pop("orders") for key in order]
    everything, below = options.pop("everything"), options.pop("below")
    if as_tree and (table or everything or below or wanted.deleted):
        raise UsageError("--tree goes with none of -a, -d, -o and -t")
    chosen = {name: options.pop(name) for name in Columns._fields if name != "otime"}
    columns = Columns(**chosen, otime=wanted.snapshots)
    columns = columns._replace(ogeneration=columns.ogeneration or wanted.snapshots or wanted.ogen is not None)
    options.pop("generation")
    image, path = split_place(image)
    with open_image(session, image, options) as filesystem:
        top = resolve(filesystem, path).subvolume_id
        subvolumes = Subvolumes(filesystem, session.complainer(image))
        found = [subvolume for subvolume in subvolumes if subvolume.id != TOP_LEVEL and wanted(subvolumes, subvolume)]
        if everything:
            rows = [(s, b"" if s.parent == top else b"<FS_TREE>/", subvolumes.path(s)) for s in found]
        elif below:
            rows = [(s, b"", subvolumes.path(s)) for s in found if s.parent == top]
        else:
            rows = [(s, b"", subvolumes.path(s, top)) for s in found]
        if as_tree and not session.json:
            _print_tree(session, subvolumes, top, _sorted([(s, path) for s, _, path in rows], keys), columns)
            return
    _print_list(session, _sorted([(s, mark + path) for s, mark, path in rows], keys), columns, table=table)


def _print_tree(session: Session, subvolumes: Subvolumes, top: int, rows: list[Row], columns: Columns) -> None:
    """The rows as a tree, with what leads to them from the subvolume `top`."""
    below: dict[int, list[Row]] = {}
    drawn: set[int] = set()
    for subvolume, _ in rows:
        while subvolume.parent is not None and subvolume.id != top and subvolume.id not in drawn:
            drawn.add(subvolume.id)
            below.setdefault(subvolume.parent, []).append((subvolume, subvolumes.path(subvolume, subvolume.parent)))
            subvolume = subvolumes.get(subvolume.parent)
    root = subvolumes.get(top)
    name = b"<FS_TREE>" if top == TOP_LEVEL else subvolumes.path(root)
    ascii_only = not can_print("├└│", sys.stdout.encoding)
    session.print_lines(tree_lines((root, name), below, columns, escape, ascii_only=ascii_only))


def _sorted(rows: list[Row], keys: list[tuple[str, bool]]) -> list[Row]:
    for name, descending in reversed(keys):
        rows.sort(key=_SORT_KEYS[name], reverse=descending)
    return rows


def _print_list(session: Session, rows: list[Row], columns: Columns, *, table: bool) -> None:
    if session.json:
        session.print_json("subvolume-list", [subvolume_json(*row) for row in rows])
    elif sys.stdout.isatty() and rows and not table:
        write_table(*table_cells(rows, columns, escape), sys.stdout, plain=bool(os.environ.get("NO_COLOR")))
    else:
        session.print_lines((table_lines if table else list_lines)(rows, columns, escape))


@define(command, "get-default")
@image_options
def get_default(session: Session, image: str, **where: Any) -> None:
    """Print the subvolume that is mounted where none is named: id, generation, parent and path."""
    with open_image(session, image, where) as filesystem:
        subvolumes = Subvolumes(filesystem)
        found = subvolumes.get(default_subvolume_id(filesystem))
        path = subvolumes.path(found)
    if session.json:
        session.print_json("subvolume-get-default", subvolume_json(found, path))
    elif found.id == TOP_LEVEL:
        session.print_lines([f"ID {TOP_LEVEL} (FS_TREE)"])
    else:
        session.print_lines(list_lines([(found, path)], Columns(*[False] * len(Columns._fields)), escape))


@define(command, "show")
@click.option("-r", "--rootid", type=int, help="Show the subvolume with this id.")
@click.option("-u", "--uuid", "uuid_text", help="Show the subvolume with this UUID.")
@image_options
def show(session: Session, image: str, rootid: int | None, uuid_text: str | None, **where: Any) -> None:
    """Show a subvolume: IMAGE:/PATH, or IMAGE with -r or -u."""
    image, path = split_place(image)
    if rootid is not None and uuid_text is not None:
        raise UsageError("--rootid and --uuid exclude each other")
    with open_image(session, image, where) as filesystem:
        subvolumes = Subvolumes(filesystem)
        if uuid_text is not None:
            rootid = _id_of_uuid(UuidTree(filesystem), uuid_text)
        found = subvolumes.at_path(path) if rootid is None else subvolumes.get(rootid)
        where_found = subvolumes.path(found)
        qgroup = find_qgroup(filesystem, found.id)
        snapshots = [subvolumes.path(snapshot) for snapshot in subvolumes.snapshots_of(found)]
    if session.json:
        paths = [bytes_field("path", name) for name in snapshots]
        session.print_json("subvolume-show", subvolume_json(found, where_found) | {"snapshots": paths})
    else:
        session.print_lines(show_lines(found, where_found, snapshots, qgroup, escape))


class _Wanted(NamedTuple):
    """Which subvolumes `list` was asked for."""

    snapshots: bool
    read_only: bool
    deleted: bool
    gen: Callable[[int], bool] | None
    ogen: Callable[[int], bool] | None

    def __call__(self, subvolumes: Subvolumes, subvolume: Subvolume) -> bool:
        root = subvolume.root
        return (
            (subvolumes.find_path(subvolume) is None) == self.deleted
            and (subvolume.key_offset != 0 or not self.snapshots)
            and (root.read_only or not self.read_only)
            and (self.gen is None or self.gen(root.generation))
            and (self.ogen is None or self.ogen(subvolume.created))
        )


def _id_of_uuid(tree: UuidTree, text: str) -> int:
    ids = tree.find(UUID.convert(text, None, None))
    if not ids:
        raise NotFoundError(f"no subvolume has the UUID {text}")
    return ids[0]
