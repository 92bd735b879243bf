"""dump-tree and dump-super against the C program's, line for line, for every image in the zoo.

What may differ: the first line, which names the program and its version; and names with control bytes, which
the C program prints raw in ROOT_REF and STRING items and ours escapes (only the forest has such names).
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import judge
import pytest
import zoo
from commandline import run

pytestmark = pytest.mark.kernel
Image = Callable[[str], Path]

VARIANTS = ("--csum-items --csum-headers", "--hide-names", "--dfs", "-e", "-d", "-r", "-R", "-u", "-e -r", "-d -R")
TREES = ("root", "extent", "chunk", "dev", "fs", "csum", "uuid", "free-space", "block-group", "256", "DATA_RELOC")


def ours(command: str, image: Path, options: str) -> list[str]:
    result = run("-q", "inspect", command, *options.split(), image, seconds=600)
    assert result.complaint() is None
    return result.output.splitlines()


def theirs(command: str, image: Path, options: str) -> list[str]:
    result = judge.run("btrfs", "inspect-internal", command, *options.split(), image, check=False)
    return str(result.stdout).splitlines()


def same(image: Path, options: str) -> None:
    """Our dump with these options is theirs, but for the first line."""
    mine, wanted = ours("dump-tree", image, options), theirs("dump-tree", image, options)
    assert mine[0].startswith("pybtrfs v")
    assert wanted[0].startswith("btrfs-progs v")
    assert mine[1:] == wanted[1:], f"dump-tree {options}"


CROWDED = ("crowded", "paused-balance", "balancing")
"""Images of hundreds of snapshots: their whole dumps are millions of lines, for `make soak`."""
PLAIN = [name for name in zoo.RECIPES if name != "forest"]  # names of its subvolumes are not printable
WHOLE = [pytest.param(name, marks=[pytest.mark.soak] if name in CROWDED else []) for name in PLAIN]


@pytest.mark.parametrize("name", WHOLE)
def test_the_dump_of_every_tree_is_the_c_programs(kernel_image: Image, name: str) -> None:
    same(kernel_image(name), "")


@pytest.mark.parametrize("name", CROWDED)
@pytest.mark.parametrize("tree", ["root", "extent", "chunk", "dev", "TREE_RELOC"])
def test_the_dump_of_one_tree_of_a_crowded_image_is_the_c_programs(kernel_image: Image, name: str, tree: str) -> None:
    same(kernel_image(name), f"-t {tree}")


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("name", ["snapshots", "old", "log", "fragmented", "nodesize-4k", "sha256", "xxhash"])
def test_the_dump_with_options_is_the_c_programs(kernel_image: Image, name: str, options: str) -> None:
    same(kernel_image(name), options)


@pytest.mark.parametrize("tree", TREES)
@pytest.mark.parametrize("name", ["snapshots", "old", "log"])
def test_the_dump_of_one_tree_is_the_c_programs(kernel_image: Image, name: str, tree: str) -> None:
    same(kernel_image(name), f"-t {tree}")


@pytest.mark.parametrize("name", ["nodesize-4k", "fragmented", "old-snapshots"])
def test_the_dump_of_blocks_is_the_c_programs(kernel_image: Image, name: str) -> None:
    image = kernel_image(name)
    nodes = re.findall(r"^node (\d+) level", "\n".join(theirs("dump-tree", image, "")), re.MULTILINE)
    leaves = re.findall(r"^leaf (\d+) items", "\n".join(theirs("dump-tree", image, "")), re.MULTILINE)
    for options in (f"-b {leaves[0]}", f"-b {nodes[-1]}", f"-b {nodes[-1]} --follow", f"-b {nodes[-1]} --follow --dfs"):
        same(image, options)
    same(image, f"-b {leaves[3]} -b {leaves[1]}")


@pytest.mark.parametrize("options", ["", "-f", "-a", "-f -a", "-s 1 -f"])
@pytest.mark.parametrize("name", zoo.RECIPES)
def test_dump_super_is_the_c_programs(kernel_image: Image, name: str, options: str) -> None:
    image = kernel_image(name)
    assert ours("dump-super", image, options) == theirs("dump-super", image, options)


@pytest.mark.parametrize("name", WHOLE)
def test_the_json_dump_holds_the_same_blocks_and_items(kernel_image: Image, name: str) -> None:
    image = kernel_image(name)
    result = run("-q", "--format", "json", "inspect", "dump-tree", image, seconds=600)
    assert result.complaint() is None
    blocks = [event for event in json.loads(result.output)["dump-tree"] if event["kind"] in ("leaf", "node")]
    text = theirs("dump-tree", image, "")
    assert len(blocks) == sum(line.startswith(("leaf ", "node ")) for line in text) // 2
    items = [item for block in blocks for item in block.get("items", [])]
    assert len(items) == sum(bool(re.match(r"\titem \d+ key ", line)) for line in text)
    assert not [item for item in items if "error" in item]
