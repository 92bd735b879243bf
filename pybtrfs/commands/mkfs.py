"""`mkfs`: make an empty filesystem in an image file or block device."""

import os
import time
from typing import Any

import click

from pybtrfs.commands._session import Session, define, escape, naming
from pybtrfs.commands._types import IMAGE, SIZE, UUID
from pybtrfs.mkfs.format import open_target, write_plan
from pybtrfs.mkfs.options import Request, feature_lines, resolve
from pybtrfs.mkfs.plan import plan
from pybtrfs.render.mkfs import summary_json, summary_lines


def _list_features(ctx: click.Context, param: click.Parameter, lists: tuple[str, ...]) -> tuple[str, ...]:
    """`-O list-all` needs no image."""
    if "list-all" in ",".join(lists).split(","):
        click.echo("\n".join(feature_lines()))
        ctx.exit()
    return lists


@define(name="mkfs")
@click.argument("image", type=IMAGE)
@click.option("-L", "--label", default="", help="Label, at most 255 bytes.")
@click.option("-U", "--uuid", "fsid", type=UUID, help="UUID of the filesystem (random).")
@click.option("--device-uuid", type=UUID, help="UUID of the device (random).")
@click.option("-n", "--nodesize", type=SIZE, help="Size of tree blocks (16K).")
@click.option("-s", "--sectorsize", type=SIZE, default="4K", help="Size of data blocks (4K).")
@click.option("-b", "--byte-count", type=SIZE, help="Size of the filesystem; makes or grows a regular file.")
@click.option("-d", "--data", metavar="PROFILE", help="Profile of data: single, dup (single).")
@click.option("-m", "--metadata", metavar="PROFILE", help="Profile of metadata: single, dup (dup).")
@click.option("-M", "--mixed", is_flag=True, help="Data and metadata in shared block groups.")
@click.option(
    "--csum", "--checksum", metavar="TYPE", default="crc32c", help="crc32c, xxhash, sha256 or blake2 (crc32c)."
)
@click.option(
    "-O",
    "--features",
    "-R",
    "--runtime-features",
    multiple=True,
    metavar="LIST",
    is_eager=True,
    callback=_list_features,
    help="Features to set, or with ^ to clear, with commas; list-all lists them.",
)
@click.option("-f", "--force", is_flag=True, help="Overwrite what lives there.")
@click.option("-K", "--nodiscard", is_flag=True, help="Leave old contents in place, do not discard them.")
def command(
    session: Session, image: str, label: str, byte_count: int | None, force: bool, nodiscard: bool, **wishes: Any
) -> None:
    """Make an empty filesystem in IMAGE, a regular file or block device.

    With -b a file that is missing is made. What holds a filesystem or partition table is refused, unless -f.
    """
    options = resolve(Request(label=os.fsencode(label), **wishes), notice=session.notice)
    with naming(image), open_target(image, options, byte_count, force=force) as target:
        made = plan(options, target.size, clock=_now, uuids=_new_uuid)
        discard = None if nodiscard else target.device.discard
        write_plan(made, target.device, found=target.found, discard=discard)
        if session.verbose:
            session.notice(f"{image}: {len(made.blocks)} tree blocks, {len(made.superblocks())} superblocks written")
    if session.json:
        session.print_json("mkfs", summary_json(made, os.fsencode(image)))
    elif not session.quiet:
        session.print_lines(summary_lines(made, os.fsencode(image), escape))


def _now() -> int:
    return int(time.time())


def _new_uuid() -> bytes:
    from uuid import uuid4  # noqa: PLC0415  start-up

    return uuid4().bytes
