"""A walk with stat of everything, beside dissect.btrfs: ours with every checksum verified, theirs with none.

dissect lists `.` and `..` as entries; they are skipped.
"""

import importlib.util
import sys

from benchmarks.images import image
from benchmarks.timing import pair, table

RUNS = 5
NAMES = {"system-tree": "30,000 files of a system", "tiny-files": "100,000 tiny files"}
OURS = """
import sys
from pybtrfs.fs.filesystem import open_filesystem
from pybtrfs.fs.inode import TOP
from pybtrfs.fs.walk import walk
with open_filesystem(sys.argv[1]) as filesystem:
    count = sum(found.inode.mode > 0 for found in walk(filesystem, TOP))
print(count)
"""
THEIRS = """
import sys
from dissect.btrfs import Btrfs
def walk(inode):
    for name, below in inode.iterdir():
        if name in (".", ".."):
            continue
        assert below.mode
        yield below
        if below.is_dir():
            yield from walk(below)
with open(sys.argv[1], "rb") as file:
    filesystem = Btrfs([file])
    count = 1 + sum(1 for _ in walk(filesystem.default_subvolume.root))
print(count)
"""


def report() -> str:
    if importlib.util.find_spec("dissect.btrfs") is None:
        return "### A walk with stat of everything\n\nNot run: `pip install --group bench` brings dissect.btrfs.\n"
    rows = []
    for name, about in NAMES.items():
        path = str(image(name))
        rows.append((about, pair([sys.executable, "-c", OURS, path], [sys.executable, "-c", THEIRS, path], RUNS)))
    return table("A walk with stat of everything, beside dissect.btrfs", rows)
