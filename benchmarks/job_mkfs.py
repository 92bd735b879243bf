"""`mkfs` of a sparse 1 TiB image, beside mkfs.btrfs, and how much of it is written."""

import sys
import tempfile
from pathlib import Path

from benchmarks.images import FOLDER
from benchmarks.timing import pair, table

PYBTRFS = f"{sys.prefix}/bin/pybtrfs"


def report() -> str:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        files = []
        for name in ("ours", "theirs"):
            path = Path(folder) / name
            with path.open("wb") as file:
                file.truncate(1 << 40)
            files.append(path)
        row = pair([PYBTRFS, "mkfs", "-qf", str(files[0])], ["mkfs.btrfs", "-qf", str(files[1])], 11)
        written = [path.stat().st_blocks * 512 / 2**20 for path in files]
    text = table("mkfs of a sparse 1 TiB image, beside `mkfs.btrfs`", [("mkfs", row)])
    return text + f"\nSpace taken: ours {written[0]:.2f} MiB, theirs {written[1]:.2f} MiB\n"
