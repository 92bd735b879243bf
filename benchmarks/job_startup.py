"""What a call costs before it does anything: `--help` and `uuid lookup` beside a bare interpreter."""

import sys

from benchmarks.images import image, judge
from benchmarks.timing import pair, table

PYBTRFS = f"{sys.prefix}/bin/pybtrfs"


def report() -> str:
    path = str(image("1000-subvolumes"))
    uuid = judge.run(PYBTRFS, "uuid", "list", path).stdout.split()[-3]
    bare = [sys.executable, "-c", "pass"]
    rows = [
        ("`pybtrfs --help`", pair([PYBTRFS, "--help"], bare, 21)),
        ("`pybtrfs uuid lookup`, 1,000 subvolumes", pair([PYBTRFS, "uuid", "lookup", path, uuid], bare, 21)),
    ]
    return table("Start-up, beside `python3 -c pass`", rows)
