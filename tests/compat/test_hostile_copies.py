"""Hostile images in the hands of root: nothing lands outside, no more is written than is there. (What anybody can do
with them: archive/test_safety.py.)"""

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


def written(inside: Path) -> int:
    """How many bytes the files below take."""
    return sum(entry.blocks or 0 for entry in manifest.of(inside, contents=False).values()) * 512


def assert_healthy(inside: Path) -> None:
    for path, content in hostile.HEALTHY.items():
        place = inside / path.decode()
        assert not place.is_symlink()
        assert place.read_bytes() == content


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
