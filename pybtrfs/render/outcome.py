"""What became of a restore or an export, as lines and as JSON."""

from collections.abc import Callable, Iterator
from typing import Any

from pybtrfs.archive.report import KINDS, Problem, Report
from pybtrfs.render.json_values import bytes_field
from pybtrfs.render.sizes import size_text

SHOWN = 20
LEFT_OUT = "left out: "
_SHOWN_RANGES = 8

ShowName = Callable[[bytes], str]


def outcome_lines(report: Report, done: str) -> Iterator[str]:
    """What was made (`done` says with which verb), and what was left out."""
    made = ", ".join(f"{count:,} {what}" for what, count in report.made.items()) or "nothing"
    yield f"{done} {made}; {size_text(report.bytes)} of content"
    for reason, count in report.left_out.items():
        yield f"{LEFT_OUT}{count:,} {reason}"


def problem_lines(report: Report, base: bytes, show: ShowName, most: int | None = SHOWN) -> Iterator[str]:
    """The problems by kind: how many there are, and the first `most` of each. `base` is where paths begin."""
    for kind in KINDS:
        count = report.counts[kind]
        if not count:
            continue
        yield f"{count:,} {'problem' if count == 1 else 'problems'}: {kind}"
        found = [problem for problem in report.problems if problem.kind == kind][:most]
        for problem in found:
            yield f"{show(joined(base, problem.path))}: {_reason(problem)}"
        if count > len(found):
            yield f"and {count - len(found):,} more: {kind}"


def outcome_json(report: Report, base: bytes) -> dict[str, Any]:
    """All that is known of a run; `unlisted` counts the problems beyond those that are kept."""
    return {
        "complete": report.is_complete,
        "made": dict(report.made),
        "bytes": report.bytes,
        "left_out": dict(report.left_out),
        "problems": [
            {
                "kind": problem.kind,
                **bytes_field("path", joined(base, problem.path)),
                "text": problem.text,
                "ranges": [{"first": first, "end": end} for first, end in problem.ranges],
            }
            for problem in report.problems
        ],
        "unlisted": report.counts.total() - len(report.problems),
    }


def joined(base: bytes, path: bytes) -> bytes:
    """The path from the top of the image."""
    return b"/" + b"/".join(part.strip(b"/") for part in (base, path) if part.strip(b"/"))


def _reason(problem: Problem) -> str:
    if not problem.ranges:
        return problem.text
    ranges = ", ".join(f"{first}-{end - 1}" for first, end in problem.ranges[:_SHOWN_RANGES])
    more = f" and {len(problem.ranges) - _SHOWN_RANGES} more ranges" if len(problem.ranges) > _SHOWN_RANGES else ""
    return f"bytes {ranges}{more}: {problem.text}"
