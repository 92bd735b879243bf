"""How commands take an image: the argument, the options that say where in it the filesystem is, errors by name."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from pybtrfs.commands._session import Session, naming
from pybtrfs.commands._types import IMAGE, SIZE
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
    """`IMAGE:/PATH` as image and path; the split is at the first `:/`, a bare IMAGE means its root."""
    image, colon, path = place.partition(":/")
    return image, os.fsencode("/" + path if colon else "/")
