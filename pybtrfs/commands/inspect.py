"""`inspect dump-super | dump-tree`: structures as they stand, as btrfs-progs print them, or as JSON."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click

from pybtrfs._version import VERSION
from pybtrfs.commands._image import image_options, open_image
from pybtrfs.commands._session import Session, define
from pybtrfs.commands._tree import group
from pybtrfs.commands._types import IMAGE, SIZE
from pybtrfs.errors import NotBtrfsError
from pybtrfs.fs.dump import Request, dump, parse_tree_id
from pybtrfs.ondisk.constants import MAGIC, SUPER_OFFSETS, U64_MAX
from pybtrfs.ondisk.superblock import SUPERBLOCK
from pybtrfs.render.dump_text import dump_text, options_of
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
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=IMAGE)
def dump_super(
    session: Session, images: tuple[str, ...], all_copies: bool, number: int, bytenr: int | None, **options: Any
) -> None:
    """Print the superblock of each IMAGE, sound or not, with its checksum verified."""
    full, force = options.pop("full"), options.pop("force")
    offsets = SUPER_OFFSETS if all_copies else (SUPER_OFFSETS[number] if bytenr is None else bytenr,)
    documents = []
    for image in images:
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
