"""How commands take places inside images: IMAGE:/PATH, with `--subvolid`."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple, TypeVar

import click

from pybtrfs.commands._image import image_options, open_image, split_place, where_options
from pybtrfs.commands._names import escape_name, unescape_name
from pybtrfs.commands._session import Session
from pybtrfs.commands._types import IMAGE
from pybtrfs.errors import CorruptError, NotFoundError, PybtrfsError, UsageError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.inode import TOP, Place
from pybtrfs.fs.path import resolve, subvolume_place
from pybtrfs.volume.opening import Where

F = TypeVar("F", bound=Callable[..., Any])


subvolid_option = click.option("--subvolid", type=int, help="Begin paths at this subvolume, not at the top level.")


def place_options(function: F) -> F:
    """IMAGE:/PATH and the options that say where it begins; for `open_place`."""
    return image_options(subvolid_option(function))


def places_options(function: F) -> F:
    """One IMAGE:/PATH or several, and the same options; for `open_places`."""
    places = click.argument("places", metavar="IMAGE:/PATH...", nargs=-1, required=True, type=IMAGE)
    return where_options(places(subvolid_option(function)))


class Spot(NamedTuple):
    """A place that was named on the command line: the inode that `path` leads to, seen from `start`."""

    image: str
    filesystem: Filesystem
    place: Place
    path: bytes  # with a slash in front
    start: Place

    def typed(self, below: bytes = b"") -> bytes:
        """What would be typed for it, or for what stands at a path below it."""
        return os.fsencode(self.image) + b":" + self.at(below)

    def shown(self, below: bytes = b"") -> str:
        """The same, safe on a terminal; a name that cannot be shown is escaped so that it can be typed."""
        return escape_name(self.typed(below))

    def at(self, below: bytes) -> bytes:
        """The path of what stands at a path below this place."""
        return self.path if not below else (self.path if self.path.endswith(b"/") else self.path + b"/") + below

    def damage(self, session: Session) -> Callable[[bytes, CorruptError], None]:
        """What takes damage below this place: it is named, and the exit status will be 1."""
        complain = session.complainer(self.image)
        return lambda below, error: complain(f"{escape_name(self.at(below))}: {error}")


@contextmanager
def open_place(
    session: Session, typed: str, where: dict[str, Any], *, follow: bool = True
) -> Iterator[tuple[Filesystem, Place, bytes]]:
    """The filesystem of IMAGE:/PATH, the inode that PATH leads to, and the path as it was found.

    `where` holds the values of `place_options`; `follow`: whether a symbolic link at the path's end is followed.
    """
    image, path = split_place(typed)
    options = {name: where[name] for name in Where._fields}
    with open_image(session, image, options) as filesystem:
        yield filesystem, *find_place(filesystem, path, where["subvolid"], follow=follow)


def find_place(
    filesystem: Filesystem, typed: bytes, subvolid: int | None = None, *, follow: bool = True
) -> tuple[Place, bytes]:
    """The inode at a path as it was typed, or else as what is shown so; and that path."""
    start = TOP if subvolid is None else subvolume_place(filesystem, subvolid)
    try:
        return resolve(filesystem, typed, start, follow=follow), typed
    except NotFoundError:
        path = unescape_name(typed)
        if path == typed:
            raise
    return resolve(filesystem, path, start, follow=follow), path


@contextmanager
def open_places(
    session: Session, typed: Sequence[str], where: dict[str, Any], *, follow: bool = True
) -> Iterator[list[Spot]]:
    """The places that were named; each image is opened once. What is not there is told, and the others remain."""
    options, subvolid = {name: where[name] for name in Where._fields}, where["subvolid"]
    with ExitStack() as stack:
        opened: dict[str, Filesystem | None] = {}
        spots = []
        for image, path in map(split_place, typed):
            with going_on(session, image):
                if image not in opened:
                    opened[image] = None
                    opened[image] = stack.enter_context(open_image(session, image, options))
                filesystem = opened[image]
                if filesystem is not None:
                    start = TOP if subvolid is None else subvolume_place(filesystem, subvolid)
                    spots.append(Spot(image, filesystem, *find_place(filesystem, path, subvolid, follow=follow), start))
        yield spots


@contextmanager
def going_on(session: Session, image: str) -> Iterator[None]:
    """An error within, other than of usage, is told as one of `image`, and the exit status will be 1."""
    try:
        yield
    except UsageError:
        raise
    except PybtrfsError as error:
        session.complainer(image)(str(error))
