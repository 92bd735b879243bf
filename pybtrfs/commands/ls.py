"""`ls`: names in directories and what stands behind them, as coreutils' ls prints them in the C locale."""

import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import click

from pybtrfs.commands._names import escape_name
from pybtrfs.commands._nodes import Gatherer, spot_entry
from pybtrfs.commands._place import Spot, going_on, open_places, places_options
from pybtrfs.commands._session import Session, define
from pybtrfs.errors import CorruptError, PybtrfsError
from pybtrfs.fs.directory import Entry, entries
from pybtrfs.fs.inode import Place, get_inode
from pybtrfs.fs.path import resolve
from pybtrfs.fs.walk import LONGEST_PATH
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.inode import Timespec
from pybtrfs.render.files import Node, file_type, node_json
from pybtrfs.render.json_values import bytes_field
from pybtrfs.render.listing import Style, columns, listing, total_line


class _Options(NamedTuple):
    """What is listed, in which order, and whether in one column."""

    everything: bool
    almost: bool
    directory: bool
    recursive: bool
    by_time: bool
    by_size: bool
    backwards: bool
    single: bool
    numeric: bool


class _Section(NamedTuple):
    """What is listed together: the files that were named, where `spot` is None, or a directory."""

    spot: Spot | None
    below: bytes  # the path of the directory from the spot
    nodes: list[Node]


@define(context_settings={"help_option_names": ["--help"]}, name="ls")
@places_options
@click.option("-l", "long", is_flag=True, help="A line a file with mode, links, owner, group, size and time.")
@click.option("-a", "--all", "everything", is_flag=True, help="List names that begin with a dot, . and .. as well.")
@click.option(
    "-A", "--almost-all", "almost", is_flag=True, help="List names that begin with a dot, without . and .. there."
)
@click.option("-R", "--recursive", is_flag=True, help="List directories below, too, each under its name.")
@click.option("-d", "--directory", is_flag=True, help="List directories themselves, not what is in them.")
@click.option("-1", "single", is_flag=True, help="Print a name a line (as in a pipe).")
@click.option("-i", "--inode", is_flag=True, help="Print inode numbers.")
@click.option("-s", "--size", "allocated", is_flag=True, help="Print the space in use, in KiB.")
@click.option("-h", "--human-readable", "human", is_flag=True, help="Print sizes with the unit that fits.")
@click.option("-n", "--numeric-uid-gid", "numeric", is_flag=True, help="As -l, with owners as numbers.")
@click.option("-F", "--classify", is_flag=True, help="Mark names with one of */=@| by type.")
@click.option("-t", "by_time", is_flag=True, help="Sort by time of change, newest first.")
@click.option("-S", "by_size", is_flag=True, help="Sort by size, largest first.")
@click.option("-r", "--reverse", "backwards", is_flag=True, help="Sort the other way round.")
@click.option("--full-time", is_flag=True, help="As -l, with whole dates, nanoseconds and zone.")
def command(session: Session, places: tuple[str, ...], **given: Any) -> None:
    """List directories and files of images.

    Names are sorted byte by byte. Owners have the names that the image's own etc/passwd and etc/group give them.
    """
    options = _Options(**{name: given.pop(name) for name in _Options._fields})
    chosen = {name: given.pop(name) for name in ("long", "inode", "allocated", "human", "classify", "full_time")}
    chosen["long"] = chosen["long"] or options.numeric or chosen["full_time"]
    style = Style(**chosen, now=time.time(), escape=escape_name)
    with open_places(session, places, given, follow=False) as spots:
        if not (style.long or options.directory or style.classify):
            spots = [_followed(session, spot) for spot in spots]
        lister = _Lister(session, options, style)
        if session.json:
            session.print_json_rows("ls", map(_section_json, lister.sections(spots)))
        else:
            lister.print(spots, headed=options.recursive or len(places) > 1)


def _followed(session: Session, spot: Spot) -> Spot:
    """A link to a directory is listed as that directory."""
    with going_on(session, spot.image):
        if file_type(get_inode(spot.filesystem, spot.place).mode) == c.FT_SYMLINK:
            try:
                place = resolve(spot.filesystem, spot.path, spot.start)
            except PybtrfsError:
                return spot
            if file_type(get_inode(spot.filesystem, place).mode) == c.FT_DIR:
                return spot._replace(place=place)
    return spot


class _Lister:
    """Lists spots: first the files among them, then each directory."""

    def __init__(self, session: Session, options: _Options, style: Style) -> None:
        self._session, self._options, self._style = session, options, style
        ordered = options.by_time or options.by_size
        self._bare = not (style.long or style.inode or style.allocated or style.classify or ordered or session.json)

    def print(self, spots: list[Spot], *, headed: bool) -> None:
        """As text, with directories under their names where they are `headed`."""
        say, style, first = self._session.print_lines, self._style, True
        for spot, below, nodes in self.sections(spots):
            if spot is not None and headed:
                say(["", f"{spot.shown(below)}:"][first:])
            if spot is not None and (style.long or style.allocated):
                say([total_line(nodes, style)])
            say(self._lines(nodes))
            first = False

    def sections(self, spots: list[Spot]) -> Iterator[_Section]:
        """What is listed together, in order."""
        named = {id(node): (node, spot) for node, spot in ((self._named(spot), spot) for spot in spots)}
        nodes = self._sorted([node for node, _ in named.values()])
        apart = [node for node in nodes if self._options.directory or not node.is_directory]
        if apart:
            yield _Section(None, b"", apart)
        for node in nodes:
            if node.is_directory and not self._options.directory:
                yield from self._directories(named[id(node)][1])

    def _named(self, spot: Spot) -> Node:
        gatherer = Gatherer(spot, spot.damage(self._session), numeric=self._options.numeric)
        return gatherer.node(spot_entry(spot), b"", follow_target=self._style.classify)

    def _directories(self, spot: Spot) -> Iterator[_Section]:
        """A directory; with -R all below it, in order. One that hangs in two places is entered once."""
        damage = spot.damage(self._session)
        gatherer = Gatherer(spot, damage, numeric=self._options.numeric)
        pending, entered = [(b"", spot.place)], {spot.place}
        while pending:
            below, place = pending.pop()
            nodes = self._sorted(self._inside(gatherer, spot, below, place))
            yield _Section(spot, below, nodes)
            if not self._options.recursive:
                return
            for node in reversed(nodes):
                path = below + b"/" * bool(below) + node.name
                unread = node.inode is None and not self._bare  # which was told already
                if not node.is_directory or node.name in (b".", b"..") or unread:
                    continue
                if node.place in entered or len(path) > LONGEST_PATH:
                    damage(path, CorruptError(f"{node.place}: hangs in two places, or too deep; it is not entered"))
                    continue
                if not node.place.is_left_over:
                    entered.add(node.place)
                pending.append((path, node.place))

    def _inside(self, gatherer: Gatherer, spot: Spot, below: bytes, place: Place) -> list[Node]:
        damage, everything = spot.damage(self._session), self._options.everything
        hidden = everything or self._options.almost
        prefix, nodes = below + b"/" * bool(below), []
        found = entries(spot.filesystem, place, partial(damage, below))
        for entry in (*(_dots(spot, below, place) if everything else ()), *found):
            if not hidden and entry.name.startswith(b"."):
                continue
            nodes.append(
                Node(entry.name, entry.place, entry.type, is_subvolume=entry.is_subvolume)
                if self._bare
                else gatherer.node(entry, prefix + entry.name, follow_target=self._style.classify)
            )
        return nodes

    def _sorted(self, nodes: list[Node]) -> list[Node]:
        nodes.sort(key=lambda node: node.name)
        if self._options.by_size:
            nodes.sort(key=lambda node: -node.inode.size if node.inode else 0)
        elif self._options.by_time:
            nodes.sort(key=lambda node: node.inode.mtime if node.inode else Timespec(0, 0), reverse=True)
        return nodes[::-1] if self._options.backwards else nodes

    def _lines(self, nodes: list[Node]) -> Iterator[str]:
        lines = listing(nodes, self._style)
        in_columns = sys.stdout.isatty() and not (self._options.single or self._style.long)
        return columns(list(lines), _terminal_width(), _cell_width) if in_columns else lines


def _dots(spot: Spot, below: bytes, place: Place) -> Iterator[Entry]:
    """The entries . and .. of a directory, which btrfs does not store."""
    above = resolve(spot.filesystem, spot.at(below) + b"/..", spot.start)
    for name, where in ((b".", place), (b"..", above)):
        yield Entry(name, where, c.FT_DIR, False)


def _section_json(section: _Section) -> dict[str, Any]:
    spot, below, nodes = section
    shown: dict[str, Any] = {"image": None, "path": None}
    if spot is not None:
        shown = {"image": spot.image, **bytes_field("path", spot.at(below))}
    return shown | {"entries": [node_json(node) for node in nodes]}


def _terminal_width() -> int:
    from shutil import get_terminal_size  # noqa: PLC0415  start-up

    return get_terminal_size().columns


def _cell_width(text: str) -> int:
    from rich.cells import cell_len  # noqa: PLC0415  start-up

    return cell_len(text)
