"""Filesystems at work, seen as a power cut would leave them at any moment: the check finds nothing in what is sound."""

import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import judge
import pytest
import zoo
from faults import unsound
from planted import findings

pytestmark = pytest.mark.kernel
MIB = 1 << 20
WAYS = [
    ("", ""),
    ("-n 4k", "compress=zstd"),
    (zoo.OLD, ""),
    ("-O squota", ""),
    ("-n 64k", "nodatacow"),
    (f"{zoo.OLD} -n 4k", "space_cache=v1"),
    ("-O quota -n 4k", "flushoncommit"),
    ("--csum xxhash -m dup -d dup -n 8k", "compress-force=lzo"),
]


class Busy:
    """Random work in a mounted filesystem."""

    def __init__(self, top: Path, rng: random.Random) -> None:
        self.top, self.rng, self.number = top, rng, 0
        self.folders = [top]

    def run(self, steps: int) -> None:
        """So many steps; what the kernel refuses is skipped."""
        deeds: list[Callable[[], object]] = [
            self.write, self.write, self.write, self.grow, self.cut, self.punch, self.reserve, self.clone, self.remove,
            self.rename, self.link, self.symlink, self.attribute, self.folder, self.subvolume, self.snapshot,
            self.delete, self.fsync, self.fsync, self.no_cow,
        ]  # fmt: skip
        for _ in range(steps):
            with suppress(OSError, judge.RefusedError):
                self.rng.choice(deeds)()

    def new(self) -> Path:
        self.number += 1
        folder = self.rng.choice(self.folders)
        return folder / f"{self.number}-{'n' * self.rng.choice((0, 5, 60, 200))}"

    def some(self) -> Path:
        """A file."""
        files = [path for path in self.rng.choice(self.folders).iterdir() if path.is_file() and not path.is_symlink()]
        if not files:
            raise FileNotFoundError
        return self.rng.choice(sorted(files))

    def content(self) -> bytes:
        size = self.rng.choice((0, 10, 2000, 4096, 5000, 70_000, 300_000))
        return self.rng.choice((zoo.noise, zoo.text))(size, self.number)

    def write(self) -> None:
        self.new().write_bytes(self.content())

    def grow(self) -> None:
        path = self.some()
        zoo.write(path, self.content(), at=self.rng.randrange(path.stat().st_size + 200_000))

    def cut(self) -> None:
        path = self.some()
        os.truncate(path, self.rng.randrange(path.stat().st_size + 100_000))

    def punch(self) -> None:
        zoo.fallocate(self.some(), "--punch-hole", self.rng.randrange(8) * 4096, 12_288)

    def reserve(self) -> None:
        zoo.fallocate(self.some(), "--keep-size", self.rng.randrange(64) * 4096, 50_000)

    def clone(self) -> None:
        zoo.clone(self.some(), self.new())

    def remove(self) -> None:
        self.some().unlink()

    def rename(self) -> None:
        self.some().rename(self.new())

    def link(self) -> None:
        os.link(self.some(), self.new())

    def symlink(self) -> None:
        self.new().symlink_to("target" * self.rng.randrange(1, 30))

    def attribute(self) -> None:
        os.setxattr(self.some(), f"user.{self.rng.randrange(5)}", zoo.noise(self.rng.randrange(2000)))

    def folder(self) -> None:
        path = self.new()
        path.mkdir()
        self.folders.append(path)

    def subvolume(self) -> None:
        path = self.new()
        zoo.subvolume("create", path)
        self.folders.append(path)

    def snapshot(self) -> None:
        path = self.new()
        zoo.subvolume("snapshot", self.rng.choice(self.folders), path)
        self.folders.append(path)

    def delete(self) -> None:
        path = self.rng.choice(self.folders[1:] or [self.top / "none"])
        zoo.subvolume("delete", path)
        self.folders = [folder for folder in self.folders if path not in (folder, *folder.parents)]

    def fsync(self) -> None:
        path = self.some()
        zoo.write(path, self.content())
        zoo.fsync(path)

    def no_cow(self) -> None:
        path = self.new()
        path.touch()
        judge.run("chattr", "+C", path)
        path.write_bytes(self.content())


def look(image: Path, copy: Path, *, data: bool) -> None:
    """Copied between two equal generations, an image is what one commit left, with the log so far."""
    for _ in range(5):
        generation = zoo.superblock_generation(image)
        zoo.copy(image, copy)
        if zoo.superblock_generation(image) == generation == zoo.superblock_generation(copy):
            found = unsound(findings(copy, data_csums=data))
            assert not found, "\n".join(f"{finding.code} {finding.message}" for finding in found[:10])
            return


def busy(tmp_path: Path, way: tuple[str, str], seed: int, rounds: int, steps: int) -> None:
    image, copy = tmp_path / "busy.img", tmp_path / "copy.img"
    judge.mkfs(image, 400 * MIB, *way[0].split())
    with judge.mounted(image, f"{way[1]},commit=1" if way[1] else "commit=1") as top:
        work = Busy(top, random.Random(seed))
        for _ in range(rounds):
            work.run(steps)
            look(image, copy, data=False)
    look(image, copy, data=True)


@pytest.mark.parametrize("way", WAYS[:3], ids=str)
def test_nothing_is_found_in_a_filesystem_at_work(way: tuple[str, str], tmp_path: Path, seed: int) -> None:
    busy(tmp_path, way, seed, rounds=2, steps=150)


@pytest.mark.soak
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_nothing_is_ever_found_in_a_filesystem_at_work(way: tuple[str, str], tmp_path: Path, seed: int) -> None:
    busy(tmp_path, way, seed, rounds=8, steps=300)
