"""`du`: the space that files take, as coreutils' du prints it; and what deleting them would free."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import click

from pybtrfs.commands._image import open_image, split_place, where_options
from pybtrfs.commands._names import escape_name
from pybtrfs.commands._place import find_place
from pybtrfs.commands._session import Session, define
from pybtrfs.commands._types import IMAGE
from pybtrfs.errors import UsageError
from pybtrfs.fs.du import Name, Row, Scope, Selection, allocated, apparent, usage
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.inode import Place
from pybtrfs.fs.walk import Damage
from pybtrfs.render.blocks import SizeText, human, in_blocks
from pybtrfs.render.json_values import bytes_field

Complain = Callable[[str], None]
_KIB, _MIB = 1 << 10, 1 << 20
_UNITS = {
    "bytes": in_blocks(1),
    "kilo": in_blocks(_KIB),
    "mega": in_blocks(_MIB),
    "human": human(1024),
    "si": human(1000),
}
Line = tuple[bytes | None, Row]
"""The path that was asked for, None for the total; and a row of what is there."""


class _Argument(NamedTuple):
    path: bytes  # with a slash in front and none behind
    place: Place
    name: Name


@define(name="du", context_settings={"help_option_names": ["--help"]})
@click.option("-a", "--all", "files", is_flag=True, help="Lines for files, not only for directories.")
@click.option("--apparent-size", is_flag=True, help="The sizes of files, not what is allocated for them.")
@click.option("-b", "--bytes", "unit", flag_value="bytes", help="Bytes, and --apparent-size unless --exclusive.")
@click.option("-c", "--total", is_flag=True, help="A line for all arguments together.")
@click.option("-d", "--max-depth", "deepest", type=click.IntRange(0), help="Lines down to this depth only.")
@click.option("--exclusive", is_flag=True, help="What deleting each would free, its metadata included.")
@click.option("-h", "--human-readable", "unit", flag_value="human", help="Sizes such as 1.5K, 234M, 2.0G.")
@click.option("-k", "unit", flag_value="kilo", help="KiB (the default).")
@click.option("-l", "--count-links", is_flag=True, help="Count a file once for each of its names.")
@click.option("-m", "unit", flag_value="mega", help="MiB.")
@click.option("-s", "--summarize", is_flag=True, help="A line for each argument only.")
@click.option("--si", "unit", flag_value="si", help="As -h, in powers of 1000.")
@click.option("-x", "--one-file-system", is_flag=True, help="Leave out subvolumes below.")
@click.option("-0", "--null", is_flag=True, help="End lines with a NUL, and print names as they are.")
@click.option("--subvolid", type=int, help="Begin paths at this subvolume, not at the top level.")
@where_options
@click.argument("places", metavar="IMAGE[:/PATH]...", nargs=-1, required=True, type=IMAGE)
def command(session: Session, places: tuple[str, ...], subvolid: int | None, **options: Any) -> None:
    """Print the space that files take: a line for each directory at and below IMAGE:/PATH.

    Space is counted as on a mount: extents that files share count for each. --exclusive counts what would become
    free if the place were deleted, with the metadata of whole subvolumes: an extent that something else refers to,
    in whatever subvolume, does not count.
    """
    own = ("files", "apparent_size", "unit", "total", "deepest", "exclusive", "count_links", "summarize")
    chosen = {name: options.pop(name) for name in (*own, "one_file_system", "null")}
    _refuse_contradictions(chosen)
    images = {split_place(place)[0] for place in places}
    if len(images) > 1:
        raise UsageError(f"places in {len(images)} images, expected in one")
    [image] = images
    scope = Scope(0 if chosen["summarize"] else chosen["deepest"], chosen["files"], not chosen["one_file_system"])
    with open_image(session, image, options) as filesystem:
        arguments = [_find(filesystem, split_place(place)[1], subvolid) for place in dict.fromkeys(places)]
        gather = _exclusive if chosen["exclusive"] else _allocated
        lines = gather(filesystem, arguments, scope, session.complainer(image), chosen)
        if session.json:
            session.print_json("du", [_line_json(*line) for line in lines])
        else:
            _print(image, lines, _UNITS[chosen["unit"] or "kilo"], null=chosen["null"])


def _refuse_contradictions(chosen: dict[str, Any]) -> None:
    for one, other, contradict in (
        ("--summarize", "--all", chosen["summarize"] and chosen["files"]),
        ("--summarize", f"--max-depth={chosen['deepest']}", chosen["summarize"] and chosen["deepest"]),
        ("--exclusive", "--apparent-size", chosen["exclusive"] and chosen["apparent_size"]),
        ("--exclusive", "--count-links", chosen["exclusive"] and chosen["count_links"]),
    ):
        if contradict:
            raise UsageError(f"{one} and {other} exclude each other")


def _find(filesystem: Filesystem, typed: bytes, subvolid: int | None) -> _Argument:
    place, path = find_place(filesystem, typed, subvolid, follow=False)
    path = b"/" + path.strip(b"/")
    above, _, name = path.rpartition(b"/")
    directory = find_place(filesystem, above, subvolid)[0]
    return _Argument(path, place, (directory, name))


def _allocated(
    filesystem: Filesystem, arguments: list[_Argument], scope: Scope, complain: Complain, chosen: dict[str, Any]
) -> Iterator[Line]:
    """Lines of what is allocated, or of sizes, as they are found."""
    sizes = chosen["apparent_size"] or chosen["unit"] == "bytes"
    measure = apparent if sizes else allocated(filesystem.sectorsize)
    met = None if chosen["count_links"] else set[Place]()
    total = 0
    for argument in arguments:
        row = Row(b"", 0)
        for row in usage(filesystem, argument.place, scope, measure, _damage(complain, argument.path), met):
            yield argument.path, row
        total += row.size
    if chosen["total"]:
        yield None, Row(b"", total)


def _exclusive(
    filesystem: Filesystem, arguments: list[_Argument], scope: Scope, complain: Complain, chosen: dict[str, Any]
) -> Iterator[Line]:
    """Lines of what would be freed: each argument on its own, the total for all of them at once."""
    together = Selection(filesystem, scope._replace(deepest=0, files=False))
    for argument in arguments:
        selection = Selection(filesystem, scope)
        selection.add(argument.place, argument.name, _damage(complain, argument.path))
        for row in selection.rows(complain):
            yield argument.path, row
        if chosen["total"]:
            together.add(argument.place, argument.name, lambda path, error: None)
    if chosen["total"]:
        yield from ((None, row) for row in together.rows(complain))


def _damage(complain: Complain, above: bytes) -> Damage:
    return lambda path, error: complain(f"{escape_name(_joined(above, path))}: {error}")


def _joined(above: bytes, path: bytes) -> bytes:
    return above.rstrip(b"/") + b"/" + path if path else above


def _print(image: str, lines: Iterator[Line], text: SizeText, *, null: bool) -> None:
    for above, row in lines:
        if null:
            place = b"total" if above is None else os.fsencode(image) + b":" + _joined(above, row.path)
            sys.stdout.flush()
            sys.stdout.buffer.write(text(row.size).encode() + b"\t" + place + b"\0")
        else:
            shown = "total" if above is None else f"{image}:{escape_name(_joined(above, row.path))}"
            sys.stdout.write(f"{text(row.size)}\t{shown}\n")


def _line_json(above: bytes | None, row: Row) -> dict[str, Any]:
    path: dict[str, str | None] = {"path": None}
    if above is not None:
        path = {**bytes_field("path", _joined(above, row.path))}
    parts = {} if row.freed is None else row.freed._asdict()
    return {**path, "bytes": row.size, **parts}
