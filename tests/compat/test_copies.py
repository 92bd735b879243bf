"""Copies of whole filesystems: what `restore` makes, and what GNU tar makes of what `export-tar` writes, equal what a
mount shows: every path, mode, owner, link, attribute, time and hole, on a target that can hold them all.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import judge
import manifest
import matrix
import pytest
import reading

from pybtrfs.archive import parallel
from pybtrfs.archive.policy import Wishes
from pybtrfs.archive.report import Report
from pybtrfs.archive.restore import restore
from pybtrfs.fs.inode import TOP

pytestmark = pytest.mark.kernel
MatrixImage = Callable[[matrix.Row], matrix.Made]
GIB = 1 << 30
ZOO = ("kinds", "extents", "compressed", "hard-links", "snapshots", "old", "mixed", "nodesize-64k", "labelled")


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    """A directory on a filesystem that takes any attribute: the kernel's btrfs on an image of its own."""
    image = tmp_path / "target"
    judge.mkfs(image, 4 * GIB)
    with judge.mounted(image, "max_inline=2048") as top:
        yield top


def pybtrfs(*words: str | Path, status: int = 0) -> str:
    """Run as root, which may set owners and make devices."""
    result = judge.run(sys.executable, "-m", "pybtrfs", *words, check=False)
    assert "Traceback" not in result.stderr
    assert result.returncode == status, result.stderr
    return str(result.stderr)


def words_of(images: list[Path]) -> list[str | Path]:
    return [*(f"--device={image}" for image in images[1:]), images[0]]


def restored_by_two(target: Path, images: list[Path]) -> manifest.Manifest:
    """By two processes, however few files there are."""
    with pytest.MonkeyPatch.context() as patch, reading.opened(images) as filesystem:
        patch.setattr(parallel, "_WORTH_IT", 0)
        patch.setattr(os, "cpu_count", lambda: 2)
        report = Report()
        restore(filesystem, TOP, os.fsencode(target / "by two"), Wishes(trusted=True), report)
    found = manifest.of(target / "by two")
    assert report.problems == []
    assert report.items == len(found)
    return manifest.portable(found)


def restored(target: Path, images: list[Path]) -> manifest.Manifest:
    pybtrfs("restore", "-q", "--trusted", *words_of(images), target / "restored")
    return manifest.portable(manifest.of(target / "restored"))


def untarred(target: Path, images: list[Path]) -> manifest.Manifest:
    pybtrfs("export-tar", "-q", *words_of(images), target / "tar")
    (target / "untarred").mkdir()
    options = [
        "--xattrs",
        "--xattrs-include=*",
        "--acls",
        "--same-owner",
        "--numeric-owner",
        "--warning=no-unknown-keyword",
    ]
    judge.run("tar", "-xp", *options, "-C", target / "untarred", "-f", target / "tar")
    return manifest.portable(manifest.of(target / "untarred"))


def without_sockets(found: manifest.Manifest) -> manifest.Manifest:
    return {path: entry for path, entry in found.items() if entry.kind != "socket"}


@matrix.cases()
def test_a_restored_tree_equals_the_mount_whole_and_degraded(
    matrix_image: MatrixImage, target: Path, row: matrix.Row, seed: int
) -> None:
    made = matrix_image(row)
    rng = random.Random(seed)
    images = rng.choice([list(made.images), *matrix.degraded(made, rng, 1)])
    expected = manifest.portable(made.manifest)
    assert manifest.differences(expected, restored(target, images), manifest.HOST) == []
    assert manifest.differences(expected, restored_by_two(target, images), manifest.HOST) == []


@matrix.cases()
def test_a_tar_that_gnu_tar_extracts_equals_the_mount(matrix_image: MatrixImage, target: Path, row: matrix.Row) -> None:
    made = matrix_image(row)
    expected = without_sockets(manifest.portable(made.manifest))
    assert manifest.differences(expected, untarred(target, list(made.images)), manifest.TAR) == []


@pytest.mark.parametrize("name", ZOO)
def test_the_zoo_restored_and_untarred_equals_the_mount(
    kernel_image: Callable[[str], Path], target: Path, name: str
) -> None:
    image = kernel_image(name)
    with judge.mounted(image, "subvolid=5", read_only=True) as top:
        expected = manifest.portable(manifest.of(top))
    assert manifest.differences(expected, restored(target, [image]), manifest.HOST) == []
    assert manifest.differences(expected, restored_by_two(target, [image]), manifest.HOST) == []
    assert manifest.differences(without_sockets(expected), untarred(target, [image]), manifest.TAR) == []
