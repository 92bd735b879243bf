"""The check finds nothing in what the kernel and btrfs-progs call sound: every image of the zoo, every profile, what is
left where devices are missing, what our own mkfs makes, and images that were copied while the kernel worked on them.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import judge
import matrix
import pytest
import zoo
from commandline import run
from planted import findings
from several import attached, blank, make, mounted

from pybtrfs.check.findings import Finding, Severity

pytestmark = pytest.mark.kernel
OLD = "-O ^no-holes,^extref,^skinny-metadata,^free-space-tree,^block-group-tree"
SEVERAL = {
    "old raid10": (f"{OLD} -m raid10 -d raid0", 4),
    "mixed raid5": ("-M -m raid5 -d raid5", 3),
    "simple quotas on raid1c4": ("-O squota -m raid1c4 -d raid1c4", 4),
    "quotas on raid6": ("-O quota -m raid6 -d raid6 -n 4k --csum xxhash", 4),
    "no free-space tree on raid1c3": ("-O ^free-space-tree -m raid1c3 -d raid1", 3),
    "mixed single": ("-M", 2),
    "fat metadata on raid5": ("-O ^skinny-metadata -m raid5 -d raid5 -n 64k", 3),
}
OURS = (
    "",
    "-n 4k -m single",
    "-M --csum sha256",
    f"{OLD} -d dup",
    "-O quota -n 64k",
    "-O squota --csum blake2",
    "-O ^block-group-tree --csum xxhash",
)


def odd(images: Sequence[Path]) -> list[Finding]:
    """What is found beyond notes, data and parities looked at, too."""
    first, *others = map(str, images)
    return [found for found in findings(first, tuple(others), data_csums=True) if found.severity > Severity.NOTE]


@pytest.mark.parametrize("name", zoo.RECIPES)
def test_nothing_is_found_in_an_image_that_the_kernel_made(name: str, kernel_image: Callable[[str], Path]) -> None:
    assert odd([kernel_image(name)]) == []


@matrix.cases()
def test_nothing_is_found_in_any_profile_and_without_devices_only_that_they_are_missing(
    row: matrix.Row, matrix_image: Callable[[matrix.Row], matrix.Made], seed: int
) -> None:
    made = matrix_image(row)
    assert odd(made.images) == []
    for left in matrix.degraded(made, random.Random(seed), most=2):
        assert {found.code for found in odd(left)} == {"DEV-009"}


@pytest.mark.parametrize("name", SEVERAL)
def test_nothing_is_found_on_several_devices_of_other_times(name: str, tmp_path: Path) -> None:
    options, devices = SEVERAL[name]
    images, _ = make(tmp_path, options, devices)
    assert odd(images) == []
    assert odd(images[::-1]) == []


def test_nothing_is_found_in_a_seed_and_in_what_was_grown_on_it(tmp_path: Path) -> None:
    seeds, _ = make(tmp_path, "-m raid1 -d raid1 -n 4k", 2, after=("btrfstune", "-f", "-S", "1"))
    (tmp_path / "sprout").mkdir()
    [sprout] = blank(tmp_path / "sprout", 1)
    with attached(seeds) as loops, judge.loop_device(sprout) as new, mounted(loops, tmp_path, "ro") as top:
        judge.run("btrfs", "device", "add", "-f", "-K", new, top)
        judge.run("mount", "-o", "remount,rw", top)
        (top / "grown").write_bytes(zoo.noise(300_000))
    assert odd(seeds) == []
    assert odd([sprout, *seeds]) == []
    assert {found.code for found in odd([sprout, seeds[0]])} == {"DEV-009"}


@pytest.mark.parametrize("sectorsize", ["8k", "64k"])
def test_nothing_is_found_with_large_sectors(sectorsize: str, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    for number in range(200):
        (tmp_path / "files" / f"{number}").write_bytes(zoo.noise(number * 90, number))
    image = tmp_path / "image"
    judge.mkfs(image, 300 << 20, "-s", sectorsize, "-n", "64k", "--rootdir", str(tmp_path / "files"))
    assert odd([image]) == []


@pytest.mark.parametrize("options", OURS)
def test_nothing_is_found_in_what_our_mkfs_makes(options: str, tmp_path: Path) -> None:
    image = tmp_path / "image"
    assert run("mkfs", "-q", "-b", "300M", *options.split(), image).status == 0
    assert odd([image]) == []
    result = run("check", image)
    assert (result.status, result.errors) == (0, "")
    assert result.output.splitlines()[-1].startswith(f"{image}: no error found; ")


def test_nothing_is_found_while_quotas_are_counted_anew(tmp_path: Path) -> None:
    """Unmounted while the rescan runs, what qgroups hold is not known yet, and that is said."""
    image = tmp_path / "image"
    judge.mkfs(image, 1 << 30, "-n", "4k")
    with judge.mounted(image) as top:
        zoo.many(top / "many", 6000, size=3000)
        judge.btrfs("quota", "enable", top)
    for _ in range(20):
        with judge.mounted(image) as top:
            judge.run("btrfs", "quota", "rescan", top, check=False)
        if "SCANNING" in judge.dump_tree(image, "-t", "quota"):
            break
    else:
        pytest.fail("the rescan was through each time")
    found = findings(image, data_csums=True)
    assert [finding for finding in found if finding.severity > Severity.NOTE] == []
    assert "a rescan is running" in " ".join(finding.message for finding in found if finding.code == "QUO-009")


def test_nothing_is_found_where_attributes_fill_leaves_between_an_inode_and_its_extents(tmp_path: Path) -> None:
    """Without NO_HOLES each file's extents are followed to its size, over leaves that have none of them."""
    image = tmp_path / "image"
    judge.mkfs(image, 300 << 20, *f"{OLD} -n 4k".split())
    with judge.mounted(image) as top:
        for number in range(40):
            (top / f"{number}").write_bytes(zoo.noise(number * 1000, number))
            for attribute in range(number % 7):
                os.setxattr(top / f"{number}", f"user.{attribute}", zoo.noise(1000 + number * 60, attribute))
        os.truncate(top / "39", 200_000)
    assert odd([image]) == []
    assert judge.btrfs_check(image)
