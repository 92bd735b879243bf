"""How commands take an image: the argument, the options that say where in it the filesystem is, errors by name."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from pybtrfs.commands._session import Session, naming
from pybtrfs.commands._types import IMAGE, SIZE
from pybtrfs.errors import RefusedError
from pybtrfs.fs.filesystem import Filesystem, open_filesystem
from pybtrfs.volume.opening import Where

F = TypeVar("F", bound=Callable[..., Any])


def image_options(function: F) -> F:
    """IMAGE and the options that say where in it the filesystem is; for `open_image`."""
    return where_options(click.argument("image", type=IMAGE)(function))


def where_options(function: F) -> F:
    """The options that say where in an image the filesystem is: the fields of `Where`."""
    for decorate in (
        click.option("--super", "super_copy", type=click.IntRange(0, 2), help="Read this superblock copy."),
        click.option("--partition", type=click.IntRange(1), help="Open this partition of a whole-disk image."),
        click.option("--offset", type=SIZE, help="Byte at which the filesystem begins in IMAGE."),
        click.option("--device", "devices", type=IMAGE, multiple=True, help="Another device of IMAGE's filesystem."),
    ):
        function = decorate(function)
    return function


@contextmanager
def open_image(session: Session, image: str, where: dict[str, Any], unsaid: str = "") -> Iterator[Filesystem]:
    """The filesystem in `image`, closed at the end; an error on the way names the image.

    `unsaid` is a notice that the command itself makes needless.
    """

    def notice(text: str) -> None:
        if not unsaid or not text.endswith(unsaid):
            session.notice(text)

    with open_filesystem(image, Where(**where), notice) as filesystem, naming(image):
        if session.verbose:
            sb, chunks = filesystem.superblock, len(filesystem.volume.chunks)
            session.notice(f"{image}: superblock at {sb.bytenr}, generation {sb.generation}, {chunks} chunks")
        yield filesystem
        if session.verbose:
            session.notice(f"{image}: {filesystem.store.blocks_read} tree blocks read")


def split_place(place: str) -> tuple[str, bytes]:
    """`IMAGE:/PATH` as image and path; the split is at the first `:/`, a bare IMAGE means its root.

    The `://` of a URL does not count, at the beginning or in a chain such as `zip://disk.img::https://host/x.zip`.
    """
    image = re.match(_IMAGE, place, re.DOTALL)
    assert image is not None, "it matches nothing as well"
    return image[0], os.fsencode(place[image.end() + 1 :] or "/")


_IMAGE = r"((?:\A|(?<=::))[A-Za-z][A-Za-z0-9+_-]+://|(?!:/).)*"


def places(filesystem: Filesystem) -> dict[int, str]:
    """Where each device that was given is, by its devid."""
    return {devid: os.path.realpath(device.name) for devid, device in filesystem.volume.devices.items()}


def refuse_own_device(filesystem: Filesystem, file: str) -> None:
    """`RefusedError` where output is to go into a file that is one of the filesystem's own devices."""
    for device in filesystem.volume.devices.values():
        if os.path.exists(file) and os.path.samefile(device.name, file):  # noqa: PTH110, PTH121  names may be any bytes
            raise RefusedError(f"{file}: is {device.name}, a device of the filesystem; it is not overwritten")
