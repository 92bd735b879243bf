"""The check finds nothing in what a small fsstress leaves behind, and nothing in copies that were taken meanwhile.

A copy is taken between two equal generations of the superblock, right after a commit or after fsyncs that followed it:
then a log waits. btrfs-progs judge what was unmounted, too, so that it is known to be sound.
"""

from __future__ import annotations

import random
from pathlib import Path

import judge
import pytest
import zoo
from fsstress import OPERATIONS, Stress
from planted import findings

from pybtrfs.check.findings import Severity

pytestmark = pytest.mark.kernel
OPERATIONS_EACH = 300
VARIANTS = {
    "default": ("", ""),
    "small nodes": ("-n 4k -m single", "compress=zstd"),
    "old": (f"{zoo.OLD} -n 4k", "compress-force=lzo"),
    "quotas": ("-O quota --csum xxhash", ""),
    "simple quotas": ("-O squota", "nodatacow"),
    "mixed": ("-M --csum sha256", "flushoncommit"),
    "v1 cache": (zoo.OLD, "space_cache=v1,max_inline=0"),
    "no block-group tree": ("-O ^block-group-tree -n 64k", "autodefrag,discard"),
}
WRITTEN_TOO_EARLY = "CAC-006"
"""A v1 cache that a commit writes lacks what was given out meanwhile; `btrfs check` says so of these copies, too."""
DAILY = ("default", "small nodes", "old", "quotas")
each_variant = pytest.mark.parametrize(
    "variant", [pytest.param(name, marks=[] if name in DAILY else [pytest.mark.soak]) for name in VARIANTS]
)


@each_variant
def test_nothing_is_found_after_hundreds_of_operations(variant: str, tmp_path: Path, seed: int) -> None:
    stressed(variant, tmp_path, seed, OPERATIONS_EACH)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(3))
@each_variant
def test_nothing_is_found_after_thousands_of_operations(variant: str, part: int, tmp_path: Path, seed: int) -> None:
    stressed(variant, tmp_path, seed + 1 + part, 4000)


def stressed(variant: str, folder: Path, seed: int, count: int) -> None:
    """Run operations on a new filesystem of this variant, and check copies on the way and what is there in the end."""
    mkfs, options = VARIANTS[variant]
    image, rng = folder / "image", random.Random(f"{seed} {variant}")
    judge.mkfs(image, 2 << 30, *mkfs.split())
    taken = 0
    with judge.mounted(image, ",".join(filter(None, [options, "nodev,commit=3000"]))) as top:
        stress = Stress(top, rng)
        for number, name in enumerate(stress.steps(count)):
            wanted = name == "fsync" or number % (count // 4) == count // 8
            if wanted and taken <= number * 8 // count:
                taken += copied_sound(image, folder / "taken", top, commit=name != "fsync")
    assert taken > 2, "copies were taken"
    assert sum(stress.done.values()) > count // 3, stress.done
    assert len([name for name, times in stress.done.items() if times]) > len(OPERATIONS) * 2 // 3, stress.done
    judge.btrfs_check(image)
    assert told(image) == []


def copied_sound(image: Path, to: Path, top: Path, *, commit: bool) -> bool:
    """Whether a copy could be taken between two commits; then nothing is found in it."""
    if commit:
        zoo.commit(top)
    generation = zoo.superblock_generation(image)
    zoo.copy(image, to)
    if zoo.superblock_generation(image) != generation:
        return False
    assert [line for line in told(to) if not line.startswith(WRITTEN_TOO_EARLY)] == []
    return True


def told(image: Path) -> list[str]:
    """What is found beyond notes, data looked at, too."""
    found = findings(image, data_csums=True)
    return [f"{one.code} {one.message}" for one in found if one.severity > Severity.NOTE]
