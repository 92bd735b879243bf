"""`du`: what coreutils' du says of the kernel's mount, and what the kernel frees when it deletes."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from pathlib import Path

import judge
import pytest
import zoo
from commandline import run
from reaching import roots_by_walking
from zoo import KiB, MiB, noise, subvolume, write

from pybtrfs.fs.filesystem import open_filesystem
from pybtrfs.fs.space import extents, usages
from pybtrfs.fs.subvolume import Subvolumes
from pybtrfs.ondisk import constants as c

pytestmark = pytest.mark.kernel
Image = Callable[[str], Path]
Fill = Callable[[Path, Path], None]


def ours(*command: str | Path) -> str:
    result = run("-q", *command)
    assert (result.status, result.errors) == (0, "")
    return result.output


# -- what is allocated -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["snapshots", "hard-links", "kinds", "extents", "compressed", "default"])
@pytest.mark.parametrize("options", ["", "-a", "-s -h", "-d 1 -c", "-a -l -k", "-x -m", "-a -x --si", "-a -d 0"])
def test_du_prints_what_coreutils_print_of_the_mount(kernel_image: Image, name: str, options: str) -> None:
    image = kernel_image(name)
    with judge.mounted(image, "subvolid=5", read_only=True) as top:
        theirs = re.sub(f"{top}/?", f"{image}:", str(judge.run("du", "-0", *options.split(), top).stdout))
    found = ours("du", "-0", *options.split(), image)
    assert sorted(found.replace(f"{image}:/", f"{image}:").split("\0")) == sorted(theirs.split("\0"))


@pytest.mark.parametrize("options", ["-a -b", "-a --apparent-size", "-a --apparent-size -h"])
def test_du_prints_the_sizes_of_files_that_coreutils_print(kernel_image: Image, options: str) -> None:
    """Of files: what a directory's own size counts for is not the same in all versions of coreutils."""
    image = kernel_image("extents")
    with judge.mounted(image, read_only=True) as top:
        theirs = str(judge.run("du", *options.split(), top).stdout).replace(f"\t{top}/", f"\t{image}:/")
    assert sorted(ours("du", *options.split(), image).splitlines()[:-1]) == sorted(theirs.splitlines()[:-1])


def test_several_places_and_names_as_they_are(kernel_image: Image) -> None:
    image = kernel_image("snapshots")
    with judge.mounted(image, "subvolid=5", read_only=True) as top:
        places = ("work/many", "writable/large", "work")
        theirs = str(judge.run("du", "-0", "-s", "-c", *(top / place for place in places)).stdout)
    found = ours("du", "-0", "-s", "-c", *(f"{image}:/{place}" for place in places))
    assert found == theirs.replace(f"{top}/", f"{image}:/")
    rows = json.loads(ours("du", "-s", "-c", f"{image}:/work", "--format", "json"))["du"]
    assert [row["path"] for row in rows] == ["/work", None]
    assert rows[0]["bytes"] == rows[1]["bytes"] == 1024 * int(ours("du", "-s", f"{image}:/work").split()[0])


@pytest.mark.parametrize(
    "words", ["-s -a", "-s -d 1", "--exclusive -l", "--exclusive --apparent-size", "-d -1", "-d many"]
)
def test_options_that_cannot_be_meant_together_are_refused(kernel_image: Image, words: str) -> None:
    assert run("du", *words.split(), kernel_image("default")).status == 2


def test_places_in_two_images_and_none_at_all_are_refused(kernel_image: Image) -> None:
    assert run("du", kernel_image("default"), kernel_image("snapshots")).status == 2
    assert run("du").status == 2
    assert run("du", f"{kernel_image('default')}:/none").status == 1


# -- what the kernel frees -------------------------------------------------------------------------------


def changed_since(fill: Fill) -> Fill:
    """What `fill` does, in a subvolume; then snapshots of it, and changes on either side."""

    def filled(top: Path, image: Path) -> None:
        subvolume("create", top / "work")
        fill(top / "work", image)
        subvolume("snapshot", top / "work", top / "writable")
        subvolume("snapshot", "-r", top / "work", top / "read-only")
        rng = random.Random(1)
        for place in (top / "work", top / "writable"):
            files = sorted(path for path in place.rglob("*") if path.is_file() and not path.is_symlink())
            for path in rng.sample(files, min(12, len(files))):
                size = path.stat().st_size
                write(path, noise(6000, rng.randrange(1000)), at=rng.randrange(max(1, min(size, 16 * MiB))))
            for path in rng.sample(files, min(9, len(files))):
                if path.name != "source":
                    path.unlink()
            zoo.clone(top / "work" / "source", place / "clone", 32 * KiB, 32 * KiB, 0)
            zoo.many(place / "new", 30, size=100)
            (place / "linked").write_bytes(noise(20 * KiB, 9))
            os.link(place / "linked", place / "new" / "linked")
        subvolume("create", top / "clones")
        zoo.clone(top / "writable" / "source", top / "clones" / "whole")
        zoo.clone(top / "read-only" / "source", top / "clones" / "part", 8 * KiB, 64 * KiB, 0)

    return filled


def with_source(fill: Fill) -> Fill:
    """What `fill` does, and a file for others to share."""

    def filled(top: Path, image: Path) -> None:
        (top / "source").write_bytes(noise(256 * KiB))
        fill(top, image)

    return filled


def nested(top: Path, image: Path) -> None:
    subvolume("create", top / "inner")
    zoo.many(top / "inner" / "many", 300, size=80)
    (top / "inner" / "large").write_bytes(noise(1 * MiB))
    subvolume("snapshot", top / "inner", top / "again")
    write(top / "again" / "large", noise(20 * KiB, 1), at=100 * KiB)


def cloned(top: Path, image: Path) -> None:
    for i in range(200):
        zoo.clone(top / "source", top / f"{i}", 16 * KiB, i % 60 * 4 * KiB, 0)


CHANGED = "work writable read-only clones"
BUILDS: dict[str, tuple[Fill, str, str]] = {
    "changed": (zoo.assorted, "", ""),
    "compressed": (zoo.compressed, "-n 4k", "compress=zstd"),
    "fragmented": (zoo.fragmented, "-n 4k", ""),
    "no-skinny": (cloned, f"{zoo.OLD} -n 4k", "nospace_cache"),
    "reflinks": (cloned, "-n 4k", ""),
    "nested": (nested, "-n 4k", ""),
    "mixed-64k": (zoo.assorted, "-m single -n 64k", ""),
}
OF_THE_ZOO = {
    "snapshots": "work read-only writable",
    "old-snapshots": "work read-only writable",
    "crowded": "work snapshots/7",
    "half-deleted": "kept",
    "quotas": "one three",
}


def make(name: str, path: Path, kernel_image: Image) -> tuple[str, ...]:
    """An image at `path`; the subvolumes of it that may be deleted."""
    if name in OF_THE_ZOO:
        zoo.copy(kernel_image(name), path)
        return tuple(OF_THE_ZOO[name].split())
    fill, mkfs, mount = BUILDS[name]
    judge.mkfs(path, 512 * MiB, *mkfs.split())
    with judge.mounted(path, mount) as top:
        changed_since(with_source(fill))(top, path)
    return tuple(CHANGED.split())


class Space:
    """What an image that is not mounted uses, as its block groups say."""

    def __init__(self, image: Path, gone: tuple[bytes, ...] = ()) -> None:
        with open_filesystem(str(image)) as filesystem:
            found = usages(extents(filesystem))
            self.data = sum(usage.used for usage in found if usage.flags & c.BLOCK_GROUP_DATA)
            self.metadata = sum(usage.used for usage in found if not usage.flags & c.BLOCK_GROUP_DATA)
            subvolumes = Subvolumes(filesystem)
            ids = {s.id for s in subvolumes if any(under(subvolumes.path(s), path) for path in gone)}
            roots = roots_by_walking(filesystem)
            self.others = filesystem.nodesize * sum(bool(trees - ids) for trees in roots.values())
            """Metadata that trees hold which are not below the paths in `gone`."""


def under(path: bytes, place: bytes) -> bool:
    return path == place or path.startswith(place + b"/")


def settled(image: Path) -> Path:
    """Mounted once, so that nothing is left that the next mount would clean up by itself."""
    with judge.mounted(image, "subvolid=5") as top:
        judge.btrfs("subvolume", "sync", top)
        zoo.commit(top)
    return image


def freed(image: Path, *places: str) -> dict[str, int]:
    """What we say that deleting these places together would free."""
    where = [f"{image}:/{place}" for place in places]
    rows = json.loads(ours("--format", "json", "du", "-s", "-c", "--exclusive", *where))["du"]
    assert len(rows) == len(places) + 1
    total: dict[str, int] = rows[-1]
    assert total["bytes"] == total["data"] + total["metadata"]
    return total


@pytest.mark.parametrize("name", ["compressed", "fragmented", "no-skinny", "nested", *OF_THE_ZOO])
def test_du_says_what_the_kernel_frees_when_a_subvolume_is_deleted(
    kernel_image: Image, tmp_path: Path, name: str, seed: int
) -> None:
    subvolumes = make(name, tmp_path / "image", kernel_image)
    deletes_as_said(tmp_path, [random.Random(seed).sample(subvolumes, 1), subvolumes[:2]])


@pytest.mark.soak
@pytest.mark.parametrize("name", [*BUILDS, *OF_THE_ZOO])
def test_du_says_what_the_kernel_frees_whichever_subvolumes_are_deleted(
    kernel_image: Image, tmp_path: Path, name: str
) -> None:
    subvolumes = make(name, tmp_path / "image", kernel_image)
    deletes_as_said(tmp_path, [chosen for size in (1, 2, 4) for chosen in combinations(subvolumes, size)])


def deletes_as_said(folder: Path, choices: Iterable[Sequence[str]]) -> None:
    """Data to the byte; metadata to the byte but for what changes in the trees that stay: root, extent, csum, ..."""
    image, work = folder / "image", folder / "work"
    base = settled(zoo.copy(image, folder / "base"))
    for places in choices:
        said = freed(image, *places)
        before = Space(base, tuple(map(os.fsencode, places)))
        with judge.mounted(zoo.copy(base, work), "subvolid=5") as top:
            for place in places:
                subvolume("delete", "--recursive", "-c", top / place)
            judge.btrfs("subvolume", "sync", top)
            zoo.commit(top)
        after = Space(work)
        assert before.data - after.data == said["data"]
        assert (before.metadata - after.metadata) - (before.others - after.others) == said["metadata"]


@pytest.mark.parametrize("name", ["compressed", "reflinks", "nested"])
def test_du_says_what_data_the_kernel_frees_when_directories_and_files_are_removed(
    kernel_image: Image, tmp_path: Path, name: str, seed: int
) -> None:
    image, work = tmp_path / "image", tmp_path / "work"
    make(name, image, kernel_image)
    settled(image)
    with judge.mounted(image, "subvolid=5", read_only=True) as top:
        inside = [path for path in sorted(top.glob("*/*")) if path.stat().st_ino not in (2, 256)]
        chosen = [str(path.relative_to(top)) for path in random.Random(seed).sample(inside, 2)]
    linked = ("work/linked", "work/new")
    for places in (*((place,) for place in chosen), tuple(chosen), linked[:1], linked[1:], linked):
        said = freed(image, *places)
        zoo.copy(image, work)
        with judge.mounted(work, "subvolid=5") as top:
            for read_only in [place for place in places if place.startswith("read-only")]:
                judge.btrfs("property", "set", "-f", top / Path(read_only).parts[0], "ro", "false")
            judge.run("rm", "-r", *(top / place for place in places))
            zoo.commit(top)
        assert Space(image).data - Space(work).data == said["data"]


@pytest.mark.parametrize("name", ["snapshots", "reflinks", "quotas"])
def test_du_of_a_subvolume_is_what_a_qgroup_has_as_exclusive(kernel_image: Image, tmp_path: Path, name: str) -> None:
    image = zoo.copy(kernel_image(name), tmp_path / "image")
    with judge.mounted(image, "subvolid=5") as top:
        judge.btrfs("subvolume", "sync", top)
        if name != "quotas":
            judge.btrfs("quota", "enable", top)
        judge.btrfs("quota", "rescan", "-w", top)
    text = str(judge.dump_tree(image, "-t", "quota"))
    qgroups = re.findall(r"QGROUP_INFO 0/(\d+)\).*\n.*\n.*\n.*exclusive (\d+)", text)
    assert qgroups
    with open_filesystem(str(image)) as filesystem:
        subvolumes = Subvolumes(filesystem)
        paths = {subvolume.id: os.fsdecode(subvolumes.path(subvolume)) for subvolume in subvolumes}
    for number, exclusive in random.Random(3).sample(qgroups, min(12, len(qgroups))):
        line = ours("du", "-s", "-x", "-b", "--exclusive", f"{image}:/{paths[int(number)]}")
        assert line.split()[0] == exclusive
