"""Hostile images copied out: nothing lands outside, no more is written than is there, what is healthy comes whole."""

from __future__ import annotations

import sys
from pathlib import Path

import commandline
import fence
import hostile
import judge
import manifest
import pytest

every_image = pytest.mark.parametrize("name", hostile.IMAGES)
MIB = 1 << 20
TRUTHFUL = ("terminal", "specials")  # of which everything can be restored, or is left out without --trusted


def written(inside: Path) -> int:
    """How many bytes the files below take."""
    return sum(entry.blocks or 0 for entry in manifest.of(inside, contents=False).values()) * 512


def assert_healthy(inside: Path) -> None:
    for path, content in hostile.HEALTHY.items():
        place = inside / path.decode()
        assert not place.is_symlink()
        assert place.read_bytes() == content


@every_image
def test_a_hostile_image_restored_by_anybody_stays_inside(tmp_path: Path, name: str) -> None:
    with fence.around(tmp_path) as (inside, outside):
        image = hostile.build(name, tmp_path / "image", outside)
        result = commandline.run("restore", image, inside)
        assert result.complaint() is None
        assert result.status == (0 if name in TRUTHFUL else 1), result.errors
        assert written(inside) < 16 * MIB
        assert_healthy(inside)


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]], ids=["kept", "overwritten"])
@every_image
def test_a_hostile_image_restored_over_hostile_links_stays_inside(
    tmp_path: Path, name: str, overwrite: list[str]
) -> None:
    with fence.around(tmp_path) as (inside, outside):
        fence.lay_traps(inside, outside)
        image = hostile.build(name, tmp_path / "image", outside)
        for _ in range(2):
            result = commandline.run("restore", *overwrite, image, inside)
            assert result.complaint() is None
            assert result.status == 1 or overwrite
        assert written(inside) < 16 * MIB
        if overwrite:
            assert (inside / "0 healthy").read_bytes() == hostile.HEALTHY[b"0 healthy"]


@pytest.mark.kernel
@every_image
def test_a_hostile_image_restored_by_root_who_trusts_it_stays_inside(tmp_path: Path, name: str) -> None:
    with fence.around(tmp_path) as (inside, outside):
        fence.lay_traps(inside, outside)
        image = hostile.build(name, tmp_path / "image", outside)
        words = ["restore", "-q", "--trusted", "--overwrite", image, inside]
        result = judge.run(sys.executable, "-m", "pybtrfs", *words, check=False)
        assert "Traceback" not in result.stderr
        assert written(inside) < 16 * MIB


@pytest.mark.kernel
@every_image
def test_a_tar_of_a_hostile_image_extracted_by_root_stays_inside(tmp_path: Path, name: str) -> None:
    with fence.around(tmp_path) as (inside, outside):
        image, tar = hostile.build(name, tmp_path / "image", outside), tmp_path / "tar"
        result = commandline.run("export-tar", image, tar)
        assert result.complaint() is None
        assert result.status == (0 if name == "terminal" else 1), result.errors
        assert tar.stat().st_size < 16 * MIB
        listed = judge.run("tar", "-tf", tar, check=False)
        names = [line.rstrip("/") for line in listed.stdout.splitlines()]
        assert [line for line in names if ".." in line.split("/") or line.startswith("/")] == []
        assert len(names) == len(set(names))
        judge.run(
            "tar", "-x", "--xattrs", "--xattrs-include=*", "--same-permissions", "-C", inside, "-f", tar, check=False
        )
        assert_healthy(inside)


@every_image
def test_looking_at_a_hostile_image_ends_with_lines_that_a_terminal_can_bear(tmp_path: Path, name: str) -> None:
    image = hostile.build(name, tmp_path / "image")
    for command in (("ls", "-laR"), ("tree",), ("du", "-h")):
        result = commandline.run(*command, f"{image}:/")
        assert result.complaint() is None
        assert not {char for char in result.output if char < " " or "\x7f" <= char <= "\x9f"} - {"\n", "\t"}
        assert len(result.output) < MIB
