"""What the large images of the benchmarks hold: files by the hundred thousand, snapshots, one file in many pieces.

Contents depend on the number of the file alone, so that an image is the same whenever it is made.
"""

import os
import random
from pathlib import Path

import judge

KIB = 1 << 10
NOISE = random.Random(1).randbytes(4 << 20)


def small_files(top: Path, count: int) -> None:
    """More than half of them empty, a third inline, the others one block."""
    for number in range(count):
        if number % 1000 == 0:
            folder = os.open(_folder(top / f"{number // 1000:04}"), os.O_DIRECTORY)
        kind = number % 100
        size = 0 if kind < 55 else (number * 37 % 1500 + 1 if kind < 92 else 4 * KIB)
        _write(folder, f"file-{number:07}", size, number)
        if number % 1000 == 999 or number == count - 1:
            os.close(folder)


def mixed_files(top: Path, count: int) -> None:
    """Inline to 4 MiB, with hard links, symbolic links, attributes and deep directories."""
    for number in range(count):
        if number % 500 == 0:
            path = _folder(top / "/".join(f"d{digit}" for digit in f"{number // 500:04}"))
            folder = os.open(path, os.O_DIRECTORY)
        kind = number % 1000
        size = (
            number * 37 % 2000
            if kind < 500
            else number * 811 % (40 * KIB)
            if kind < 998
            else (number * 97 % 4096) * KIB
        )
        name = f"file-{number:06}"
        _write(folder, name, size, number)
        if kind % 50 == 0:
            os.link(name, f"{name}.link", src_dir_fd=folder, dst_dir_fd=folder)
            os.symlink(name, f"{name}.symlink", dir_fd=folder)
        if kind % 100 == 1:
            os.setxattr(path / name, "user.number", str(number).encode())
        if number % 500 == 499 or number == count - 1:
            os.close(folder)


def snapshots(top: Path, files: int, count: int) -> None:
    """A subvolume of small files and its snapshots; every second one is writable and changed, the source too."""
    judge.btrfs("subvolume", "create", top / "source")
    small_files(top / "source", files)
    (top / "snapshots").mkdir()
    for number in range(count):
        way = [] if number % 2 else ["-r"]
        snapshot = top / "snapshots" / f"{number:02}"
        judge.btrfs("subvolume", "snapshot", *way, top / "source", snapshot)
        for changed in ([top / "source"], [top / "source", snapshot])[number % 2]:
            for step in range(400):
                file = (number * 7919 + step * 251) % files
                (changed / f"{file // 1000:04}" / f"file-{file:07}").write_bytes(NOISE[file % 999 :][:2000])


def fragments(top: Path, size: int) -> None:
    """A file whose blocks were written in two rounds, so that each is an extent."""
    block = 4 * KIB
    fd = os.open(top / "file", os.O_RDWR | os.O_CREAT)
    for parity in (0, 1):
        for number in range(parity, size // block, 2):
            os.pwrite(fd, NOISE[number % 512 * block :][:block], number * block)
        judge.btrfs("filesystem", "sync", top)
    os.close(fd)


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _write(folder: int, name: str, size: int, seed: int) -> None:
    fd = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=folder)
    if size:
        start = seed * 131 % (len(NOISE) // 2)
        data = NOISE[start : start + min(size, len(NOISE) // 2)]
        os.write(fd, data * -(-size // len(data)) if size > len(data) else data)
    os.close(fd)
