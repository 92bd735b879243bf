"""`device stats | usage`, as `btrfs device` prints them, of a filesystem that is not mounted."""

from typing import Any

import click

from pybtrfs.commands._image import image_options, open_image, places
from pybtrfs.commands._session import Session, define, escape
from pybtrfs.commands._tree import group
from pybtrfs.commands._units import short_unit_options, units_of
from pybtrfs.fs.errorcounts import error_counts
from pybtrfs.fs.usage import Space
from pybtrfs.render.errorcounts import count_json, count_lines, count_table
from pybtrfs.render.usage import device_usage_json, device_usage_lines, several_profiles_text

command = group("device")
_ERRORS_COUNTED = 64


@define(command, "stats")
@click.option("-c", "--check", is_flag=True, help="End with status 64 where a counter is not zero.")
@click.option("-T", "table", is_flag=True, help="Print a table: a row for each device.")
@click.option("--offline", is_flag=True, help="Read the image itself (it is always read so).")
@image_options
def stats(session: Session, image: str, check: bool, table: bool, offline: bool, **where: Any) -> None:
    """Print how many errors the kernel has met on each device."""
    with open_image(session, image, where) as filesystem:
        counts, found = list(error_counts(filesystem)), places(filesystem)
    if session.json:
        session.print_json("device-stats", count_json(counts, found))
    else:
        session.print_lines((count_table if table else count_lines)(counts, found, escape))
    if check and any(any(numbers) for _, numbers in counts):
        session.status = _ERRORS_COUNTED


@define(command, "usage", context_settings={"help_option_names": ["--help"]})
@short_unit_options
@image_options
def usage(session: Session, image: str, **options: Any) -> None:
    """Print what the block groups of each type and profile take of each device."""
    units = units_of(options)
    with open_image(session, image, options) as filesystem:
        space = Space(filesystem, lambda text: None)  # how full block groups are is not printed
        found = places(filesystem)
    if text := several_profiles_text(space.usages):
        session.notice(f"{image}: {text}")
    if session.json:
        session.print_json("device-usage", device_usage_json(space, found))
    else:
        session.print_lines(device_usage_lines(space, found, units, escape))
