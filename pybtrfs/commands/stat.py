"""`stat`: all that is known of a file, as coreutils' stat prints it, and what btrfs knows beyond that."""

import stat
import sys
from typing import Any

import click

from pybtrfs.commands._names import escape_name
from pybtrfs.commands._nodes import Gatherer, spot_entry
from pybtrfs.commands._place import Spot, open_places, places_options
from pybtrfs.commands._session import Session, define
from pybtrfs.fs.extents import tally
from pybtrfs.fs.xattr import xattrs
from pybtrfs.ondisk import constants as c
from pybtrfs.render.files import node_json
from pybtrfs.render.json_values import bytes_field
from pybtrfs.render.stat import Subject, formatted, stat_lines, unescaped


@define(name="stat")
@places_options
@click.option("-L", "--dereference", "follow", is_flag=True, help="Follow a symbolic link at the end of a path.")
@click.option("-c", "form", help="Print this instead, with the directives of coreutils' stat filled in.")
@click.option("--printf", "raw_form", help="As -c, with escapes such as \\n read, and no line end added.")
def command(
    session: Session, places: tuple[str, ...], follow: bool, form: str | None, raw_form: str | None, **where: Any
) -> None:
    """Show all that is known of files of images.

    The text is that of coreutils' stat, with the subvolume's id where that has the device; then generations, flags,
    file extents and extended attributes. %d is the subvolume's id, %m the image.
    """
    with open_places(session, places, where, follow=follow) as spots:
        found = ((spot, subject) for spot in spots if (subject := _subject(session, spot)) is not None)
        if session.json:
            session.print_json_rows("stat", (_json(*pair) for pair in found))
        for _, subject in found:
            if raw_form is not None:
                sys.stdout.write(formatted(unescaped(raw_form), subject))
            else:
                session.print_lines([formatted(form, subject)] if form is not None else stat_lines(subject))


def _subject(session: Session, spot: Spot) -> Subject | None:
    damage, filesystem, place = spot.damage(session), spot.filesystem, spot.place
    node = Gatherer(spot, damage).node(spot_entry(spot), b"")
    if node.inode is None:
        return None
    attributes = tuple(xattrs(filesystem, place, lambda error: damage(b"", error)))
    is_file = stat.S_ISREG(node.inode.mode)
    counts = tally(filesystem, place, lambda error: damage(b"", error)) if is_file else None
    return Subject(node, node.inode, spot.image, filesystem.sectorsize, counts, attributes, escape_name)


def _json(spot: Spot, subject: Subject) -> dict[str, Any]:
    node, counts = subject.node._replace(name=spot.path.rstrip(b"/").rpartition(b"/")[2]), subject.tally
    shown = {"image": spot.image, **node_json(node, spot.path), "blocks": node.blocks, "user": node.user}
    shown |= {"group": node.group, "extents": None}
    if counts is not None:
        compressed = {c.COMPRESSION_NAMES[number]: count for number, count in counts.compressed.items()}
        shown["extents"] = counts._asdict() | {"compressed": compressed}
    shown["xattrs"] = [bytes_field("name", name) | bytes_field("value", value) for name, value in subject.xattrs]
    return shown
