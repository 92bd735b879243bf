"""Paths by the hashes of names, across subvolumes, on the golden image."""

from pathlib import Path

import pytest
from commandline import run

from pybtrfs.errors import NotFoundError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.path import TOP, Place, default_subvolume_id, resolve


def test_subvolumes_are_crossed_like_directories(filesystem: Filesystem) -> None:
    assert resolve(filesystem, b"/") == TOP
    assert resolve(filesystem, b"home") == Place(256, 256)
    assert resolve(filesystem, b"//backup/./home-1/") == Place(257, 256)
    assert resolve(filesystem, b"backup").subvolume_id == 5
    assert resolve(filesystem, b"backup/home-1/../../home/notes") == resolve(filesystem, b"../home/linked")
    assert resolve(filesystem, b"notes", Place(257, 256)).subvolume_id == 257


def test_a_name_that_does_not_exist_is_named(filesystem: Filesystem) -> None:
    with pytest.raises(NotFoundError, match="none: no such"):
        resolve(filesystem, b"home/none/deeper")
    with pytest.raises(NotFoundError, match="/home/notes: not a directory"):
        resolve(filesystem, b"home/notes/x")


def test_the_default_subvolume_is_the_top_level(filesystem: Filesystem, image: Path) -> None:
    assert default_subvolume_id(filesystem) == 5
    assert run("subvolume", "get-default", image).output == "ID 5 (FS_TREE)\n"


def test_lists_can_be_ordered_by_several_columns_and_bounded(image: Path) -> None:
    def ids(*options: str) -> list[str]:
        return [line.split()[1] for line in run("subvolume", "list", *options, image).output.splitlines()]

    assert ids("--sort=-rootid") == ids()[::-1] == ids("--sort", "-rootid,+gen")
    generation = run("subvolume", "list", image).output.split()[3]
    assert "256" in ids("-G", generation)
    assert sorted(ids("-G", f"+{generation}") + ids("-G", f"-{int(generation) - 1}")) == ids()
    assert run("subvolume", "list", "--sort=size", image).status == 2
    assert run("subvolume", "list", "-G", "soon", image).status == 2
