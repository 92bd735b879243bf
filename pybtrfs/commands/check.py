"""`check` (also `fsck`): verify all structures of a filesystem, and explain what is wrong. Nothing is changed."""

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from pybtrfs.commands._image import image_options, open_image
from pybtrfs.commands._names import escape_name
from pybtrfs.commands._session import FSCK_LEFT, FsckCommand, Session, define, escape
from pybtrfs.commands._types import NUMBER
from pybtrfs.errors import UsageError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk.constants import FIRST_FREE_OBJECTID
from pybtrfs.volume.opening import Where

if TYPE_CHECKING:
    from pybtrfs.check.findings import Finding, Findings
    from pybtrfs.check.paths import Paths
    from pybtrfs.render.progress import Progress


def _explain(ctx: click.Context, option: click.Parameter, code: str | None) -> None:
    if code is None:
        return
    from pybtrfs.check.catalogue import CATALOGUE  # noqa: PLC0415  start-up
    from pybtrfs.render.findings import explain_json, explain_text  # noqa: PLC0415

    session, found = ctx.find_object(Session) or Session(), CATALOGUE.get(code.upper())
    if found is None:
        raise click.BadParameter(f"no finding has the code '{code}'; the codes are {', '.join(CATALOGUE)}", ctx, option)
    if session.json:
        session.print_json("check-explain", explain_json(code.upper(), found))
    else:
        session.print_lines(explain_text(code.upper(), found))
    ctx.exit()


@define(None, "check", cls=FsckCommand)
@click.option("--check-data-csum", "data", is_flag=True, help="Also verify all data, every copy and parity.")
@click.option(
    "--explain",
    metavar="CODE",
    is_eager=True,
    expose_value=False,
    callback=_explain,
    help="Say what a code means, what is at risk and what to do next; no IMAGE is needed.",
)
@click.option("-s", "super_number", type=click.IntRange(0, 2), help="Read this superblock copy; as --super.")
@click.option("-b", "--backup", is_flag=True, help="Begin at the newest backup root older than the current one.")
@click.option("-r", "--tree-root", type=NUMBER, help="Begin at the root tree's block at this logical address.")
@click.option("--subvol", metavar="PATH", help="Of the file trees, judge the subvolume at PATH alone.")
@click.option("-p", "--progress", is_flag=True, help="Show progress (as is done on a terminal in any case).")
@image_options
def command(session: Session, image: str, data: bool, progress: bool, **options: Any) -> None:
    """Verify all structures of IMAGE and explain what is wrong. Nothing is changed.

    Exit status as fsck(8): 0 sound, 4 something is wrong, 8 it could not be checked, 16 usage.
    """
    gc.disable()  # nothing here is in cycles, and to look for them takes a tenth of the time
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start threads that nobody needs
    from pybtrfs.check.engine import Check  # noqa: PLC0415  start-up: numpy
    from pybtrfs.check.findings import Findings  # noqa: PLC0415

    findings, begin = Findings(), time.monotonic()
    number, where = options["super_number"], {name: options[name] for name in Where._fields}
    where["super_copy"] = where["super_copy"] if number is None else number
    with open_image(session, image, where) as filesystem:
        _begin(filesystem, backup=options["backup"], tree_root=options["tree_root"])
        only = None if options["subvol"] is None else _subvolume(filesystem, options["subvol"])
        with session.progress("checking") as shown:
            run = Check(filesystem, findings.take, data_csums=data, only=only, progress=_teller(shown))
            run.run()
        errors, warnings = _print(session, image, findings, filesystem, run.blocks, begin)
    session.status = FSCK_LEFT if errors or warnings else 0


def _begin(filesystem: Filesystem, *, backup: bool, tree_root: int | None) -> None:
    if backup and tree_root is not None:
        raise UsageError("--backup and --tree-root exclude each other")
    if backup:
        filesystem.begin_at_backup()
    elif tree_root is not None:
        filesystem.begin_at(tree_root)


def _subvolume(filesystem: Filesystem, path: str) -> int:
    from pybtrfs.commands._place import find_place  # noqa: PLC0415  start-up

    place, _ = find_place(filesystem, os.fsencode(path))
    if place.ino != FIRST_FREE_OBJECTID:
        raise UsageError(f"{path}: is no subvolume")
    return place.subvolume_id


def _teller(shown: "Progress | None") -> Callable[[str, int, int | None], None]:
    def tell(phase: str, done: int, expected: int | None) -> None:
        if shown is not None:
            shown.name(f"checking {phase}")
            size, items = (done, 0) if phase == "data" else (0, done)
            shown.update(size, items, lambda: done / expected if expected else None)

    return tell


def _print(
    session: Session, image: str, findings: "Findings", filesystem: Filesystem, blocks: int, begin: float
) -> tuple[int, int]:
    """Everything that was found; how many errors and warnings that is."""
    from pybtrfs.check.findings import Severity  # noqa: PLC0415  start-up
    from pybtrfs.render.findings import finding_json, findings_text  # noqa: PLC0415

    @cache
    def paths() -> "Paths":
        from pybtrfs.check.paths import Paths  # noqa: PLC0415  only where something was found

        return Paths(filesystem)

    def paths_of(finding: "Finding") -> list[bytes]:
        return paths().of(finding)

    errors, warnings, notes = (findings.count(severity) for severity in reversed(Severity))
    if session.json:
        found = [
            finding_json(finding, paths().of(finding)) for group in findings.groups() for finding in group.findings
        ]
        summary = {"type": "summary", "errors": errors, "warnings": warnings, "notes": notes, "tree_blocks": blocks}
        summary["seconds"] = round(time.monotonic() - begin, 3)
        sys.stdout.writelines(json.dumps(line) + "\n" for line in (*found, summary))
    else:
        session.print_lines(findings_text(findings, lambda finding: paths().of(finding), _shown))
        said = f"{errors} errors, {warnings} warnings" if errors or warnings else "no error found"
        session.print_lines([f"{escape(image)}: {said}; {blocks} tree blocks read"])
    return errors, warnings


def _shown(text: str | bytes) -> str:
    return escape_name(text) if isinstance(text, bytes) else escape(text)
