"""`filesystem show | df | usage | label`, as `btrfs filesystem` prints them, of a filesystem that is not mounted."""

from typing import Any

import click

from pybtrfs.commands._image import image_options, open_image, places
from pybtrfs.commands._session import Session, define, escape
from pybtrfs.commands._tree import group
from pybtrfs.commands._units import short_unit_options, unit_options, units_of
from pybtrfs.fs.space import devices, extents, global_reserve, usages
from pybtrfs.fs.usage import Space
from pybtrfs.render.filesystems import df_json, df_lines, show_json, show_lines
from pybtrfs.render.usage import several_profiles_text, usage_json, usage_lines

command = group("filesystem")
_LETTERS = {"help_option_names": ["--help"]}


@define(command, "show")
@unit_options
@image_options
def show(session: Session, image: str, **options: Any) -> None:
    """Print label, UUID, devices and how much of them is used."""
    units = units_of(options)
    with open_image(session, image, options) as filesystem:
        sb, found = filesystem.superblock, devices(filesystem)
        where = places(filesystem)
    label = sb.label_bytes
    if session.json:
        session.print_json("filesystem-show", show_json(sb, label, found, where))
    else:
        session.print_lines(show_lines(sb, label, found, where, units, escape))


@define(command, "df", context_settings=_LETTERS)
@short_unit_options
@image_options
def df(session: Session, image: str, **options: Any) -> None:
    """Print how much of the block groups of each type and profile is used."""
    units = units_of(options)
    with open_image(session, image, options) as filesystem:
        found, reserve = usages(extents(filesystem)), global_reserve(filesystem)
    if text := several_profiles_text(found):
        session.notice(f"{image}: {text}")
    if session.json:
        session.print_json("filesystem-df", df_json(found, reserve))
    else:
        session.print_lines(df_lines(found, reserve, units))


@define(command, "usage", context_settings=_LETTERS)
@short_unit_options
@click.option("-T", "table", is_flag=True, help="Print a table: a row for each device.")
@image_options
def usage(session: Session, image: str, table: bool, **options: Any) -> None:
    """Print how the devices' space is divided, and how much is left."""
    units = units_of(options)
    with open_image(session, image, options) as filesystem:
        space, where = Space(filesystem), places(filesystem)
    if session.json:
        session.print_json("filesystem-usage", usage_json(space, where))
    else:
        session.print_lines(usage_lines(space, where, units, escape, table=table))


@define(command, "label")
@image_options
def label(session: Session, image: str, **where: Any) -> None:
    """Print the label."""
    with open_image(session, image, where) as filesystem:
        found = filesystem.superblock.label_bytes
    if session.json:
        from pybtrfs.render.json_values import bytes_field  # noqa: PLC0415  start-up

        session.print_json("filesystem-label", bytes_field("label", found))
    else:
        click.echo(escape(found))
