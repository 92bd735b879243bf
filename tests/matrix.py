"""The matrix: filesystems in every checksum, compression, nodesize and profile that the kernel filled, and what it
then says of them.

    rows = matrix.rows(seed)                 # pairwise: any two values of two factors meet in some row
    made = matrix.build(rows[0], folder)     # needs root; seconds
    made.images, made.manifest               # one sparse file a device, by devid; manifest.of(a read-only mount)
    for lost in made.losses(): ...           # the sets of images without which all can still be read

Whole and degraded is no factor: every image is read both ways. What is in each is `fill`: the fills of the zoo
that matter to a reader of files, each in its own directory.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import random
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import judge
import manifest
import pytest
import zoo

KiB, MiB = 1 << 10, 1 << 20
DEVICE_SIZE = 1024 * MiB  # sparse; with less, large nodes leave the kernel hunting for space
NORMAL_ROWS = 8


class Profile(NamedTuple):
    """Profiles of data and metadata, on how many devices, and how many of those may be lost."""

    data: str
    metadata: str
    devices: int
    tolerated: int


PROFILES = {
    "single": Profile("single", "single", 1, 0),
    "single-dup": Profile("single", "dup", 1, 0),
    "dup": Profile("dup", "dup", 1, 0),
    "raid0": Profile("raid0", "raid0", 3, 0),
    "single-raid1": Profile("single", "raid1", 3, 0),
    "raid1": Profile("raid1", "raid1", 2, 1),
    "raid10": Profile("raid10", "raid10", 4, 1),
    "raid5": Profile("raid5", "raid5", 3, 1),
    "raid5-raid1c3": Profile("raid5", "raid1c3", 4, 1),
    "raid6": Profile("raid6", "raid6", 4, 2),
    "raid6-raid1c3": Profile("raid6", "raid1c3", 5, 2),
    "raid1c3": Profile("raid1c3", "raid1c3", 3, 2),
    "raid1c4": Profile("raid1c4", "raid1c4", 4, 3),
}
FACTORS: dict[str, tuple[Any, ...]] = {
    "profile": tuple(PROFILES),
    "csum": ("crc32c", "xxhash", "sha256", "blake2"),
    "compression": ("none", "zlib", "lzo", "zstd"),
    "nodesize": (4 * KiB, 16 * KiB, 64 * KiB),
}


class Row(NamedTuple):
    """One filesystem of the matrix."""

    profile: str
    csum: str
    compression: str
    nodesize: int

    def __str__(self) -> str:
        return f"{self.profile}-{self.csum}-{self.compression}-{self.nodesize // KiB}k"


@dataclass(frozen=True)
class Made:
    """A filesystem of the matrix: its devices by devid, and every path as the kernel shows it."""

    row: Row
    images: tuple[Path, ...]
    manifest: manifest.Manifest

    def losses(self) -> list[tuple[Path, ...]]:
        """Every set of as many images as may be lost; none where none may be."""
        tolerated = PROFILES[self.row.profile].tolerated
        return list(itertools.combinations(self.images, tolerated)) if tolerated else []


# -- which rows ----------------------------------------------------------------------------------------


def rows(seed: int) -> list[Row]:
    """Enough rows that any two values of two factors meet; the first ones cover most."""
    return [Row(**row) for row in pairwise(FACTORS, random.Random(seed))]


def sample(seed: int, count: int = NORMAL_ROWS) -> list[Row]:
    """Rows for every day: no profile twice, all the other values."""
    found = []
    for row in rows(seed):
        if row.profile not in {other.profile for other in found}:
            found.append(row)
    return found[:count]


def cases() -> pytest.MarkDecorator:
    """The parameter `row` of a test: the sample of this run's seed, and in a soak all rows."""
    seed = int(os.environ["PYBTRFS_SEED"])
    daily, every = sample(seed), rows(seed)
    more = [pytest.param(row, marks=pytest.mark.soak) for row in every if row not in daily]
    return pytest.mark.parametrize("row", [*daily, *more], ids=str)


def pairwise(factors: Mapping[str, Sequence[Any]], rng: random.Random) -> list[dict[str, Any]]:
    """Rows, a value of each factor in each, in which all pairs of values of two factors occur.

    Greedy: a row begins with a pair that is still missing, and takes for each other factor the value that brings
    the most missing pairs with what is in the row already.
    """
    missing = {
        frozenset({(one, value), (other, another)})
        for one, other in itertools.combinations(factors, 2)
        for value, another in itertools.product(factors[one], factors[other])
    }
    made = []
    while missing:
        row = dict(rng.choice(sorted(map(sorted, missing), key=repr)))
        others = [name for name in factors if name not in row]
        for name in rng.sample(others, len(others)):
            values = rng.sample(factors[name], len(factors[name]))
            row[name] = max(
                values, key=lambda value: sum(frozenset({(name, value), pair}) in missing for pair in row.items())
            )
        missing -= {frozenset(pair) for pair in itertools.combinations(row.items(), 2)}
        made.append(row)
    return made


# -- making one ----------------------------------------------------------------------------------------


def build(row: Row, folder: Path) -> Made:
    """Make the row's filesystem in `folder`, which may hold it already: then that is taken."""
    profile = PROFILES[row.profile]
    images = tuple(folder / f"{row}.{number}.img" for number in range(1, profile.devices + 1))
    kept = folder / f"{row}.manifest"
    if not kept.exists():
        for image in images:
            with image.open("wb") as file:
                file.truncate(DEVICE_SIZE)
        words = ["--csum", row.csum, "-n", str(row.nodesize), "-d", profile.data, "-m", profile.metadata]
        found = make(images, words, row.compression, row.nodesize)
        for image in images:
            image.chmod(0o444)
        kept.with_suffix(".new").write_bytes(pickle.dumps(found))
        kept.with_suffix(".new").rename(kept)
    return Made(row, images, pickle.loads(kept.read_bytes()))


def make(images: Sequence[Path], words: Sequence[str], compression: str, nodesize: int) -> manifest.Manifest:
    """A filesystem on the images, filled; the manifest of what a second, read-only mount shows."""
    with contextlib.ExitStack() as stack:
        loops = [stack.enter_context(judge.loop_device(image)) for image in images]
        judge.run("mkfs.btrfs", "--quiet", *words, *loops)
        judge.run("btrfs", "device", "scan", *loops)
        options = "rw,noatime" + ("" if compression == "none" else f",compress-force={compression}")
        with judge.mounted_device(loops[0], options) as top:
            fill(top, Path(images[0]), nodesize)
        with judge.mounted_device(loops[0], "ro,noatime") as top:
            return manifest.of(top)


def fill(top: Path, image: Path, nodesize: int) -> None:
    """A directory for each fill of the zoo that tells something about files."""
    for name, part in _PARTS.items():
        (top / name).mkdir()
        part(top / name, image)
    (top / "kinds").mkdir()
    zoo.kinds(top / "kinds", image, large=min(15_000, nodesize - 600))


def contents(top: Path, image: Path) -> None:
    """Every way in which bytes stand on the disk, at the sizes where one way ends and the next begins."""
    for size in (0, 1, 2047, 2048, 2049, 4095, 4096, 4097, 64 * KiB, 128 * KiB - 1, 128 * KiB + 1, 300_001):
        (top / f"noise {size}").write_bytes(zoo.noise(size, size))
        (top / f"text {size}").write_bytes(zoo.text(size, size))
    (top / "zeros").write_bytes(bytes(MiB))
    (top / "mixed").write_bytes(zoo.text(150 * KiB) + zoo.noise(150 * KiB) + zoo.text(150 * KiB))
    (top / "striped").write_bytes(zoo.noise(1500 * KiB))
    zoo.commit(top)
    zoo.write(top / "mixed", zoo.noise(9000, 1), at=100_001)
    zoo.write(top / "mixed", zoo.text(9000, 1), at=250_001)
    zoo.write(top / "striped", zoo.text(9000, 2), at=700_000)
    zoo.fallocate(top / "mixed", "--punch-hole", 20 * KiB, 40 * KiB)
    zoo.clone(top / "mixed", top / "clone", 96 * KiB, 64 * KiB, 16 * KiB)
    zoo.clone(top / "striped", top / "clone", 12 * KiB, 696 * KiB, 256 * KiB)
    zoo.write(top / "grown from inline", zoo.text(900))
    zoo.commit(top)
    zoo.write(top / "grown from inline", zoo.text(9000, 3), at=6000)
    zoo.write(top / "hole first", b"end", at=100 * KiB)
    os.truncate(top / "hole first", 200 * KiB + 1)
    (top / "all hole").touch()
    os.truncate(top / "all hole", (1 << 41) + 5)


def named(top: Path, image: Path) -> None:
    """Names that share a hash, names of every length, and so many that a directory fills leaves."""
    for number, name in enumerate(zoo.COLLIDING):
        (top / name).write_bytes(b"%d" % number)
        (top / f"prefix{name}").mkdir()
    for length in (1, 2, 100, 254, 255):
        (top / ("n" * length)).write_bytes(b"x" * length)
    (top / ("é" * 127)).mkdir()
    zoo.many(top / "many", 300)
    deep = top
    for number in range(30):
        deep /= f"level {number}"
    deep.mkdir(parents=True)
    (deep / "bottom").write_bytes(zoo.text(5000))


def timed(top: Path, image: Path) -> None:
    """Times before 1970, after 2038, after 2106, and of every nanosecond."""
    rng = random.Random(0)
    for number in range(20):
        path = top / f"{number}"
        path.mkdir() if number % 5 == 0 else path.touch()
        os.utime(path, ns=(rng.randrange(-(10**19) // 8, 10**19 // 2), rng.randrange(-(10**19) // 8, 10**19 // 2)))
    (top / "symlink").symlink_to("0")
    os.utime(top / "symlink", ns=(1, 2), follow_symlinks=False)


def attributed(top: Path, image: Path) -> None:
    """Attributes on every kind of inode that takes them, with names that share a hash, and many on one file."""
    (top / "file").touch()
    (top / "directory").mkdir()
    (top / "symlink").symlink_to("file")
    os.mkfifo(top / "fifo")
    for path in top.iterdir():
        os.setxattr(path, "trusted.kind", path.name.encode(), follow_symlinks=False)
        os.setxattr(path, "security.pybtrfs", b"\0" * 20, follow_symlinks=False)
    for name in zoo.COLLIDING:
        os.setxattr(top / "file", f"user.{name}", name.encode())
    for number in range(60):
        os.setxattr(top / "file", f"user.{number}", struct.pack("<I", number) * (number % 17))
    os.setxattr(top / "file", os.fsdecode(b"user.\xff\x1b[31m"), b"not UTF-8")


_PARTS = {
    "extents": zoo.extents,
    "hard links": zoo.hard_links,
    "snapshots": zoo.snapshots,
    "reflinks": zoo.reflinks,
    "contents": contents,
    "named": named,
    "timed": timed,
    "attributed": attributed,
}


# -- reading it ----------------------------------------------------------------------------------------


def device_words(images: Iterable[Path]) -> list[str]:
    """The command line's words for a filesystem of several devices: the first image, and `--device` for the rest."""
    first, *others = map(str, images)
    return [word for other in others for word in ("--device", other)] + [first]


def without(images: Sequence[Path], lost: Iterable[Path]) -> list[Path]:
    """The images that are left."""
    gone = set(lost)
    return [image for image in images if image not in gone]


def degraded(made: Made, rng: random.Random, most: int = 3) -> Iterator[list[Path]]:
    """What is left of the images in a few of the cases in which as many are lost as may be."""
    losses = made.losses()
    for lost in rng.sample(losses, min(most, len(losses))):
        yield without(made.images, lost)
