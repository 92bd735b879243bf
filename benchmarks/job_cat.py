"""`cat` of a file of 2 GiB with its checksums verified, beside `btrfs restore` of it, which verifies them, too.

btrfs-progs have no cat; restore writes the file into memory (/dev/shm), ours goes to /dev/null, and so a second
row has ours into a file as well.
"""

import sys
import tempfile

from benchmarks.images import image
from benchmarks.timing import pair, table

PYBTRFS = f"{sys.prefix}/bin/pybtrfs"
RUNS = 5


def report() -> str:
    path = str(image("large-file"))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        out = f"{folder}/out"
        theirs = ["sh", "-c", f"rm -rf {out}; mkdir {out}; exec btrfs restore {path} {out}"]
        ours = [PYBTRFS, "cat", f"{path}:/large"]
        into_file = ["sh", "-c", f"rm -f {folder}/file; exec {PYBTRFS} cat {path}:/large > {folder}/file"]
        rows = [
            ("`cat` to /dev/null", pair(ours, theirs, RUNS)),
            ("`cat` into a file", pair(into_file, theirs, RUNS)),
        ]
    return table("`cat` of one file of 2 GiB, beside `btrfs restore`", rows)
