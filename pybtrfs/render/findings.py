"""Findings for people, grouped by what is wrong, and for programs, a line of JSON each."""

import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from pybtrfs.check.catalogue import CATALOGUE, Entry
from pybtrfs.check.findings import Finding, Findings, Group, Severity
from pybtrfs.render.json_values import bytes_field

SHOWN_OF_A_CODE = 10
_WIDTH = 100
PathsOf = Callable[[Finding], list[bytes]]


def findings_text(findings: Findings, paths_of: PathsOf, escape: Callable[..., str]) -> Iterator[str]:
    """Lines: of each code what is wrong, where, in which files, what that means and what to do."""
    for group in findings.groups():
        entry = CATALOGUE[group.code]
        yield f"{group.severity.name.lower()} {group.code}: {entry.title} ({group.total} found)"
        yield from _places(group, paths_of, escape)
        if group.severity > Severity.NOTE:
            yield from _texts(entry)
        yield ""


def explain_text(code: str, entry: Entry) -> Iterator[str]:
    """What `--explain` prints of a code."""
    yield f"{code}: {entry.title}"
    yield from _texts(entry)


def finding_json(finding: Finding, paths: list[bytes]) -> dict[str, Any]:
    """One finding as JSON values."""
    return {
        "type": "finding",
        "code": finding.code,
        "severity": finding.severity.name.lower(),
        "title": CATALOGUE[finding.code].title,
        "message": finding.message,
        "tree": finding.tree,
        "inode": finding.ino,
        "bytenr": finding.bytenr,
        "paths": [bytes_field("path", path) for path in paths],
    }


def explain_json(code: str, entry: Entry) -> dict[str, Any]:
    """The texts of a code as JSON values."""
    return {"code": code, **entry._asdict()}


def _places(group: Group, paths_of: PathsOf, escape: Callable[..., str]) -> Iterator[str]:
    for finding in group.findings[:SHOWN_OF_A_CODE]:
        yield f"  {escape(finding.message)}"
        for path in paths_of(finding):
            yield f"    {escape(path)}"
    more = group.total - min(len(group.findings), SHOWN_OF_A_CODE)
    if more:
        yield f"  … and {more} more like {'it' if more == 1 else 'them'}"


def _texts(entry: Entry) -> Iterator[str]:
    for name, text in (("means", entry.meaning), ("risk", entry.risk), ("next", entry.next)):
        yield from textwrap.wrap(f"{name}: {text}", _WIDTH, initial_indent="  ", subsequent_indent="         ")
