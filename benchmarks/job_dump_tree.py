"""`inspect dump-tree` of 100,000 items, beside btrfs-progs."""

import sys

from benchmarks.images import image
from benchmarks.timing import pair, table

PYBTRFS = f"{sys.prefix}/bin/pybtrfs"


def report() -> str:
    path = str(image("100000-items"))
    row = pair(
        [PYBTRFS, "inspect", "dump-tree", "-t", "fs", path],
        ["btrfs", "inspect-internal", "dump-tree", "-t", "fs", path],
    )
    return table("dump-tree of 100,000 items, beside `btrfs inspect-internal dump-tree`", [("dump-tree", row)])
