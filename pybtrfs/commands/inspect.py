"""`inspect`: structures as they stand, as btrfs-progs print them, or as JSON."""

import os
import sys
from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Any

import click

from pybtrfs._version import VERSION
from pybtrfs.commands._image import image_options, open_image, places, refuse_own_device, split_place
from pybtrfs.commands._names import escape_name
from pybtrfs.commands._session import Session, define, escape, write_text
from pybtrfs.commands._tree import group
from pybtrfs.commands._types import IMAGE, NUMBER, SIZE, SortOrder
from pybtrfs.commands._units import unit_options, units_of
from pybtrfs.errors import NotBtrfsError, NotFoundError, UsageError
from pybtrfs.fs.dump import Request, dump, parse_tree_id
from pybtrfs.fs.path import resolve
from pybtrfs.fs.resolve import Resolver, User
from pybtrfs.fs.space import extents, raw_sizes, usages
from pybtrfs.fs.treestats import tree_stats as gather
from pybtrfs.fs.usage import data_first
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.constants import MAGIC, SUPER_OFFSETS, U64_MAX
from pybtrfs.ondisk.superblock import SUPERBLOCK
from pybtrfs.render.dump_text import dump_text, options_of
from pybtrfs.render.filesystems import title_text
from pybtrfs.render.json_values import bytes_field
from pybtrfs.render.map import bars, map_json
from pybtrfs.render.map_text import Picture, map_lines, write_map
from pybtrfs.render.space import SORT_KEYS, chunk_json, chunk_lines, chunk_rows, stats_json, stats_lines
from pybtrfs.render.superblock_text import dump_super_text
from pybtrfs.volume.device import Device
from pybtrfs.volume.opening import Where, open_device

command = group("inspect")


@define(command, "dump-super")
@click.option("-f", "--full", is_flag=True, help="Also the system chunks and the backup roots.")
@click.option("-a", "--all", "all_copies", is_flag=True, help="All copies that fit on the device.")
@click.option("-s", "--super", "number", type=click.IntRange(0, 2), default=0, help="This copy (0).")
@click.option("-F", "--force", is_flag=True, help="Show a copy even where its magic is wrong.")
@click.option("--bytenr", type=SIZE, help="The superblock at this byte of the device.")
@click.option("--partition", type=click.IntRange(1), help="Open this partition of a whole-disk image.")
@click.option("--offset", type=SIZE, help="Byte at which the filesystem begins in IMAGE.")
@click.option("--device", "devices", type=IMAGE, multiple=True, help="Another device, as a further IMAGE.")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=IMAGE)
def dump_super(
    session: Session, images: tuple[str, ...], all_copies: bool, number: int, bytenr: int | None, **options: Any
) -> None:
    """Print the superblock of each IMAGE, sound or not, with its checksum verified."""
    full, force, devices = options.pop("full"), options.pop("force"), options.pop("devices")
    offsets = SUPER_OFFSETS if all_copies else (SUPER_OFFSETS[number] if bytenr is None else bytenr,)
    documents = []
    for image in (*images, *devices):
        device = open_device(image, Where(**options), session.notice)
        try:
            copies = list(_copies(device, offsets))
        finally:
            device.close()
        if session.json:
            from pybtrfs.render.json_values import superblock_json  # noqa: PLC0415  start-up

            documents += [{"device": image, "bytenr": at, **superblock_json(raw, full=full)} for at, raw in copies]
            for at, raw in copies:
                if SUPERBLOCK.unpack_from(raw).magic != MAGIC and not force:
                    session.complainer(image)(f"bad magic on superblock at {at}")
        else:
            sys.stdout.writelines(dump_super_text(copies, image, session.complainer(image), full=full, force=force))
    if session.json:
        session.print_json("dump-super", documents)


@define(command, "dump-tree")
@click.option("-t", "--tree", help="This tree alone: a number, or a name such as root, fs, csum, uuid.")
@click.option(
    "-b", "--block", "blocks", type=click.IntRange(0, U64_MAX), multiple=True, help="This block alone (repeatable)."
)
@click.option("--follow", is_flag=True, help="With -b: also the blocks below.")
@click.option("-e", "--extents", is_flag=True, help="Only the extent and device trees.")
@click.option("-d", "device", is_flag=True, help="Only the root, chunk and device trees.")
@click.option("-u", "--uuid", is_flag=True, help="Only the UUID tree.")
@click.option("-r", "--roots", is_flag=True, help="Only where the trees begin.")
@click.option("-R", "--backups", is_flag=True, help="The same, and the backup roots.")
@click.option("--bfs", is_flag=True, help="Level by level (the default).")
@click.option("--dfs", "depth_first", is_flag=True, help="Each node, then what is below it.")
@click.option("--hide-names", is_flag=True, help="Print HIDDEN for names of files and attributes.")
@click.option("--csum-items", is_flag=True, help="Print each checksum of data.")
@click.option("--csum-headers", is_flag=True, help="Print each block's checksum.")
@image_options
def dump_tree(session: Session, image: str, tree: str | None, bfs: bool, backups: bool, **options: Any) -> None:
    """Print the trees of IMAGE: every block, every item.

    Damage is named on standard error and stepped over.
    """
    shown = {name: options.pop(name) for name in ("hide_names", "csum_items", "csum_headers")}
    names = ("blocks", "follow", "extents", "device", "uuid", "roots", "depth_first")
    request = Request(
        tree_id=None if tree is None else parse_tree_id(tree),
        backups=backups,
        **{name: options.pop(name) for name in names},
    )
    request = request._replace(roots=request.roots or backups, depth_first=request.depth_first and not bfs)
    with open_image(session, image, options) as filesystem:
        events = dump(filesystem, request)
        form = options_of(filesystem.superblock, **shown)
        if session.json:
            from pybtrfs.render.dump_json import dump_json  # noqa: PLC0415  start-up

            sys.stdout.writelines(dump_json(events, form, session.complainer(image)))
        else:
            sys.stdout.write(f"pybtrfs v{VERSION}\n")
            sys.stdout.writelines(dump_text(events, form, session.complainer(image)))


@define(command, "rootid")
@image_options
def rootid(session: Session, image: str, **where: Any) -> None:
    """Print the id of the subvolume that holds IMAGE:/PATH. Symbolic links are not followed."""
    image, path = split_place(image)
    with open_image(session, image, where) as filesystem:
        found = resolve(filesystem, path, follow=False).subvolume_id
    if session.json:
        session.print_json("rootid", found)
    else:
        session.print_lines([str(found)])


@define(command, "subvolid-resolve")
@click.argument("subvolid", type=NUMBER)
@image_options
def subvolid_resolve(session: Session, subvolid: int, image: str, **where: Any) -> None:
    """Print the path of the subvolume with this id, with no slash in front."""
    with open_image(session, image, where) as filesystem:
        path = Resolver(filesystem).subvolume_path(subvolid)
    if path is None:
        raise NotFoundError(f"{image}: subvolume {subvolid} has been deleted")
    if session.json:
        session.print_json("subvolid-resolve", bytes_field("path", path))
    else:
        session.print_lines([escape_name(path)])


@define(command, "inode-resolve")
@click.argument("ino", type=NUMBER)
@image_options
def inode_resolve(session: Session, ino: int, image: str, **where: Any) -> None:
    """Print all paths of an inode of the subvolume that holds IMAGE:/PATH: a line for each hard link."""
    image, path = split_place(image)
    with open_image(session, image, where) as filesystem:
        resolver = Resolver(filesystem, session.complainer(image))
        paths = list(resolver.paths(resolve(filesystem, path).subvolume_id, ino))
    if session.json:
        session.print_json("inode-resolve", [bytes_field("path", b"/" + found) for found in paths])
    else:
        session.print_lines(f"{image}:/{escape_name(found)}" for found in paths)
    if not paths and not session.failed:
        raise NotFoundError(f"{image}: the subvolume has no name for an inode {ino}")


@define(command, "logical-resolve")
@click.argument("logical", type=NUMBER)
@click.option("-P", "inodes", is_flag=True, help="Print inode, offset and subvolume in place of paths.")
@click.option("-o", "whole", is_flag=True, help="Also the files that use another part of the same extent.")
@click.option("-s", "size", type=NUMBER, help="Print only as much as a buffer of so many bytes would hold (all).")
@image_options
def logical_resolve(session: Session, logical: int, image: str, inodes: bool, size: int | None, **options: Any) -> None:
    """Print the paths of the files whose data stand at a logical address, in all subvolumes."""
    whole = options.pop("whole")
    with open_image(session, image, options) as filesystem:
        resolver = Resolver(filesystem, session.complainer(image))
        users = resolver.users(logical, whole=whole)
        if size is not None:
            users = users[: max(0, size - _BUFFER_HEAD) // _BUFFER_ROW]
        rows = [(user, [] if inodes else list(resolver.paths(user.tree_id, user.ino))) for user in users]
    for user, paths in rows:
        if not (inodes or paths):
            session.notice(f"inode {user.ino} offset {user.offset} root {user.tree_id}: no path leads to it")
    if session.json:
        session.print_json("logical-resolve", [_user_json(*row, inodes=inodes) for row in rows])
    elif inodes:
        session.print_lines(f"inode {user.ino} offset {user.offset} root {user.tree_id}" for user, _ in rows)
    else:
        session.print_lines(f"{image}:/{escape_name(path)}" for _, paths in rows for path in paths)


_BUFFER_HEAD, _BUFFER_ROW = 16, 24
"""Bytes that the kernel's answer takes: `btrfs_data_container`, and three numbers for each file extent."""


def _user_json(user: User, paths: list[bytes], *, inodes: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"inode": user.ino, "offset": user.offset, "root": user.tree_id}
    return shown if inodes else shown | {"paths": [bytes_field("path", b"/" + path) for path in paths]}


@define(command, "list-chunks")
@unit_options
@click.option("--sort", "orders", type=SortOrder(*SORT_KEYS), multiple=True, help="Order of the rows (devid, pstart).")
@image_options
def list_chunks(session: Session, image: str, orders: Iterable[list[tuple[str, bool]]], **options: Any) -> None:
    """Print each place that a chunk takes on a device, and how much of the chunk is used."""
    units = units_of(options)
    with open_image(session, image, options) as filesystem:
        rows = chunk_rows(extents(filesystem, session.complainer(image)))
    for name, descending in reversed([key for order in orders for key in order]):
        rows.sort(key=SORT_KEYS[name], reverse=descending)
    if session.json:
        session.print_json("list-chunks", [chunk_json(row) for row in rows])
    else:
        session.print_lines(chunk_lines(rows, units))


@define(command, "map")
@click.option("--svg", "picture", metavar="FILE", type=IMAGE, help="Write a picture into FILE (- is standard output).")
@unit_options
@image_options
def map_devices(session: Session, image: str, picture: str | None, **options: Any) -> None:
    """Draw where block groups of each kind lie on the devices, and how full they are.

    On a terminal a cell has the colour of its kind and is as high as it is full; in a pipe it is a letter for the
    kind, and below it a digit for the tenths in use.
    """
    units = units_of(options)
    if picture is not None and session.json:
        raise UsageError("--svg and --format json exclude each other")
    with open_image(session, image, options) as filesystem:
        found = list(extents(filesystem, session.complainer(image)))
        where, items = places(filesystem), list(filesystem.device_items.values())
        sb = filesystem.superblock
        if picture is not None:
            refuse_own_device(filesystem, picture)
    drawn = bars(items, found, where)
    if session.json:
        session.print_json("map", map_json(drawn, {item.devid: item.uuid for item in items}))
        return
    drawing = Picture(drawn, sorted(usages(found), key=lambda one: data_first(one.flags)), raw_sizes(found), units)
    if picture is not None:
        from pybtrfs.render.map_svg import map_svg  # noqa: PLC0415  start-up

        write_text(picture, map_svg(drawing, title_text(sb, sb.label_bytes, escape), escape))
    elif sys.stdout.isatty():
        write_map(drawing, escape, sys.stdout, plain=bool(os.environ.get("NO_COLOR")))
    else:
        session.print_lines(map_lines(drawing, escape))


@define(command, "tree-stats")
@click.option("-b", "raw", is_flag=True, help="The same as --raw.")
@click.option("-t", "tree", metavar="TREE", help="This tree alone: a number, or a name such as root, fs, csum.")
@unit_options
@image_options
def tree_stats(session: Session, image: str, raw: bool, tree: str | None, **options: Any) -> None:
    """Print how large trees are and how their blocks lie on the disk: the root, extent, csum and fs tree."""
    units = units_of(options)
    units = units._replace(raw=units.raw or raw)
    wanted = _STATS if tree is None else {f"tree ({parse_tree_id(tree)})": (parse_tree_id(tree), True)}
    documents = []
    with open_image(session, image, options) as filesystem:
        for name, (tree_id, find_inline) in wanted.items():
            if not session.json:
                session.print_lines([f"Calculating size of {name}"])
            start = perf_counter()
            stats = gather(filesystem.tree(tree_id), session.complainer(image), find_inline=find_inline)
            if session.json:
                documents.append({"tree": tree_id, **stats_json(stats)})
            else:
                seconds = perf_counter() - start if stats.levels > 1 else 0.0
                session.print_lines(stats_lines(stats, seconds, units))
    if session.json:
        session.print_json("tree-stats", documents)


_STATS = {
    "root tree": (c.ROOT_TREE_OBJECTID, False),
    "extent tree": (c.EXTENT_TREE_OBJECTID, False),
    "csum tree": (c.CSUM_TREE_OBJECTID, False),
    "fs tree": (c.FS_TREE_OBJECTID, True),
}
"""The trees that `tree-stats` walks, and whether inline data are added up."""


def _copies(device: Device, offsets: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """The copies at these offsets, those left out that do not fit on the device."""
    found = False
    for offset in offsets:
        if offset + SUPERBLOCK.size <= device.size:
            found = True
            yield offset, device.read(offset, SUPERBLOCK.size)
    if not found:
        places = ", ".join(map(str, offsets))
        raise NotBtrfsError(f"{device.name}: {device.size} bytes, too short for a superblock at {places}")
