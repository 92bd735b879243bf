"""Is an image mounted or held by a loop device?

The kernel's locks do not tell: a loop device holds its backing file with no lock that another program sees.
`/sys/block/loop*/loop/backing_file` names the file; it is compared by device and inode, since a path may be
another name of it. A block device is asked by an exclusive open (see `device`).
"""

import os
from collections.abc import Iterator
from pathlib import Path

_SYS_BLOCK = Path("/sys/block")


def loop_holders(path: str) -> list[str]:
    """The loop devices, such as /dev/loop0, whose backing file is the file at `path`."""
    try:
        wanted = os.stat(path)  # noqa: PTH116  names may be any bytes
    except OSError:
        return []
    return [name for name, backing in _loop_devices() if _same_file(backing, wanted)]


def _loop_devices() -> Iterator[tuple[str, str]]:
    for entry in sorted(_SYS_BLOCK.glob("loop*/loop/backing_file")):
        try:
            yield f"/dev/{entry.parts[-3]}", entry.read_text(errors="surrogateescape").rstrip("\n")
        except OSError:
            continue  # detached meanwhile


def _same_file(backing: str, wanted: os.stat_result) -> bool:
    try:
        found = os.stat(backing)  # noqa: PTH116
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino)
