"""An image of 4 GiB behind a web server on the loopback: requests and bytes of a few questions, opening included."""

from collections.abc import Callable

import pybtrfs
from benchmarks.images import image


def report() -> str:
    from rangeserver import serving

    lines = [
        "### An image of 4 GiB, 35,000 files, behind a URL",
        "",
        "| question | requests | KiB read |",
        "|---|---|---|",
    ]
    for name, ask in QUESTIONS.items():
        with serving(image("mixed")) as server:
            with pybtrfs.open(server.url) as fs:
                ask(fs)
            lines.append(f"| {name} | {server.requests} | {server.sent // 1024:,} |")
    return "\n".join(lines) + "\n"


QUESTIONS: dict[str, Callable[[pybtrfs.Image], object]] = {
    "open": lambda fs: None,
    "list a directory of 100 files with their inodes": lambda fs: [e.stat() for e in fs.scandir("/directory-7")],
    "read a file of 6 KB": lambda fs: fs.read_bytes("/small"),
    "read a file of 300 MiB": lambda fs: fs.read_bytes("/large"),
    "a walk with the inode of everything": lambda fs: sum(1 for _ in fs.scantree()),
}
