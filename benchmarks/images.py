"""The images that the benchmarks read, made once by the kernel (root) and kept in build/bench."""

import os
import sys
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
        judge.mkfs(making, 4 * GIB)
        with judge.mounted(making) as top:
            FILLERS[name](top)
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
