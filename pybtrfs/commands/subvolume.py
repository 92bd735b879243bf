"""`subvolume list | show`, as `btrfs subvolume` prints them of a mounted filesystem."""

import os
import sys
from typing import Any

import click

from pybtrfs.commands._image import image_options, open_image, split_place
from pybtrfs.commands._session import Session, define, escape
from pybtrfs.commands._tree import group
from pybtrfs.commands._types import UUID
from pybtrfs.errors import NotFoundError, UsageError
from pybtrfs.fs.quota import find_qgroup
from pybtrfs.fs.subvolume import Subvolume, Subvolumes
from pybtrfs.fs.uuidtree import UuidTree
from pybtrfs.render.json_values import bytes_field
from pybtrfs.render.subvolumes import Columns, list_lines, show_lines, subvolume_json, table_cells, table_lines
from pybtrfs.render.tables import write_table

command = group("subvolume")

_SORT_KEYS = {
    "gen": lambda row: row[0].root.generation,
    "ogen": lambda row: row[0].root.otransid,
    "rootid": lambda row: row[0].id,
    "path": lambda row: row[1],
}


@define(command, "list")
@image_options
@click.option("-p", "parent", is_flag=True, help="Print the parent's id.")
@click.option("-c", "ogeneration", is_flag=True, help="Print the generation at creation.")
@click.option("-g", "generation", is_flag=True, help="Print the generation (it is always printed).")
@click.option("-u", "uuid", is_flag=True, help="Print the UUID.")
@click.option("-q", "parent_uuid", is_flag=True, help="Print the UUID of what it is a snapshot of.")
@click.option("-R", "received_uuid", is_flag=True, help="Print the received UUID.")
@click.option("-t", "table", is_flag=True, help="Print a table.")
@click.option("-s", "snapshots", is_flag=True, help="Only snapshots.")
@click.option("-r", "read_only", is_flag=True, help="Only read-only subvolumes.")
@click.option("-d", "deleted", is_flag=True, help="Only deleted subvolumes that are not cleaned up yet.")
@click.option("--sort", "order", type=click.Choice(list(_SORT_KEYS)), default="rootid", help="Order of the rows.")
def list_subvolumes(session: Session, image: str, table: bool, order: str, **options: Any) -> None:
    """List the subvolumes and snapshots of IMAGE, the top level left out.

    In a pipe the lines are those of `btrfs subvolume list`; on a terminal they are a table.
    """
    filters = {name: options.pop(name) for name in ("snapshots", "read_only", "deleted")}
    chosen = {name: options.pop(name) for name in Columns._fields if name != "otime"}
    columns = Columns(**chosen, otime=filters["snapshots"])
    columns = columns._replace(ogeneration=columns.ogeneration or filters["snapshots"])
    options.pop("generation")
    with open_image(session, image, options) as filesystem:
        subvolumes = Subvolumes(filesystem)
        rows = [(found, subvolumes.path(found)) for found in subvolumes if _wanted(found, **filters)]
    rows.sort(key=_SORT_KEYS[order])
    if session.json:
        session.print_json("subvolume-list", [subvolume_json(*row) for row in rows])
    elif sys.stdout.isatty() and rows and not table:
        write_table(*table_cells(rows, columns, escape), sys.stdout, plain=bool(os.environ.get("NO_COLOR")))
    else:
        session.print_lines((table_lines if table else list_lines)(rows, columns, escape))


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


def _wanted(subvolume: Subvolume, *, snapshots: bool, read_only: bool, deleted: bool) -> bool:
    if deleted or subvolume.parent is None:
        return deleted and subvolume.deleted
    if snapshots and not any(subvolume.root.parent_uuid):
        return False
    return subvolume.root.read_only or not read_only


def _id_of_uuid(tree: UuidTree, text: str) -> int:
    ids = tree.find(UUID.convert(text, None, None))
    if not ids:
        raise NotFoundError(f"no subvolume has the UUID {text}")
    return ids[0]
