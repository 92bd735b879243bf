"""The images that the benchmarks read, made once by the kernel or mkfs.btrfs (root) and kept in build/bench."""

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import judge  # noqa: E402

FOLDER = ROOT / "build" / "bench"
GIB = 1 << 30


def image(name: str) -> Path:
    """The path of an image, made when it is not there yet."""
    path = FOLDER / f"{name}.img"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        making = path.with_suffix(".making")
        if name in TREES:
            with tempfile.TemporaryDirectory(dir=FOLDER) as top:
                TREES[name](Path(top))
                judge.mkfs(making, 6 * GIB, "--rootdir", top)
        else:
            judge.mkfs(making, 4 * GIB)
            with judge.mounted(making) as mounted:
                FILLERS[name](mounted)
        making.rename(path)
    return path


def _files(count: int) -> Callable[[Path], None]:
    """`count` small files, a thousand a directory: five items each."""

    def fill(top: Path) -> None:
        for number in range(count):
            folder = top / f"directory-{number // 1000}"
            if number % 1000 == 0:
                folder.mkdir()
            (folder / f"file-{number}").write_bytes(b"x" * (number % 300))

    return fill


def _subvolumes(count: int) -> Callable[[Path], None]:
    def fill(top: Path) -> None:
        for number in range(count):
            judge.btrfs("subvolume", "create", top / f"subvolume-{number}")

    return fill


def _tiny_files(top: Path) -> None:
    """100,000 files of up to 999 bytes in 1,000 directories."""
    rng = random.Random(1)
    for number in range(100_000):
        folder = top / f"directory-{number // 100:03}"
        folder.mkdir(exist_ok=True)
        (folder / f"file-{number:06}").write_bytes(rng.randbytes(rng.randrange(1000)))


def _system_tree(top: Path, count: int = 30_000) -> None:
    """A sample of this machine's /usr, evenly spread over the sorted list of what is not a directory."""
    source = Path("/usr")
    found = sorted(path for path in source.rglob("*") if path.is_symlink() or path.is_file())
    for number in range(min(count, len(found))):
        path = found[number * len(found) // min(count, len(found))]
        target = top / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target, follow_symlinks=False)


def _large_file(top: Path) -> None:
    """2 GiB of random bytes."""
    rng = random.Random(1)
    with (top / "large").open("wb") as file:
        for _ in range(2 * GIB >> 24):
            file.write(rng.randbytes(1 << 24))


TREES = {"tiny-files": _tiny_files, "system-tree": _system_tree, "large-file": _large_file}
"""Made by `mkfs.btrfs --rootdir`."""


def _mixed(top: Path) -> None:
    """35,000 small files of random bytes, and one of 300 MiB."""
    for number in range(35_000):
        folder = top / f"directory-{number // 100}"
        folder.mkdir(exist_ok=True)
        (folder / f"file-{number}").write_bytes(os.urandom(100 + number % 5000))
    (top / "small").write_bytes(os.urandom(6000))
    (top / "large").write_bytes(os.urandom(300 << 20))


FILLERS = {
    "mixed": _mixed,
    "million-items": _files(200_000),
    "100000-items": _files(20_000),
    "1000-subvolumes": _subvolumes(1000),
}
