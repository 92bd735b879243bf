"""`cp`: files out of images to the host, named as cp names them and written as `restore` writes them."""

import os
import stat
import time
from typing import Any

import click

from pybtrfs import host
from pybtrfs.archive.policy import Wishes
from pybtrfs.archive.restore import restore
from pybtrfs.commands._image import split_place, where_options
from pybtrfs.commands._names import escape_name
from pybtrfs.commands._outcome import reporting, show_outcome
from pybtrfs.commands._place import Spot, going_on, open_places, subvolid_option
from pybtrfs.commands._session import Session, define
from pybtrfs.commands._types import IMAGE
from pybtrfs.errors import PybtrfsError, UsageError
from pybtrfs.fs.inode import get_inode
from pybtrfs.render.outcome import joined

_NO_NAMES = (b"", b".", b"..")


@define(name="cp")
@where_options
@click.argument("sources", metavar="IMAGE:/PATH...", nargs=-1, required=True, type=IMAGE)
@click.argument("destination", metavar="DST", type=click.Path())
@subvolid_option
@click.option("-a", "--archive", is_flag=True, help="As -r, with owner, times, extended attributes and ACLs kept.")
@click.option("-r", "-R", "--recursive", is_flag=True, help="Copy directories with all below, and links as links.")
@click.option("-p", "preserve", is_flag=True, help="Keep mode, owner and times.")
@click.option("--no-verify", is_flag=True, help="Do not compare data with its checksums.")
@click.option("--trusted", is_flag=True, help="Set setuid bits and security attributes, and make device nodes.")
def command(session: Session, sources: tuple[str, ...], destination: str, **options: Any) -> None:
    """Copy files and directories out of images to DST on the host.

    Where DST is a directory, copies get the names of the sources in it. Files of the same names are replaced. Without
    -p or -a copies belong to whoever runs the command, with the umask taken off their mode, and are new.
    """
    if split_place(destination)[0] != destination:
        raise UsageError(f"{destination}: copying into an image is not possible yet, only out of one")
    target = os.fsencode(destination)
    if len(sources) > 1 and not os.path.isdir(target):  # noqa: PTH112  names may be any bytes
        raise UsageError(f"{destination}: is not a directory, and there are several sources")
    archive, recursive = options["archive"], options["archive"] or options["recursive"]
    kept = archive or options["preserve"]
    wishes = Wishes(
        owner=kept,
        xattrs=archive,
        trusted=options["trusted"],
        verify=not options["no_verify"],
        overwrite=True,
        masked=0 if kept else host.umask(),
        now=None if kept else time.time_ns(),
    )
    with open_places(session, sources, options, follow=not recursive) as spots:
        for spot in spots:
            with going_on(session, spot.image):
                _copy(session, spot, target, wishes, recursive=recursive)


def _copy(session: Session, spot: Spot, target: bytes, wishes: Wishes, *, recursive: bool) -> None:
    mode = get_inode(spot.filesystem, spot.place).mode
    is_directory = stat.S_ISDIR(mode)
    if not recursive and not stat.S_ISREG(mode):
        what = "is a directory" if is_directory else "is not a regular file"
        raise PybtrfsError(f"{escape_name(spot.path)}: {what}; -r or -a copies it")
    name = spot.path.rstrip(b"/").rpartition(b"/")[2]
    directory, below = target, b""
    if os.path.isdir(target):  # noqa: PTH112
        below = name if is_directory and name not in _NO_NAMES else b""
    elif not is_directory:
        directory, name = _divided(target)

    def told(path: bytes) -> None:
        session.print_lines([escape_name(joined(spot.path, path if is_directory else b""))])

    shown = told if session.verbose and not session.json else (lambda path: None)
    with reporting(session, "cp") as report:
        restore(spot.filesystem, spot.place, directory, wishes, report, name=name, below=below, told=shown)
    show_outcome(session, spot.image, spot.path, report, name="cp", done="copied", silent=True)


def _divided(target: bytes) -> tuple[bytes, bytes]:
    """The directory that a new file is to be in, and its name."""
    folder, slash, name = target.rpartition(b"/")
    folder = folder or slash or b"."
    if not name or not os.path.isdir(folder):  # noqa: PTH112
        raise PybtrfsError(f"{os.fsdecode(target)}: no such directory on the host")
    return folder, name
