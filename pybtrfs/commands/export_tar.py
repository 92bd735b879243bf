"""`export-tar`: files out of an image as a tar archive."""

import os
import sys
from typing import Any

import click

from pybtrfs.archive.export import export
from pybtrfs.commands._image import split_place
from pybtrfs.commands._outcome import reporting, selection_of, show_outcome
from pybtrfs.commands._place import open_place, place_options
from pybtrfs.commands._session import Session, define
from pybtrfs.commands._types import BYTES
from pybtrfs.errors import UsageError
from pybtrfs.host import Output

_AT_ONCE = 1 << 18


@define(name="export-tar")
@place_options
@click.argument("file", type=click.Path(allow_dash=True), metavar="FILE|-")
@click.option("--include", type=BYTES, multiple=True, help="Export only what matches this glob, or is below it.")
@click.option("--exclude", type=BYTES, multiple=True, help="Leave out what matches this glob, and all below it.")
@click.option("--no-xattrs", is_flag=True, help="Leave out extended attributes and ACLs.")
@click.option("--no-verify", is_flag=True, help="Do not compare data with its checksums.")
def command(session: Session, image: str, file: str, **options: Any) -> None:
    """Write all that can be read at IMAGE:/PATH into a tar archive, FILE or standard output.

    The archive is in the PAX form with extended attributes and sparse files; the same image gives the same bytes.
    What is damaged is named at the end, and the exit status is 1; zeros stand for the bad parts of a file.
    """
    selection = selection_of(options["include"], options["exclude"])
    if file == "-" and sys.stdout.isatty():
        raise UsageError("an archive is not written to a terminal; name a file, or redirect the output")
    if file == "-" and session.json:
        raise UsageError("--format json and the archive both want standard output; name a file")
    with open_place(session, image, options) as (filesystem, place, path), reporting(session, "export") as report:
        name = path.rstrip(b"/").rpartition(b"/")[2]
        wishes = {"with_xattrs": not options["no_xattrs"], "verify": not options["no_verify"]}
        if file == "-":
            sys.stdout.flush()
            with open(sys.stdout.fileno(), "wb", _AT_ONCE, closefd=False) as output:
                export(filesystem, place, output.write, report, name=name, selection=selection, **wishes)
        else:
            with Output(os.fsencode(file)) as output:
                buffered = _Buffered(output)
                export(filesystem, place, buffered.write, report, name=name, selection=selection, **wishes)
                buffered.flush()
    show_outcome(session, split_place(image)[0], path, report, name="export-tar", done="exported", silent=file == "-")


class _Buffered:
    """Small parts joined before they are written."""

    def __init__(self, output: Output) -> None:
        self._output, self._parts, self._size = output, list[bytes](), 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if len(data) >= _AT_ONCE:
            self.flush()
            self._output.write(data)
            return
        self._parts.append(bytes(data))
        self._size += len(data)
        if self._size >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        if self._parts:
            self._output.write(b"".join(self._parts))
            self._parts, self._size = [], 0
