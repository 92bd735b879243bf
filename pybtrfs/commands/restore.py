"""`restore`: files out of an image into a directory of the host."""

import os
from typing import Any

import click

from pybtrfs.archive.policy import Wishes
from pybtrfs.archive.restore import restore as restore_into
from pybtrfs.archive.restore import unheard, would_restore
from pybtrfs.commands._image import split_place
from pybtrfs.commands._names import escape_name
from pybtrfs.commands._outcome import reporting, selection_of, show_outcome
from pybtrfs.commands._place import open_place, place_options
from pybtrfs.commands._session import Session, define
from pybtrfs.commands._types import BYTES
from pybtrfs.render.outcome import joined

_TAKEN = ("-s", "--snapshots", "-x", "--xattr", "-m", "--metadata", "-S", "--symlink", "-i", "--ignore-errors")


@define(name="restore")
@place_options
@click.argument("directory", type=click.Path(), metavar="DIR")
@click.option("-D", "--dry-run", is_flag=True, help="Only list what would be restored.")
@click.option("-o", "--overwrite", is_flag=True, help="Replace files of DIR that have the same names.")
@click.option("--include", type=BYTES, multiple=True, help="Restore only what matches this glob, or is below it.")
@click.option("--exclude", type=BYTES, multiple=True, help="Leave out what matches this glob, and all below it.")
@click.option("--path-regex", type=BYTES, help="Restore only paths that match, of directories, too.")
@click.option("-c", "--ignore-case", is_flag=True, help="Ignore case in --path-regex.")
@click.option("--no-owner", is_flag=True, help="Leave files to whoever runs the command.")
@click.option("--no-special", is_flag=True, help="Leave out device nodes, fifos and sockets.")
@click.option("--no-xattrs", is_flag=True, help="Leave out extended attributes and ACLs.")
@click.option("--no-verify", is_flag=True, help="Do not compare data with its checksums.")
@click.option("--trusted", is_flag=True, help="Set setuid bits and security attributes, and make device nodes.")
@click.option("-r", "--root", type=int, help="As --subvolid.")
@click.option("-u", "mirror", type=click.IntRange(0, 2), help="As --super.")
@click.option("legacy", *_TAKEN, is_flag=True, expose_value=False, help="Done always; for scripts of btrfs restore.")
def command(session: Session, image: str, directory: str, **options: Any) -> None:
    """Restore all that can be read at IMAGE:/PATH into the directory DIR.

    Nothing is written outside DIR, whatever the image or DIR hold. What is damaged is left out, named at the end,
    and the exit status is 1; the bad parts of a file are written as zeros.
    """
    wishes = Wishes(
        owner=not options["no_owner"],
        special=not options["no_special"],
        xattrs=not options["no_xattrs"],
        trusted=options["trusted"],
        verify=not options["no_verify"],
        overwrite=options["overwrite"],
    )
    selection = selection_of(
        options["include"], options["exclude"], options["path_regex"], ignore_case=options["ignore_case"]
    )
    for option, other in (("subvolid", "root"), ("super_copy", "mirror")):
        if options[other] is not None:
            options[option] = options[other]
    with open_place(session, image, options) as (filesystem, place, path):

        def told(below: bytes) -> None:
            session.print_lines([escape_name(joined(path, below))])

        listing = (options["dry_run"] or session.verbose) and not session.json
        with reporting(session, "restore") as report:
            name = path.rstrip(b"/").rpartition(b"/")[2]
            shown = told if listing else unheard
            if options["dry_run"]:
                would_restore(filesystem, place, wishes, report, name=name, selection=selection, told=shown)
            else:
                target = os.fsencode(directory)
                restore_into(filesystem, place, target, wishes, report, name=name, selection=selection, told=shown)
    done = "would restore" if options["dry_run"] else "restored"
    show_outcome(session, split_place(image)[0], path, report, name="restore", done=done)
