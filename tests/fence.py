"""A fence around a directory that a hostile image is restored to: it sees whatever gets out.

with fence.around(tmp_path) as (inside, outside):
    fence.lay_traps(inside, outside)                                # links that are there already
    run("restore", f"{hostile.build(name, tmp_path / 'image', outside)}:/", inside)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import manifest


@contextmanager
def around(folder: Path) -> Iterator[tuple[Path, Path]]:
    """An empty directory to restore to, and the `outside` to build images with; AssertionError, with a line for each
    change, where anything but what is in the first has changed when the block ends.

    A name that begins with `../outside` leads from the one to the other; what is two levels up is watched, too.
    """
    middle = folder / "fence" / "middle"
    inside, outside = middle / "inside", middle / "outside"
    inside.mkdir(parents=True)
    outside.mkdir()
    for name in ("file", "linked"):
        (outside / name).write_bytes(b"precious")
    before = _fenced(folder / "fence")
    yield inside, outside
    escaped = manifest.differences(before, _fenced(folder / "fence"), manifest.IMAGE - {"atime"})
    if escaped:
        raise AssertionError("\n".join(escaped))


def _fenced(top: Path) -> manifest.Manifest:
    within = b"middle/inside"
    found = {path: entry for path, entry in manifest.of(top).items() if not path.startswith(within + b"/")}
    return {path: entry for path, entry in found.items() if path != within}


def lay_traps(inside: Path, outside: Path) -> None:
    """Symbolic links to what is outside, in the directory to restore to, where each image has something healthy."""
    (inside / "0 healthy").symlink_to(outside / "file")
    (inside / "healthy").symlink_to(outside)
    (inside / "~ healthy").symlink_to(outside / "new")
