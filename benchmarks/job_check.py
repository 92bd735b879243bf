"""`check` of large images, beside `btrfs check` of the same image in the same run: CPU, peak memory, and bounds.

Each run of either begins with the image in the page cache. The C program throws it out of there by itself, when it
closes what it has opened, and reads from the disk again.
"""

import os
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.images import image, judge
from benchmarks.timing import Pair, pair

PYBTRFS = f"{sys.prefix}/bin/pybtrfs"
RUNS = 3


class Job(NamedTuple):
    """A row: what is checked, and what the issue allows."""

    name: str
    about: str
    bound: str
    options: tuple[str, ...] = ()


JOBS = (
    Job("20000-files", "20,000 files", "0.25 s"),
    Job("300000-mixed-files", "300,000 mixed files", "0.7"),
    Job("million-files", "1,000,000 small files", "0.8, memory 0.35"),
    Job("50-snapshots", "100,000 files, 50 changed snapshots", "0.25"),
    Job("fragmented-file", "1 GiB file in 262,144 extents", "0.5"),
    Job("300000-mixed-files", "`--check-data-csum` of {data:.1f} GB", "0.7", ("--check-data-csum",)),
)


def report() -> str:
    version = judge.btrfs("--version").split()[1]
    lines = [
        f"### `check`, beside `btrfs check` of {version}: CPU (user and system) and peak memory of the whole process",
        "",
        "| image | ours | `btrfs check` | ratio of CPU | at most | ratio of memory |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_row, JOBS)]) + "\n"


def _row(job: Job) -> str:
    path = str(image(job.name))
    found = pair(
        [PYBTRFS, "check", "-q", *job.options, path],
        ["btrfs", "check", *job.options, path],
        RUNS,
        partial(_cached, path),
    )
    about = job.about.format(data=_data(path)) if job.options else job.about
    memory = found.ours.peak_mib / found.theirs.peak_mib
    return f"| {about} | {_ours(found)} | {_theirs(found)} | {found.cpu_ratio:.2f} | {job.bound} | {memory:.2f} |"


def _cached(path: str) -> None:
    """Read all of a sparse file that is there."""
    with Path(path).open("rb", buffering=0) as file:
        at, size = 0, os.fstat(file.fileno()).st_size
        while at < size:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                return  # a hole up to the end
            end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            while at < end:
                at += len(os.pread(file.fileno(), min(end - at, 16 << 20), at))


def _ours(found: Pair) -> str:
    return f"{found.ours.cpu:.2f} s, {found.ours.peak_mib:.0f} MiB"


def _theirs(found: Pair) -> str:
    return f"{found.theirs.cpu:.2f} s, {found.theirs.peak_mib:.0f} MiB"


def _data(path: str) -> float:
    """Bytes of data with checksums, in GB; as the C program counts checksums, of 4 bytes for 4 KiB."""
    line = next(line for line in judge.btrfs("check", path).splitlines() if line.startswith("total csum bytes:"))
    return int(line.split()[-1]) * 1024 / 1e9
