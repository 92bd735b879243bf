"""Where a tree is damaged, lists show what the other trees say, name the damage, and end with 1."""

import json
import lzma
from pathlib import Path

import pytest
from commandline import run
from damage import Patch, applied, places_of

from pybtrfs.fs.filesystem import open_filesystem
from pybtrfs.ondisk import constants as c

GOLDEN = Path(__file__).parent.parent / "golden" / "kernel.img.xz"


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = tmp_path_factory.mktemp("damaged") / "image"
    image.write_bytes(lzma.decompress(GOLDEN.read_bytes()))
    return image


def root_destroyed(image: Path, tree_id: int) -> Patch:
    """All copies of a tree's root block overwritten."""
    with open_filesystem(str(image)) as filesystem:
        places = places_of(filesystem, filesystem.tree(tree_id).root.bytenr)
    return Patch(f"tree {tree_id}", tuple((at + 200, b"damage") for at in places))


def test_subvolumes_whose_directory_cannot_be_read_are_listed_all_the_same(golden: Path) -> None:
    sound = run("subvolume", "list", golden)
    assert " path home\n" in sound.output
    assert " path backup/home-1\n" in sound.output
    with applied(golden, root_destroyed(golden, c.FS_TREE_OBJECTID)):
        result = run("subvolume", "list", golden)
        tree = run("subvolume", "list", "--tree", golden)
    assert result.complaint() is None
    assert (result.status, tree.status) == (1, 1)
    assert result.output == sound.output.replace(" backup/", " ???/").replace(" received/", " ???/")
    assert result.errors.count("tree block") == 1
    assert "???/home-1 (ID " in tree.output


def test_chunks_are_listed_and_drawn_without_the_tree_of_block_groups(golden: Path) -> None:
    with open_filesystem(str(golden)) as filesystem:
        tree = filesystem.find_tree(c.BLOCK_GROUP_TREE_OBJECTID) or filesystem.tree(c.EXTENT_TREE_OBJECTID)
    sound = json.loads(run("--format", "json", "inspect", "list-chunks", golden).output)["list-chunks"]
    with applied(golden, root_destroyed(golden, tree.root.tree_id)):
        listed = run("--format", "json", "inspect", "list-chunks", golden)
        drawn = run("inspect", "map", golden)
        usage = run("device", "usage", golden)
        summed = run("filesystem", "df", golden)
    assert json.loads(listed.output)["list-chunks"] == [row | {"used": 0} for row in sound]
    assert "DDDD" in drawn.output
    for result in (listed, drawn, summed):
        assert (result.status, result.complaint(), result.errors.count("tree block")) == (1, None, 1)
    assert (usage.status, summed.output) == (0, "")
