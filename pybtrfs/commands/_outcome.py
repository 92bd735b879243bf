"""How commands that copy files out show their progress, and what became of them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pybtrfs.archive.report import Report
from pybtrfs.archive.selection import Selection
from pybtrfs.commands._names import escape_name
from pybtrfs.commands._session import Session
from pybtrfs.errors import UsageError


@contextmanager
def reporting(session: Session, what: str) -> Iterator[Report]:
    """A report whose advance is shown on a terminal while the block runs."""
    with session.progress(what) as progress:
        if progress is None:
            yield Report()
        else:
            yield Report(lambda report: progress.update(report.bytes, report.items, report.fraction))


def show_outcome(
    session: Session, image: str, base: bytes, report: Report, *, name: str, done: str, silent: bool = False
) -> None:
    """The summary on standard output, the problems on standard error; the exit status is 1 where there are any.

    `silent`: standard output has other things on it, so that only what was left out is said, as notices.
    """
    from pybtrfs.render.outcome import LEFT_OUT, SHOWN, outcome_json, outcome_lines, problem_lines  # noqa: PLC0415  start-up

    if session.json:
        session.print_json(name, outcome_json(report, base))
    elif silent:
        for line in outcome_lines(report, done):
            if line.startswith(LEFT_OUT):
                session.notice(f"{image}: {line}")
    elif not session.quiet:
        session.print_lines(outcome_lines(report, done))
        sys.stdout.flush()
    complain = session.complainer(image)
    for line in problem_lines(report, base, escape_name, None if session.verbose else SHOWN):
        complain(line)


def selection_of(
    include: tuple[bytes, ...],
    exclude: tuple[bytes, ...],
    path_regex: bytes | None = None,
    *,
    ignore_case: bool = False,
) -> Selection:
    """The files that a user wants; `UsageError` for a pattern that cannot be meant."""
    try:
        return Selection(include, exclude, path_regex, ignore_case=ignore_case)
    except ValueError as error:
        raise UsageError(str(error)) from None
