"""`inspect rootid`, `list-chunks` and `tree-stats`: what the C program says of images that the kernel filled."""

import re
from collections.abc import Callable
from pathlib import Path

import judge
import pytest
from commandline import run

pytestmark = pytest.mark.kernel
LEFT_OVER = 2  # a subvolume's name in a snapshot: the C program fails on it
Image = Callable[[str], Path]


def ours(*command: str | Path) -> str:
    result = run("-q", *command)
    assert result.status == 0, result.errors
    return result.output


@pytest.mark.parametrize("name", ["snapshots", "received", "hard-links"])
def test_rootid_prints_the_subvolume_of_each_directory(kernel_image: Image, name: str) -> None:
    image = kernel_image(name)
    with judge.mounted(image, "subvolid=5", read_only=True) as top:
        folders = sorted(place for place in top.rglob("*") if place.is_dir() and place.stat().st_ino != LEFT_OVER)
        places = [top, *folders[:12]]
        theirs = {place: judge.btrfs("inspect", "rootid", place) for place in places}
        assert {place: ours("inspect", "rootid", f"{image}:/{place.relative_to(top)}") for place in places} == theirs


@pytest.mark.parametrize("name", ["default", "no-bgt", "old", "fragmented", "mixed"])
@pytest.mark.parametrize(
    "options", ["", "--raw", "--si", "--mbytes", "--sort=-lstart", "--sort=profile,-type,pstart", "--gbytes --si"]
)
def test_list_chunks_prints_what_btrfs_prints(kernel_image: Image, name: str, options: str) -> None:
    image = kernel_image(name)
    if name == "mixed" and "type" in options:
        options = "--sort=-length"  # 7.3 gives this type no place in the order
    with judge.mounted(image, read_only=True) as top:
        theirs = judge.btrfs("inspect", "list-chunks", *options.split(), top)
    found = ours("inspect", "list-chunks", *options.split(), image)
    if name in ("no-bgt", "old"):
        assert found == theirs
    usage = re.compile(r" *\d+\.\d\d$", re.MULTILINE)  # 7.3 does not find block groups in a tree of their own
    assert usage.sub("", found) == usage.sub("", theirs)


@pytest.mark.parametrize("name", ["default", "snapshots", "crowded", "fragmented", "quotas"])
@pytest.mark.parametrize("options", ["", "-b", "-t 5", "-t fs --kbytes", "-t 256", "-t extent --si", "-t chunk -b"])
def test_tree_stats_prints_what_btrfs_prints(kernel_image: Image, name: str, options: str) -> None:
    image = kernel_image(name)
    if "256" in options and name not in ("snapshots", "crowded"):
        assert "no tree with id" in run("inspect", "tree-stats", "-t", "2560", image).errors
        return
    theirs = judge.btrfs("inspect", "tree-stats", *options.split(), image)
    found = ours("inspect", "tree-stats", *options.split(), image)
    time = re.compile(r"read time: .*")
    assert time.sub("", found) == time.sub("", theirs)
