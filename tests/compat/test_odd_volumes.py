"""Volumes of other times and machines: grown on a seed, with large sectors, without today's features, renamed.

Each is read item for item as the C program dumps it, and again with a device missing or each row damaged.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import judge
import pytest
import zoo
from commandline import Result, run
from several import attached, blank, damage_rows, dumped, make, mounted

pytestmark = pytest.mark.kernel
OLD = "-O ^no-holes,^extref,^skinny-metadata,^free-space-tree,^block-group-tree"


class Row(NamedTuple):
    """How the filesystem is made, and how many devices of how many it can do without."""

    options: str
    devices: int
    tolerated: int
    after: tuple[str, ...] = ()


ROWS = {
    "old raid1": Row(f"{OLD} -m raid1 -d raid1 -n 4k", 2, 1),
    "old raid10": Row(f"{OLD} -m raid10 -d raid0", 4, 1),
    "old raid6": Row(f"{OLD} -m raid6 -d raid5 -n 4k", 4, 2),
    "fat metadata on raid5": Row("-O ^skinny-metadata -m raid5 -d raid5 -n 64k", 3, 1),
    "no free-space tree on raid1c3": Row("-O ^free-space-tree -m raid1c3 -d raid1", 3, 2),
    "mixed single": Row("-M", 2, 0),
    "mixed raid1": Row("-M -m raid1 -d raid1", 3, 1),
    "mixed raid5": Row("-M -m raid5 -d raid5", 3, 1),
    "mixed raid10": Row("-M -m raid10 -d raid10", 4, 1),
    "metadata_uuid on raid1": Row("-m raid1 -d raid0 -n 4k", 3, 1, ("btrfstune", "-f", "-m")),
    "metadata_uuid on raid6": Row("-m raid6 -d raid6 --csum sha256", 3, 2, ("btrfstune", "-f", "-m")),
    "quotas on raid1c4": Row("-O squota -m raid1c4 -d raid1c4", 4, 3),
    "a seed of two": Row("-m raid1 -d raid1", 2, 1, ("btrfstune", "-f", "-S", "1")),
}


@pytest.mark.parametrize("name", ROWS)
def test_every_item_is_read_whole_degraded_and_with_errors_in_each_row(name: str, tmp_path: Path) -> None:
    row = ROWS[name]
    images, dump = make(tmp_path, row.options, row.devices, after=row.after)
    assert dumped(images) == (dump, "")
    assert dumped(images[::-1]) == (dump, "")
    output, errors = dumped(images[row.tolerated :])
    assert (output, errors.count(" is missing")) == (dump, row.tolerated)
    if row.tolerated:
        damage_rows(images, row.tolerated)
        assert dumped(images) == (dump, "")


@pytest.mark.parametrize("sectorsize", ["8k", "16k", "32k", "64k"])
def test_large_sectors_that_the_c_program_filled_are_read_and_their_second_copy_too(
    sectorsize: str, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    for number in range(300):
        (tmp_path / "files" / f"{number}").write_bytes(zoo.noise(number * 50, number))
    image = tmp_path / "image"
    nodesize = sectorsize if sectorsize != "8k" else "64k"
    judge.mkfs(image, 300 << 20, "-s", sectorsize, "-n", nodesize, "--rootdir", str(tmp_path / "files"))
    dump = judge.dump_tree(image).partition("\n")[2]
    assert len(re.findall(r"item \d+ key \(\d+ EXTENT_DATA 0\)", dump)) == 299
    assert dumped([image]) == (dump, "")
    damage_rows([image], 1)
    assert dumped([image]) == (dump, "")


@pytest.mark.parametrize(("sectorsize", "profile"), [("8k", "raid1"), ("16k", "raid6"), ("64k", "raid5")])
def test_large_sectors_over_several_devices_are_read_degraded(sectorsize: str, profile: str, tmp_path: Path) -> None:
    images = blank(tmp_path, 3)
    judge.run("mkfs.btrfs", "--quiet", "-s", sectorsize, "-m", profile, "-d", profile, *images)
    with attached(images) as loops:
        dump = judge.dump_tree(loops[0]).partition("\n")[2]
    assert dumped(images) == (dump, "")
    assert dumped(images[1:])[0] == dump
    damage_rows(images, 1)
    assert dumped(images) == (dump, "")


# -- seeds -------------------------------------------------------------------------------------------


class Grown(NamedTuple):
    """A filesystem that was grown on a seed, as dumps show it."""

    seeds: list[Path]
    sprout: Path
    dump: str
    seed_dump: str


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    """The seed is raid1 on two devices, the sprout one more."""
    folder = tmp_path_factory.mktemp("grown")
    return grow(folder, *make(folder, "-m raid1 -d raid1 -n 4k", 2, after=("btrfstune", "-f", "-S", "1")))


def grow(folder: Path, seeds: list[Path], seed_dump: str) -> Grown:
    (folder / "sprout").mkdir()
    [sprout] = blank(folder / "sprout", 1)
    with attached(seeds) as loops, judge.loop_device(sprout) as new:
        with mounted(loops, folder, "ro") as top:
            judge.run("btrfs", "device", "add", "-f", "-K", new, top)
            judge.run("mount", "-o", "remount,rw", top)
            next(top.glob("file-*")).unlink()
            (top / "grown").write_bytes(zoo.noise(300_000))
        dump = judge.dump_tree(Path(new)).partition("\n")[2]
    return Grown(seeds, sprout, dump, seed_dump)


def test_what_was_grown_on_a_seed_is_read_with_the_seed_in_any_order(grown: Grown) -> None:
    one, other = grown.seeds
    fsids = set(re.findall(r"^fs uuid (\S+)$", grown.dump, re.MULTILINE))
    assert len(fsids) == 2, "blocks of the seed are among those that are read"
    for images in ([grown.sprout, one, other], [other, grown.sprout, one]):
        assert dumped(images) == (grown.dump, "")
    assert dumped(grown.seeds) == (grown.seed_dump, "")


def test_a_seed_that_is_missing_is_named_and_its_other_copy_read(grown: Grown) -> None:
    seed_fsid = field(grown.seeds[0], "fsid")
    for left, lost in (grown.seeds, grown.seeds[::-1]):
        output, errors = dumped([grown.sprout, left])
        assert output == grown.dump
        uuid, devid = field(lost, "dev_item.uuid"), field(lost, "dev_item.devid")
        assert errors == f"pybtrfs: {grown.sprout}: devid {devid} (uuid {uuid}, of the seed {seed_fsid}) is missing\n"
    alone = run("inspect", "dump-tree", grown.sprout)
    assert (alone.status, alone.complaint(), alone.errors.count("is missing")) == (1, None, 2)
    shown = run("filesystem", "show", "--device", grown.seeds[0], grown.sprout)
    assert [re.findall(r"path (\S+)", line) for line in shown.output.splitlines() if "\tdevid" in line] == [
        [str(grown.seeds[0])],
        [str(grown.sprout)],
    ]


def test_damaged_rows_of_the_seed_are_read_from_its_other_device(grown: Grown, tmp_path: Path) -> None:
    copies = [zoo.copy(image, tmp_path / image.name) for image in grown.seeds]
    damage_rows(copies, 1)
    assert dumped([grown.sprout, *copies]) == (grown.dump, "")


def refused(grown: Grown, *others: Path) -> Result:
    result = run("uuid", "list", *[word for image in others for word in ("--device", image)], grown.sprout)
    assert (result.status, result.output, result.complaint()) == (1, "", None)
    return result


def test_another_seed_is_refused_by_name(grown: Grown, tmp_path: Path) -> None:
    other = tmp_path / "other"
    judge.mkfs(other, 300 << 20)
    assert f"pybtrfs: {other}: is of another filesystem: fsid " in refused(grown, other).errors
    judge.run("btrfstune", "-f", "-S", "1", other)
    assert f"pybtrfs: {other}: is of another filesystem: a seed, fsid " in refused(grown, other).errors


def test_a_seed_that_was_changed_since_is_refused_by_name(grown: Grown, tmp_path: Path) -> None:
    copies = [zoo.copy(image, tmp_path / image.name) for image in grown.seeds]
    with attached(copies) as loops:
        judge.run("btrfstune", "-f", "-S", "0", loops[0])
        judge.run("btrfs", "device", "scan", *loops)
        with mounted(loops, tmp_path) as top:
            (top / "changed").touch()
        judge.run("btrfstune", "-f", "-S", "1", loops[0])
    said = refused(grown, *copies).errors
    assert re.search(rf"^pybtrfs: {copies[0]}: is a seed of generation \d+, .* was grown on it at \d+$", said)


def test_a_seed_given_twice_or_beside_its_twin_is_refused(grown: Grown, tmp_path: Path) -> None:
    twin = zoo.copy(grown.seeds[0], tmp_path / "twin")
    said = refused(grown, grown.seeds[0], twin).errors
    assert f"pybtrfs: {twin}: is devid 1, and so is {grown.seeds[0]}" in said


def test_a_sprout_that_became_a_seed_itself_is_read_with_all_that_it_was_grown_on(tmp_path: Path) -> None:
    first = grow(tmp_path, *make(tmp_path, "-n 4k", 1, after=("btrfstune", "-f", "-S", "1")))
    with attached([*first.seeds, first.sprout]) as loops:
        judge.run("btrfstune", "-f", "-S", "1", loops[1])
        seed_dump = judge.dump_tree(loops[1]).partition("\n")[2]
    (tmp_path / "again").mkdir()
    second = grow(tmp_path / "again", [first.sprout, *first.seeds], seed_dump)
    for images in ([second.sprout, *second.seeds], [*second.seeds, second.sprout]):
        assert dumped(images) == (second.dump, "")
    assert dumped(second.seeds) == (seed_dump, "")
    assert dumped(first.seeds)[0] == first.seed_dump


def field(image: Path, name: str) -> str:
    """A field of the superblock as text."""
    return re.findall(rf"^{re.escape(name)}\s+(\S+)", judge.dump_super(image), re.MULTILINE)[0]
