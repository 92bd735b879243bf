"""`restore` of a system tree, of 100,000 tiny files and of one large file, beside `btrfs restore -S -m -x`.

Each run restores into a new directory in memory (/dev/shm), so that the target's disk is not what is measured.
"""

import shlex
import sys
import tempfile

from benchmarks.images import image
from benchmarks.timing import Pair, pair, table

PYBTRFS = f"{sys.prefix}/bin/pybtrfs"
RUNS = 5
NAMES = {
    "system-tree": "30,000 files of a system",
    "tiny-files": "100,000 tiny files",
    "large-file": "one file of 2 GiB",
}


def report() -> str:
    rows = [(about, _beside(name)) for name, about in NAMES.items()]
    return table("`restore`, beside `btrfs restore -S -m -x`", rows)


def _beside(name: str) -> Pair:
    path = str(image(name))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:

        def into_new(*words: str) -> list[str]:
            """The shell's own time, a millisecond, is in both."""
            out = f"{folder}/out"
            command = shlex.join([*words, path, out])
            return ["sh", "-c", f"rm -rf {out}; mkdir {out}; exec {command}"]

        ours = into_new(PYBTRFS, "restore", "-q", "--trusted")
        return pair(ours, into_new("btrfs", "restore", "-S", "-m", "-x"), RUNS)
