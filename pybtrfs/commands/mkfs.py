"""`mkfs`: make an empty filesystem in image files or block devices."""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeVar

import click

from pybtrfs.commands._session import Session, define, escape, naming
from pybtrfs.commands._types import IMAGE, SIZE, UUID
from pybtrfs.errors import UsageError
from pybtrfs.mkfs.format import Destination, open_target, write_plan
from pybtrfs.mkfs.options import Request, feature_lines, resolve
from pybtrfs.mkfs.plan import plan, seeded_uuids
from pybtrfs.render.mkfs import summary_json, summary_lines

F = TypeVar("F", bound=Callable[..., Any])


def _list_features(ctx: click.Context, param: click.Parameter, lists: tuple[str, ...]) -> tuple[str, ...]:
    """`-O list-all` and `-R list-all` need no image."""
    if "list-all" in ",".join(lists).split(","):
        click.echo("\n".join(feature_lines(runtime=param.name == "runtime_features")))
        ctx.exit()
    return lists


def _features_option(*spellings: str, **settings: Any) -> Callable[[F], F]:
    settings |= {"multiple": True, "metavar": "LIST", "is_eager": True, "callback": _list_features}
    return click.option(*spellings, **settings)


@define(name="mkfs")
@click.argument("images", metavar="IMAGE...", type=IMAGE, nargs=-1, required=True)
@click.option("-L", "--label", default="", help="Label, at most 255 bytes.")
@click.option("-U", "--uuid", "fsid", type=UUID, help="UUID of the filesystem (random).")
@click.option("--device-uuid", type=UUID, help="UUID of the device, where there is one (random).")
@click.option("-n", "--nodesize", type=SIZE, help="Size of tree blocks (16K).")
@click.option("-s", "--sectorsize", type=SIZE, default="4K", help="Size of data blocks (4K).")
@click.option("-b", "--byte-count", type=SIZE, help="Size of each device; makes or grows a regular file.")
@click.option("-d", "--data", metavar="PROFILE", help="Profile of data, such as raid1 (single).")
@click.option("-m", "--metadata", metavar="PROFILE", help="Profile of metadata (dup; raid1 on several).")
@click.option("-M", "--mixed", is_flag=True, help="Data and metadata in shared block groups.")
@click.option(
    "--csum", "--checksum", metavar="TYPE", default="crc32c", help="crc32c, xxhash, sha256 or blake2 (crc32c)."
)
@_features_option("-O", "--features", help="Features to set, or with ^ to clear, with commas; list-all lists them.")
@_features_option("-R", "--runtime-features", help="Deprecated: the same for quota and free-space-tree.")
@click.option(
    "--reproducible", is_flag=True, help="Same options and sizes, same bytes (also by SOURCE_DATE_EPOCH, the time)."
)
@click.option("-f", "--force", is_flag=True, help="Overwrite what lives there.")
@click.option("-K", "--nodiscard", is_flag=True, help="Leave old contents in place, do not discard them.")
def command(
    session: Session,
    images: tuple[str, ...],
    label: str,
    byte_count: int | None,
    force: bool,
    nodiscard: bool,
    reproducible: bool,
    **wishes: Any,
) -> None:
    """Make an empty filesystem in IMAGE, a regular file or block device, or over several of them.

    With -b a file that is missing is made. What holds a filesystem or partition table is refused, unless -f.
    """
    _refuse_twins(images)
    epoch = _source_date_epoch()
    options = resolve(Request(label=os.fsencode(label), **wishes), len(images), session.notice)
    with ExitStack() as stack:
        targets = []
        for image in images:
            with naming(image):
                target = open_target(image, options, byte_count, force=force, devices=len(images))
                targets.append(stack.enter_context(target))
        with naming(images[0]):
            sizes = [target.size for target in targets]
            fixed = reproducible or epoch is not None
            uuids = seeded_uuids(options, sizes) if fixed else _new_uuid
            made = plan(options, sizes, clock=lambda: (epoch or 0) if fixed else int(time.time()), uuids=uuids)
            write_plan(made, [Destination(t.device, t.found, None if nodiscard else t.device.discard) for t in targets])
        if session.verbose:
            copies = sum(len(made.superblocks(member.devid)) for member in made.spec.members)
            session.notice(f"{images[0]}: {len(made.blocks)} tree blocks, {copies} superblocks written")
    paths = [os.fsencode(image) for image in images]
    if session.json:
        session.print_json("mkfs", summary_json(made, paths))
    elif not session.quiet:
        session.print_lines(summary_lines(made, paths, escape))


def _refuse_twins(images: tuple[str, ...]) -> None:
    """The same file or device under two names."""
    seen: dict[str, str] = {}
    for image in images:
        real = os.path.realpath(image)
        if real in seen:
            raise UsageError(f"{image} is given twice" if seen[real] == image else f"{image} is {seen[real]} again")
        seen[real] = image


def _source_date_epoch() -> int | None:
    """Seconds since 1970, as reproducible-builds.org have it; None where nothing is said."""
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and int(text) < 2**63):
        raise UsageError(f"SOURCE_DATE_EPOCH is {text!r}, expected seconds since 1970")
    return int(text)


def _new_uuid() -> bytes:
    from uuid import uuid4  # noqa: PLC0415  start-up

    return uuid4().bytes
