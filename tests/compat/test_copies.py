"""Copies of whole filesystems: what `restore` makes, and what GNU tar makes of what `export-tar` writes, equal what a
mount shows: every path, mode, owner, link, attribute, time and hole, on a target that can hold them all.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import damage
import judge
import manifest
import matrix
import pytest
import reading
import zoo

from pybtrfs.archive import parallel
from pybtrfs.archive.policy import Wishes
from pybtrfs.archive.report import Report
from pybtrfs.archive.restore import restore
from pybtrfs.fs.file import File
from pybtrfs.fs.inode import TOP
from pybtrfs.fs.path import resolve
from pybtrfs.ondisk.file_extent import FileExtent

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


@contextmanager
def damaged(image: Path, path: bytes, sector: int) -> Iterator[None]:
    """While this lasts, one sector of a file's data is wrong in all copies."""
    with reading.opened([image]) as filesystem:
        place = resolve(filesystem, path)
        [segment] = [
            found
            for found in File(filesystem, place).segments()
            if found.file_offset <= sector < found.file_offset + found.length
        ]
        assert isinstance(segment.extent, FileExtent)
        logical = segment.extent.disk_bytenr + segment.extent.offset + sector - segment.begin
        [patch] = damage.flips(filesystem, [(logical, 4096)], beyond_repair=True).values()
    with damage.applied(image, patch):
        yield


def test_a_bad_sector_is_named_and_only_it_is_zeros(
    kernel_image: Callable[[str], Path], tmp_path: Path, target: Path
) -> None:
    image = zoo.copy(kernel_image("default"), tmp_path / "image")
    whole = restored(target, [image])
    content = (target / "restored" / "large").read_bytes()
    lost = content[:40960] + bytes(4096) + content[45056:]
    with damaged(image, b"/large", 40960):
        said = pybtrfs("restore", "-q", "--trusted", image, target / "out", status=1)
        assert f"pybtrfs: {image}: /large: bytes 40960-45055: data at " in said
        assert said.splitlines()[0] == f"pybtrfs: {image}: 1 problem: bad data, zeros stand in their place"
        said = pybtrfs("export-tar", "-q", image, target / "tar", status=1)
        assert f"pybtrfs: {image}: /large: bytes 40960-45055: data at " in said
        pybtrfs("restore", "-q", "--trusted", "--no-verify", image, target / "unverified")
    found = manifest.portable(manifest.of(target / "out"))
    differing = {line.partition(": ")[0] for line in manifest.differences(whole, found, manifest.HOST)}
    assert differing == {"b'large'"}
    assert (target / "out" / "large").read_bytes() == lost
    assert (target / "unverified" / "large").read_bytes() not in (lost, content)
    with tarfile.open(target / "tar") as archive:
        member = archive.extractfile("./large")
        assert member is not None
        assert member.read() == lost


def test_a_plain_user_restores_all_but_owners_and_what_is_not_trusted(
    kernel_image: Callable[[str], Path], tmp_path: Path
) -> None:
    image = zoo.copy(kernel_image("kinds"), tmp_path / "image")
    out = tmp_path / "out"
    out.mkdir()
    os.chown(out, 12345, 12345)
    said = tmp_path / "said"
    with reading.opened([image]) as filesystem, said.open("w") as file:
        child = os.fork()
        if child == 0:
            try:
                os.chdir(out)
                drop(12345)
                report = Report()
                restore(filesystem, TOP, b".", Wishes(), report)
                lost = [os.fsdecode(problem.path) for problem in report.problems]
                json.dump({"left_out": report.left_out, "lost": lost}, file)
                file.flush()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    shown = json.loads(said.read_text())
    left_out = shown["left_out"]
    assert left_out["device nodes (made with --trusted)"] == 2
    assert left_out["setuid and setgid bits (set with --trusted)"] >= 2
    assert left_out["security.* and trusted.* attributes (set with --trusted)"] == 2
    assert left_out["owners (only root can set them)"] > 10
    assert set(shown["lost"]) <= {"attributed"}  # a host like ext4 takes no attribute of 15,000 bytes
    with judge.mounted(image, "subvolid=5", read_only=True) as top:
        theirs, ours = manifest.portable(manifest.of(top)), manifest.portable(manifest.of(out))
    missing = {path for path, entry in theirs.items() if path not in ours}
    assert {theirs[path].kind for path in missing} == {"character device", "block device"}
    assert {(entry.uid, entry.gid) for entry in ours.values()} == {(12345, 12345)}
    for path in ours.keys() - {b"."}:
        assert ours[path].mode == theirs[path].mode & ~(0 if ours[path].kind == "directory" else 0o6000)
        assert (ours[path].mtime, ours[path].digest) == (theirs[path].mtime, theirs[path].digest)


def drop(user: int) -> None:
    """Become a user for good."""
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
