"""`cat`: the bytes of files on standard output, verified on the way."""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from pybtrfs.commands._names import escape_name
from pybtrfs.commands._place import Spot, going_on, open_places, places_options
from pybtrfs.commands._session import Session, define
from pybtrfs.commands._types import SIZE
from pybtrfs.errors import CorruptError, PybtrfsError, UsageError
from pybtrfs.fs.file import READ_BYTES, File

Advance = Callable[[int, int], None]
_STANDARD_OUTPUT = 1
_ZEROS = memoryview(bytes(READ_BYTES))


@define(name="cat")
@places_options
@click.option("--from", "first", type=SIZE, default=0, help="Begin at this byte of each file.")
@click.option("--length", type=SIZE, help="Print at most so many bytes of each file.")
@click.option("--no-verify", is_flag=True, help="Do not compare data with its checksums.")
def command(
    session: Session, places: tuple[str, ...], first: int, length: int | None, no_verify: bool, **where: Any
) -> None:
    """Print what is in files of images.

    Each sector is compared with its checksum, and another copy is taken where it does not hold. Where none does,
    the file ends there, and the place is named.
    """
    if session.json:
        raise UsageError("cat prints bytes; --format json has no meaning")
    with open_places(session, places, where) as spots, _advancing(session) as advance:
        sys.stdout.flush()
        for spot in spots:
            with going_on(session, spot.image):
                _print(_file(spot, verify=not no_verify), spot, first, length, advance)


def _file(spot: Spot, *, verify: bool) -> File:
    file = File(spot.filesystem, spot.place, verify=verify)
    if not stat.S_ISREG(file.inode.mode):
        what = "a directory" if stat.S_ISDIR(file.inode.mode) else "not a regular file"
        raise PybtrfsError(f"{escape_name(spot.path)}: is {what}")
    return file


def _print(file: File, spot: Spot, first: int, length: int | None, advance: Advance) -> None:
    end = file.size if length is None else min(file.size, first + length)
    first, done = min(first, end), 0
    try:
        for offset, size, data, problem in file.pieces(first, end):
            if problem is not None:
                raise CorruptError(f"byte {offset}: {problem}")
            for part in _zeros(size) if data is None else (data,):
                _write(part)
                done += len(part)
                advance(done, end - first)
    except CorruptError as error:
        raise CorruptError(f"{escape_name(spot.path)}: {error}") from None


def _zeros(size: int) -> Iterator[memoryview]:
    for at in range(0, size, READ_BYTES):
        yield _ZEROS[: min(READ_BYTES, size - at)]


@contextmanager
def _advancing(session: Session) -> Iterator[Advance]:
    """What shows how many bytes of how many are done; nothing where the bytes themselves go to the terminal."""
    if sys.stdout.isatty():
        yield lambda done, whole: None
        return
    with session.progress("cat") as progress:
        if progress is None:
            yield lambda done, whole: None
        else:
            yield lambda done, whole: progress.update(done, 0, lambda: done / whole)


def _write(data: bytes | bytearray | memoryview) -> None:
    done = os.write(_STANDARD_OUTPUT, data)
    while done < len(data):
        data = memoryview(data)[done:]
        done = os.write(_STANDARD_OUTPUT, data)
