"""`tree`: directories drawn as a tree, as tree(1) draws them."""

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import click

from pybtrfs.commands._names import escape_name
from pybtrfs.commands._nodes import node_of
from pybtrfs.commands._place import Spot, going_on, open_places, places_options
from pybtrfs.commands._session import Session, define
from pybtrfs.errors import CorruptError
from pybtrfs.fs.directory import Entry
from pybtrfs.fs.file import read_symlink
from pybtrfs.fs.walk import Found, walk
from pybtrfs.ondisk import constants as c
from pybtrfs.render.files import Node, node_json
from pybtrfs.render.tree import ASCII, UNICODE, Branch, Counts, drawn, summary


class _Options(NamedTuple):
    """What is drawn."""

    everything: bool
    directories: bool
    level: int | None
    stay: bool
    sizes: bool


@define(name="tree")
@places_options
@click.option("-a", "everything", is_flag=True, help="Draw names that begin with a dot, too.")
@click.option("-d", "directories", is_flag=True, help="Draw directories only.")
@click.option("-L", "level", type=click.IntRange(1), help="Go no deeper than this.")
@click.option("-x", "stay", is_flag=True, help="Do not enter subvolumes.")
@click.option("-s", "sizes", is_flag=True, help="Print sizes in front of the names.")
@click.option("--charset", type=click.Choice(["ascii", "utf-8"]), help="Lines of these characters (what output takes).")
def command(session: Session, places: tuple[str, ...], charset: str | None, **given: Any) -> None:
    """Draw what is below places as a tree, sorted by name, subvolumes marked with their ids."""
    options = _Options(**{name: given.pop(name) for name in _Options._fields})
    counts = Counts()
    with open_places(session, places, given, follow=True) as spots:
        found = ((spot, one) for spot in spots for one in _walked(session, spot, options))
        if session.json:
            session.print_json_rows("tree", (_json(spot, one, node) for spot, (one, node) in found))
            return
        branches = (_branch(spot, one, node, sizes=options.sizes) for spot, (one, node) in found)
        session.print_lines(drawn(branches, _strokes(charset), counts))
    session.print_lines(["", summary(counts, directories_only=options.directories)])


def _walked(session: Session, spot: Spot, options: _Options) -> Iterator[tuple[Found, Node]]:
    """What is drawn, with the targets of links."""

    def keep(directory: bytes, entry: Entry) -> bool:
        return (options.everything or not entry.name.startswith(b".")) and (
            not options.directories or entry.type & ~c.FT_ENCRYPTED == c.FT_DIR
        )

    damage = spot.damage(session)
    with going_on(session, spot.image):
        for found in walk(
            spot.filesystem, spot.place, damage, ordered=True, deepest=options.level, cross=not options.stay, keep=keep
        ):
            node = node_of(found, spot.filesystem)
            if node.type == c.FT_SYMLINK:
                try:
                    node = node._replace(target=read_symlink(spot.filesystem, found.place))
                except CorruptError as error:
                    damage(found.path, error)
            yield found, node


def _branch(spot: Spot, found: Found, node: Node, *, sizes: bool) -> Branch:
    text = escape_name(node.name) if found.depth else spot.shown()
    if node.target is not None:
        text += f" -> {escape_name(node.target)}"
    if found.is_subvolume:
        text += f"  [subvolume {found.place.subvolume_id}]"
    size = f"[{found.inode.size:11}]  " if sizes else ""
    return Branch(found.depth, size + text, node.is_directory, found.is_last)


def _json(spot: Spot, found: Found, node: Node) -> dict[str, Any]:
    return {"image": spot.image, "depth": found.depth, **node_json(node, spot.at(found.path))}


def _strokes(charset: str | None) -> tuple[str, str, str, str]:
    if charset is not None:
        return UNICODE if charset == "utf-8" else ASCII
    try:
        "".join(UNICODE).encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return ASCII
    return UNICODE
