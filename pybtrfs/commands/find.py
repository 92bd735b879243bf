"""`find`: files below a place that pass all tests, which are those of GNU find, by the same names."""

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from operator import eq, gt, lt
from typing import Any, NamedTuple

import click

from pybtrfs.commands._globs import glob_test
from pybtrfs.commands._image import split_place
from pybtrfs.commands._nodes import node_of
from pybtrfs.commands._place import Spot, find_place, going_on, open_place, open_places, places_options
from pybtrfs.commands._session import Session, define
from pybtrfs.errors import CorruptError, NotFoundError
from pybtrfs.fs.directory import entries
from pybtrfs.fs.inode import get_inode
from pybtrfs.fs.walk import Found, walk
from pybtrfs.ondisk.inode import Timespec
from pybtrfs.render.files import file_type, node_json, type_letter

Test = Callable[[Found], bool]
_OPERATORS: dict[str, Callable[[int, int], bool]] = {"+": gt, "-": lt, "": eq}
_SIZES = {"c": 1, "w": 2, "b": 512, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_DAY = 24 * 60 * 60


class _Bound(click.ParamType[Callable[[int], bool]]):
    """A number; with + or - in front more, or less, than it; in units that a suffix says, whole ones, rounded up."""

    def __init__(self, units: dict[str, int] | None = None) -> None:
        self._units = units or {}
        self.name = "[+|-]N" + (f"[{''.join(self._units)}]" if units else "")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Callable[[int], bool]:
        sign, digits = (value[0], value[1:]) if value[:1] in ("+", "-") else ("", value)
        unit = self._units.get(digits[-1:], self._units.get("b", 1))
        digits = digits[:-1] if digits[-1:] in self._units else digits
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 20:
            self.fail(f"'{value}' is not {self.name}")
        return lambda number: _OPERATORS[sign](-(-number // unit), int(digits))


class _Mode(click.ParamType[Callable[[int], bool]]):
    """An octal mode; with - in front all of its bits must be there, with / any."""

    name = "[-|/]MODE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Callable[[int], bool]:
        sign, digits = (value[0], value[1:]) if value[:1] in ("/", "-") else ("", value)
        if not digits or len(digits) > 5 or digits.strip("01234567"):
            self.fail(f"'{value}' is not an octal mode, with - or / in front for all, or any, of its bits")
        wanted = int(digits, 8)
        return {
            "": lambda mode: mode == wanted,
            "-": lambda mode: mode & wanted == wanted,
            "/": lambda mode: not wanted or mode & wanted != 0,
        }[sign]


class _Types(click.ParamType[str]):
    """Letters of types, parted by commas."""

    name = "b|c|d|f|l|p|s,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        letters = value.split(",")
        if any(len(letter) != 1 or letter not in "bcdflps" for letter in letters):
            self.fail(f"'{value}' is not one of b, c, d, f, l, p, s, or several parted by commas")
        return "".join(letters).replace("f", "-")


class _Search(NamedTuple):
    """What the tests of one spot need to know."""

    session: Session
    spot: Spot
    subvolid: int | None
    now: float


@define(name="find", context_settings={"help_option_names": ["-h", "--help", "-help"]})
@places_options
@click.option("-name", metavar="PATTERN", multiple=True, help="The name matches this pattern (* ? [...]).")
@click.option("-iname", metavar="PATTERN", multiple=True, help="As -name, upper and lower case alike.")
@click.option(
    "-path",
    metavar="PATTERN",
    multiple=True,
    help="The path in the image matches this pattern; * matches slashes, too.",
)
@click.option("-ipath", metavar="PATTERN", multiple=True, help="As -path, upper and lower case alike.")
@click.option("-type", "kinds", type=_Types(), metavar=_Types.name, help="The type is one of these.")
@click.option(
    "-size",
    type=_Bound(_SIZES),
    metavar="[+|-]N[cwbkMG]",
    multiple=True,
    help="The size, rounded up to whole units (b: 512 bytes).",
)
@click.option("-empty", is_flag=True, help="A file without bytes, or a directory without entries.")
@click.option(
    "-newer", multiple=True, help="Changed later than this place, path in the image, or else file of the host."
)
@click.option("-mtime", type=_Bound(), multiple=True, help="Changed so many whole days ago.")
@click.option("-inum", type=_Bound(), multiple=True, help="The inode number.")
@click.option("-links", type=_Bound(), multiple=True, help="The number of hard links.")
@click.option("-uid", type=_Bound(), multiple=True, help="The owner's number.")
@click.option("-gid", type=_Bound(), multiple=True, help="The group's number.")
@click.option(
    "-perm", type=_Mode(), multiple=True, help="The permissions, octal: these, with - all of them, with / any."
)
@click.option("-mindepth", type=click.IntRange(0), default=0, help="Leave out what is less deep than this.")
@click.option("-maxdepth", type=click.IntRange(0), help="Go no deeper than this.")
@click.option("-xdev", is_flag=True, help="Do not enter subvolumes.")
@click.option("-print0", "print0", is_flag=True, help="End each path with a zero byte, and escape nothing.")
def command(session: Session, places: tuple[str, ...], **given: Any) -> None:
    """Find files below places, those that pass all tests that are given.

    Paths begin as the place was typed, in the order of the directories; subvolumes are entered.
    """
    shown = {name: given.pop(name) for name in ("mindepth", "maxdepth", "xdev", "print0")}
    tests = {name: given.pop(name) for name in _TESTS}
    now = time.time()
    with open_places(session, places, given, follow=False) as spots:
        found = (
            (spot, one)
            for spot in spots
            for one in _found(_Search(session, spot, given["subvolid"], now), tests, shown)
        )
        if session.json:
            session.print_json_rows("find", (_json(spot, one) for spot, one in found))
        elif shown["print0"]:
            sys.stdout.flush()
            for spot, one in found:
                sys.stdout.buffer.write(spot.typed(one.path) + b"\0")
        else:
            session.print_lines(spot.shown(one.path) for spot, one in found)


def _found(search: _Search, chosen: dict[str, Any], shown: dict[str, Any]) -> Iterator[Found]:
    """What passes all tests; damage is told on the way."""
    spot = search.spot
    with going_on(search.session, spot.image):
        tests = [
            _TESTS[name](value, search)
            for name, values in chosen.items()
            for value in (values if isinstance(values, tuple) else (values,) if values else ())
        ]
        for one in walk(
            spot.filesystem,
            spot.place,
            spot.damage(search.session),
            deepest=shown["maxdepth"],
            cross=not shown["xdev"],
        ):
            if one.depth >= shown["mindepth"] and all(test(one) for test in tests):
                yield one


def _json(spot: Spot, found: Found) -> dict[str, Any]:
    return {"image": spot.image, **node_json(node_of(found, spot.filesystem), spot.at(found.path))}


def _name(pattern: str, search: _Search, *, ignore_case: bool = False) -> Test:
    """The start itself has the last name of its path, and / where that has none."""
    matches, spot = glob_test(pattern, ignore_case=ignore_case), search.spot
    return lambda found: matches(found.name or spot.path.rstrip(b"/").rpartition(b"/")[2] or b"/")


def _path(pattern: str, search: _Search, *, ignore_case: bool = False) -> Test:
    matches, spot = glob_test(pattern, ignore_case=ignore_case), search.spot
    return lambda found: matches(spot.at(found.path))


def _kinds(letters: str, _search: _Search) -> Test:
    return lambda found: type_letter(file_type(found.inode.mode)) in letters


def _newer(typed: str, search: _Search) -> Test:
    than = _time_of(typed, search)
    return lambda found: found.inode.mtime > than


def _time_of(typed: str, search: _Search) -> Timespec:
    """When something changed: a place, a path in the image that is searched, or else a file of the host."""
    spot, (image, path) = search.spot, split_place(typed)
    if path != b"/" and image != spot.image:
        with open_place(search.session, typed, dict.fromkeys(_WHERE) | {"devices": ()}, follow=False) as (
            other,
            place,
            _,
        ):
            return get_inode(other, place).mtime
    if image != spot.image:
        path = os.fsencode(typed)
    try:
        place, _ = find_place(spot.filesystem, path, search.subvolid, follow=False)
        return get_inode(spot.filesystem, place).mtime
    except NotFoundError:
        return _time_of_host_file(typed)


def _time_of_host_file(typed: str) -> Timespec:
    try:
        return Timespec(*divmod(os.lstat(typed).st_mtime_ns, 10**9))  # names may be any bytes
    except OSError:
        raise NotFoundError(f"-newer {typed}: no such file, neither in the image nor on the host") from None


def _mtime(bound: Callable[[int], bool], search: _Search) -> Test:
    return lambda found: bound(int((search.now - found.inode.mtime.sec - found.inode.mtime.nsec / 10**9) // _DAY))


def _empty(_wanted: bool, search: _Search) -> Test:
    filesystem = search.spot.filesystem

    def is_empty(found: Found) -> bool:
        if not found.is_directory:
            return stat.S_ISREG(found.inode.mode) and not found.inode.size
        try:
            return next(entries(filesystem, found.place), None) is None
        except CorruptError:
            return False  # the walk names the damage

    return is_empty


def _number(value_of: Callable[[Found], int]) -> Callable[[Callable[[int], bool], _Search], Test]:
    return lambda bound, _search: lambda found: bound(value_of(found))


_WHERE = ("devices", "offset", "partition", "super_copy", "subvolid")
_TESTS: dict[str, Callable[[Any, _Search], Test]] = {
    "kinds": _kinds,
    "name": _name,
    "iname": lambda pattern, search: _name(pattern, search, ignore_case=True),
    "path": _path,
    "ipath": lambda pattern, search: _path(pattern, search, ignore_case=True),
    "size": _number(lambda found: found.inode.size),
    "inum": _number(lambda found: found.place.ino),
    "links": _number(lambda found: found.inode.nlink),
    "uid": _number(lambda found: found.inode.uid),
    "gid": _number(lambda found: found.inode.gid),
    "perm": _number(lambda found: stat.S_IMODE(found.inode.mode)),
    "newer": _newer,
    "mtime": _mtime,
    "empty": _empty,
}
"""A maker of each test: takes the option's value, and what is searched."""
