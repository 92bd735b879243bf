"""How commands take a place inside an image: IMAGE:/PATH, with `--subvolid`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from pybtrfs.commands._image import image_options, open_image, split_place
from pybtrfs.commands._names import unescape_name
from pybtrfs.commands._session import Session
from pybtrfs.errors import NotFoundError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.inode import TOP, Place
from pybtrfs.fs.path import resolve, subvolume_place
from pybtrfs.volume.opening import Where

F = TypeVar("F", bound=Callable[..., Any])


def place_options(function: F) -> F:
    """IMAGE:/PATH and the options that say where it begins; for `open_place`."""
    subvolid = click.option("--subvolid", type=int, help="Begin paths at this subvolume, not at the top level.")
    return image_options(subvolid(function))


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
