"""A small fsstress: random operations on a mounted filesystem, from one seed, with names that are few and so collide.

    Stress(top, random.Random(seed)).run(300)

Half of the files live in directories that are compressed or nodatacow. An operation that cannot be done, such as a link
to a name that is taken, is done all the same: the kernel says no, and that is part of the exercise. Operations are rows
of a table; weights are how often their name stands in it.
"""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import judge
import zoo

KiB = 1 << 10
LARGEST = 600 * KiB
NAMES = [*"abcdefgh", *(name * 40 for name in "xyz"), *zoo.COLLIDING]


class Stress:
    """Operations below `top`, which is mounted; every choice is of `rng`."""

    def __init__(self, top: Path, rng: random.Random) -> None:
        self.top, self.rng, self.done = top, rng, dict.fromkeys(OPERATIONS, 0)
        self.folders = [top, *(top / name for name in ("compressed", "nodatacow", "plain"))]
        for folder in self.folders[1:]:
            folder.mkdir(exist_ok=True)
        judge.run("chattr", "+c", top / "compressed")
        judge.run("chattr", "+C", top / "nodatacow")
        self.subvolumes: list[Path] = []

    def run(self, count: int) -> None:
        """So many operations."""
        for _ in self.steps(count):
            pass

    def steps(self, count: int) -> Iterator[str]:
        """The same, one by one; the name of each."""
        names = list(OPERATIONS)
        for name in self.rng.choices(names, [WEIGHTS.get(name, 1) for name in names], k=count):
            try:
                OPERATIONS[name](self)
                self.done[name] += 1
            except (OSError, judge.RefusedError):
                pass  # the kernel said no
            yield name

    # -- choices ---------------------------------------------------------------------------------------

    def folder(self) -> Path:
        found = self.rng.choice(self.folders)
        return found if found.is_dir() else self.top

    def path(self) -> Path:
        return self.folder() / self.rng.choice(NAMES)

    def file(self) -> Path:
        """A file that exists, most often."""
        for _ in range(6):
            path = self.path()
            if path.is_file() and not path.is_symlink():
                break
        return path

    def range(self) -> tuple[int, int]:
        """An offset and a length, on sectors every other time."""
        offset, length = self.rng.randrange(LARGEST), self.rng.randrange(1, self.rng.choice((3000, 20_000, 200_000)))
        return (offset & ~4095, length + 4095 & ~4095) if self.rng.random() < 0.5 else (offset, length)

    # -- operations ------------------------------------------------------------------------------------

    def write(self) -> None:
        offset, length = self.range()
        content = zoo.text if self.rng.random() < 0.5 else zoo.noise
        zoo.write(self.path(), content(length, self.rng.randrange(1000)), at=self.rng.choice((0, offset)))

    def inline(self) -> None:
        self.path().write_bytes(zoo.text(self.rng.randrange(2000)))

    def truncate(self) -> None:
        os.truncate(self.file(), self.rng.choice((0, self.range()[0])))

    def fallocate(self) -> None:
        ways = ("--posix", "--keep-size", "--punch-hole", "--zero-range")
        path, (offset, length) = self.file(), self.range()
        zoo.fallocate(path, self.rng.choice(ways), offset, length)

    def reflink(self) -> None:
        source, target = self.file(), self.path()
        offset, length = (value & ~4095 for value in self.range())
        room = max(0, source.stat().st_size - offset & ~4095)
        zoo.clone(source, target, min(length, room), offset, self.range()[0] & ~4095)

    def rename(self) -> None:
        self.path().rename(self.path())

    def link(self) -> None:
        os.link(self.file(), self.path())

    def symlink(self) -> None:
        self.path().symlink_to("x" * self.rng.choice((1, 100, 3000)))

    def unlink(self) -> None:
        self.path().unlink()

    def mkdir(self) -> None:
        path = self.path()
        path.mkdir()
        self.folders.append(path)

    def rmdir(self) -> None:
        self.rng.choice(self.folders[4:] or [self.top / "a"]).rmdir()

    def node(self) -> None:
        """A socket, or a device that no driver has: later operations may open it, and nothing may come of that."""
        os.mknod(self.path(), self.rng.choice((stat.S_IFSOCK, stat.S_IFBLK)) | 0o640, os.makedev(60, 1))

    def set_xattr(self) -> None:
        name = f"user.{self.rng.choice(NAMES)}"
        os.setxattr(self.path(), name, zoo.noise(self.rng.choice((0, 10, 300, 3000))), follow_symlinks=False)

    def remove_xattr(self) -> None:
        path = self.path()
        os.removexattr(path, self.rng.choice(os.listxattr(path) or ["user.none"]))

    def attributes(self) -> None:
        path = self.path()
        path.chmod(self.rng.randrange(0o10000))
        os.utime(path, ns=(self.rng.randrange(1 << 62), self.rng.randrange(1 << 62)))

    def fsync(self) -> None:
        zoo.fsync(self.rng.choice((self.file(), self.folder())))

    def commit(self) -> None:
        zoo.commit(self.top)

    def subvolume(self) -> None:
        path = self.path()
        zoo.subvolume("create", path)
        self.folders.append(path)
        self.subvolumes.append(path)

    def snapshot(self) -> None:
        path = self.path()
        if path.exists():
            return
        read_only = self.rng.random() < 0.5
        source = self.rng.choice([self.top, *self.subvolumes])
        zoo.subvolume("snapshot", *(["-r"] if read_only else []), source, path)
        self.subvolumes.append(path)
        self.folders += [] if read_only else [path, path / "compressed"]

    def delete(self) -> None:
        if self.subvolumes:
            zoo.subvolume("delete", self.subvolumes.pop(self.rng.randrange(len(self.subvolumes))))


OPERATIONS: dict[str, Callable[[Stress], None]] = {
    name: getattr(Stress, name)
    for name in (
        *("write", "inline", "truncate", "fallocate", "reflink", "rename", "link", "symlink", "unlink", "mkdir"),
        *("rmdir", "node", "set_xattr", "remove_xattr", "attributes", "fsync", "commit", "subvolume", "snapshot"),
        "delete",
    )
}
WEIGHTS = {"write": 8, "truncate": 3, "fallocate": 4, "reflink": 4, "rename": 3, "link": 2, "unlink": 2, "mkdir": 2}
