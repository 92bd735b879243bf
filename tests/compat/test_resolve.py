"""`inspect inode-resolve`, `logical-resolve`, `subvolid-resolve`: what the C program says of the kernel's mount."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import judge
import pytest
from commandline import run

from pybtrfs.fs.filesystem import open_filesystem
from pybtrfs.ondisk import constants as c

pytestmark = pytest.mark.kernel
Image = Callable[[str], Path]
LEFT_OVER = 2  # a subvolume's name in a snapshot
ANSWER = 4096  # bytes in which the C program takes the kernel's paths of an inode


def ours(*command: str | Path) -> str:
    result = run("-q", *command)
    assert result.status == 0, result.errors
    return result.output


def lines(text: str) -> list[str]:
    return sorted(text.splitlines())


def data_extents(image: Path) -> dict[int, int]:
    """Length by address."""
    with open_filesystem(str(image)) as filesystem:
        items = filesystem.tree(c.EXTENT_TREE_OBJECTID).items()
        return {
            item.key.objectid: item.key.offset
            for item in items
            if item.key.type == c.EXTENT_ITEM_KEY and item.parse().flags & c.EXTENT_FLAG_DATA
        }


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("snapshots", "**/*"), ("hard-links", "**/*"), ("reflinks", "**/*"), ("crowded", "snapshots/11*/many/*7*")],
)
def test_inode_resolve_prints_the_paths_of_an_inode_of_each_subvolume(
    kernel_image: Image, name: str, pattern: str
) -> None:
    image = kernel_image(name)
    with judge.mounted(image, "subvolid=5", read_only=True) as top:
        files = [place for place in sorted(top.glob(pattern)) if place.lstat().st_ino not in (LEFT_OVER, 256)]
        for place in files[:: max(1, len(files) // 12)]:
            ino = str(place.lstat().st_ino)
            subvolume = next(above for above in place.parents if above.stat().st_ino == 256)
            where = "" if subvolume == top else f"{subvolume.relative_to(top)}/"
            theirs = judge.btrfs("inspect", "inode-resolve", ino, subvolume).replace(
                f"{subvolume}/", f"{image}:/{where}"
            )
            found = ours("inspect", "inode-resolve", ino, f"{image}:/{where}")
            if place.lstat().st_nlink < 20:
                assert found == theirs
            else:
                assert found.startswith(theirs)  # which ends where its buffer does
                assert len(theirs) < 2 * ANSWER
                assert len(found.splitlines()) == place.lstat().st_nlink


def test_inode_resolve_of_the_top_directory_and_of_no_inode(kernel_image: Image) -> None:
    image = kernel_image("snapshots")
    assert ours("inspect", "inode-resolve", "256", image) == f"{image}:/\n"
    assert ours("inspect", "inode-resolve", "0x100", f"{image}:/writable/many") == f"{image}:/writable\n"
    result = run("inspect", "inode-resolve", "255", image)
    assert (result.status, result.output) == (1, "")
    assert "no name for an inode 255" in result.errors
    assert run("inspect", "inode-resolve", "-1", image).status == 2
    assert run("inspect", "inode-resolve", "many", image).status == 2


@pytest.mark.parametrize("name", ["reflinks", "snapshots", "old-snapshots", "compressed", "fragmented", "quotas"])
@pytest.mark.parametrize("options", ["", "-o"])
def test_logical_resolve_names_the_inodes_that_the_kernel_names(kernel_image: Image, name: str, options: str) -> None:
    image, words = kernel_image(name), ["logical-resolve", "-P", *options.split()]
    extents = data_extents(image)
    chosen = sorted(extents)[:: max(1, len(extents) // 3)]
    with judge.mounted(image, "subvolid=5", read_only=True) as top:
        for start in chosen:
            for logical in {start, start + extents[start] // 2, start + extents[start] - 1}:
                theirs = judge.btrfs("inspect", *words, "-s", "16777216", str(logical), top)
                assert lines(ours("inspect", *words, str(logical), image)) == lines(theirs)


@pytest.mark.parametrize("name", ["reflinks", "snapshots"])
def test_logical_resolve_prints_the_paths_that_the_c_program_prints(kernel_image: Image, name: str) -> None:
    """It wants each subvolume mounted, by its path, and prints that mount's."""
    image = kernel_image(name)
    rows = json.loads(ours("--format", "json", "subvolume", "list", image))["subvolume-list"]
    with ExitStack() as stack:
        top = stack.enter_context(judge.mounted(image, "subvolid=5", read_only=True))
        device = judge.run("findmnt", "-no", "SOURCE", top).stdout.strip().partition("[")[0]
        mounts = {}
        for row in rows:
            mounts[row["path"]] = top.parent / f"{top.name}-{row['id']}"
            mounts[row["path"]].mkdir()
            stack.callback(mounts[row["path"]].rmdir)
            judge.run("mount", "-o", f"ro,subvol=/{row['path']}", device, mounts[row["path"]])
            stack.callback(judge.run, "umount", mounts[row["path"]])
            judge.run("mount", "--make-shared", mounts[row["path"]])  # 7.3 counts the fields of mountinfo so
        for logical in sorted(data_extents(image))[:4]:
            theirs = judge.btrfs("inspect", "logical-resolve", str(logical), top)
            for path, mount in mounts.items():
                theirs = theirs.replace(f"{mount}/", f"{image}:/{path}/")
            theirs = theirs.replace(f"{top}/", f"{image}:/")
            assert "not mounted" not in theirs
            assert lines(ours("inspect", "logical-resolve", str(logical), image)) == lines(theirs)


def test_logical_resolve_prints_no_more_than_a_buffer_holds_that_was_asked_for(kernel_image: Image) -> None:
    image = kernel_image("reflinks")
    logical = str(min(data_extents(image)))
    assert len(ours("inspect", "logical-resolve", "-o", "-P", "-s", str(16 + 24 * 3), logical, image).splitlines()) == 3
    assert ours("inspect", "logical-resolve", "-s", "0", logical, image) == ""
    rows = json.loads(ours("--format", "json", "inspect", "logical-resolve", logical, image))["logical-resolve"]
    paths = [path["path"] for row in rows for path in row["paths"]]
    assert [f"{image}:{path}" for path in paths] == ours("inspect", "logical-resolve", logical, image).splitlines()


def test_logical_resolve_of_a_tree_block_names_its_trees_and_free_space_has_none(kernel_image: Image) -> None:
    image = kernel_image("snapshots")
    with open_filesystem(str(image)) as filesystem:
        block = filesystem.tree(c.CSUM_TREE_OBJECTID).root_block().bytenr
    result = run("inspect", "logical-resolve", str(block), image)
    assert (result.status, result.output) == (1, "")
    assert "is a tree block (level 0); trees that hold it: 7" in result.errors
    result = run("inspect", "logical-resolve", "4096", image)
    assert (result.status, result.output) == (1, "")
    assert "no extent at logical address 4096" in result.errors


@pytest.mark.parametrize("name", ["snapshots", "crowded"])
def test_subvolid_resolve_prints_the_path_of_each_subvolume(kernel_image: Image, name: str) -> None:
    image = kernel_image(name)
    rows = json.loads(ours("--format", "json", "subvolume", "list", image))["subvolume-list"]
    with judge.mounted(image, "subvolid=5", read_only=True) as top:
        for number in ["5", *(str(row["id"]) for row in rows[:8])]:
            theirs = judge.btrfs("inspect", "subvolid-resolve", number, top)
            assert ours("inspect", "subvolid-resolve", number, image) == theirs
    result = run("inspect", "subvolid-resolve", "9999", image)
    assert (result.status, result.output) == (1, "")


def test_a_deleted_subvolume_has_no_path(kernel_image: Image) -> None:
    image = kernel_image("half-deleted")
    deleted = json.loads(ours("--format", "json", "subvolume", "list", "-d", image))["subvolume-list"][0]
    result = run("inspect", "subvolid-resolve", str(deleted["id"]), image)
    assert (result.status, result.output) == (1, "")
    assert "has been deleted" in result.errors
