"""`check` (also `fsck`): verify all structures of a filesystem, and explain what is wrong. Nothing is changed."""

import json
import os
import sys
import time
from typing import Any

import click

from pybtrfs.commands._image import image_options, open_image
from pybtrfs.commands._names import escape_name
from pybtrfs.commands._session import FSCK_LEFT, FsckCommand, Session, define, escape


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
@image_options
def command(session: Session, image: str, data: bool, **where: Any) -> None:
    """Verify all structures of IMAGE and explain what is wrong. Nothing is changed.

    Exit status as fsck(8): 0 sound, 4 something is wrong, 8 it could not be checked, 16 usage.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start threads that nobody needs
    from pybtrfs.check.engine import Check  # noqa: PLC0415  start-up: numpy
    from pybtrfs.check.findings import Findings, Severity  # noqa: PLC0415
    from pybtrfs.check.paths import Paths  # noqa: PLC0415
    from pybtrfs.render.findings import finding_json, findings_text  # noqa: PLC0415

    findings, begin = Findings(), time.monotonic()
    with open_image(session, image, where) as filesystem:
        run = Check(filesystem, findings.take)
        run.run()
        paths = Paths(filesystem)
        errors, warnings, notes = (findings.count(severity) for severity in reversed(Severity))
        if session.json:
            for group in findings.groups():
                for finding in group.findings:
                    sys.stdout.write(json.dumps(finding_json(finding, paths.of(finding))) + "\n")
            summary = {
                "type": "summary",
                "errors": errors,
                "warnings": warnings,
                "notes": notes,
                "tree_blocks": run.blocks,
                "seconds": round(time.monotonic() - begin, 3),
            }
            sys.stdout.write(json.dumps(summary) + "\n")
        else:
            session.print_lines(findings_text(findings, paths.of, _shown))
            said = f"{errors} errors, {warnings} warnings" if errors or warnings else "no error found"
            session.print_lines([f"{escape(image)}: {said}; {run.blocks} tree blocks read"])
    session.status = FSCK_LEFT if errors or warnings else 0


def _shown(text: str | bytes) -> str:
    return escape_name(text) if isinstance(text, bytes) else escape(text)
