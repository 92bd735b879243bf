"""Whole processes timed by the kernel's own accounting, two commands in turn: A B A B …

Of each run: wall seconds, CPU seconds (user and system) and peak memory. Medians are quoted, and the ratio is
the median of the ratios of the pairs, which holds where the machine's speed drifts.
"""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

RUNS = 7


class Run(NamedTuple):
    """One run of a command."""

    wall: float
    cpu: float
    peak_mib: float


class Pair(NamedTuple):
    """Medians of ours and theirs, and the median ratios ours / theirs."""

    ours: Run
    theirs: Run
    wall_ratio: float
    cpu_ratio: float


def run(command: Sequence[str]) -> Run:
    """Run a command to its end with its output thrown away."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command} exited with {process.returncode}"
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def pair(
    ours: Sequence[str], theirs: Sequence[str], runs: int = RUNS, before: Callable[[], object] = lambda: None
) -> Pair:
    """Both commands in turn, `runs` times after one run of each that does not count; `before` comes before each."""

    def measured(command: Sequence[str]) -> Run:
        before()
        return run(command)

    measured(ours), measured(theirs)
    rows = [(measured(ours), measured(theirs)) for _ in range(runs)]
    return Pair(
        median([row[0] for row in rows]),
        median([row[1] for row in rows]),
        statistics.median(a.wall / b.wall for a, b in rows),
        statistics.median(a.cpu / max(b.cpu, 1e-3) for a, b in rows),
    )


def median(runs: Sequence[Run]) -> Run:
    return Run(*(statistics.median(column) for column in zip(*runs, strict=True)))


def table(title: str, rows: Sequence[tuple[str, Pair]]) -> str:
    """A Markdown table of pairs."""
    lines = [
        f"### {title}",
        "",
        "| job | ours: wall s / CPU s / MiB | the other | ratio of wall / of CPU |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {_cell(p.ours)} | {_cell(p.theirs)} | {p.wall_ratio:.2f} / {p.cpu_ratio:.2f} |" for name, p in rows
    ]
    return "\n".join(lines) + "\n"


def _cell(run: Run) -> str:
    return f"{run.wall:.3f} / {run.cpu:.3f} / {run.peak_mib:.0f}"
