"""`filesystem show`, `df` and `label`: what the C program says of images that the kernel filled."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import judge
import pytest
from commandline import run

pytestmark = pytest.mark.kernel
IMAGES = ("default", "labelled", "old", "no-bgt", "mixed", "crowded", "metadata-uuid")
Image = Callable[[str], Path]


def ours(*command: str | Path) -> str:
    result = run("-q", *command)
    assert result.status == 0, result.errors
    return result.output


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("options", ["", "--raw", "--si", "--mbytes"])
def test_show_prints_what_btrfs_prints_of_the_image(kernel_image: Image, name: str, options: str) -> None:
    image = kernel_image(name)
    theirs = judge.btrfs("filesystem", "show", *options.split(), image)
    assert ours("filesystem", "show", *options.split(), image).strip() == theirs.strip()


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("options", ["", "-b", "-H", "-m", "--si --kbytes", "-h", "-t"])
def test_df_prints_what_btrfs_prints_of_the_mounted_filesystem(kernel_image: Image, name: str, options: str) -> None:
    image = kernel_image(name)
    with judge.mounted(image, read_only=True) as top:
        theirs = judge.btrfs("filesystem", "df", *options.split(), top)
    assert ours("filesystem", "df", *options.split(), image) == theirs


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("options", ["", "-b", "-H", "-m"])
def test_usage_prints_what_btrfs_prints_but_for_statfs(kernel_image: Image, name: str, options: str) -> None:
    image = kernel_image(name)
    with judge.mounted(image, read_only=True) as top:
        theirs = judge.btrfs("filesystem", "usage", *options.split(), top)
    theirs = re.sub(r"^ *Free \(statfs.*\n", "", re.sub(r"/dev/loop\d+", str(image.resolve()), theirs), flags=re.M)
    assert ours("filesystem", "usage", *options.split(), image).rstrip("\n") == theirs.rstrip("\n")


@pytest.mark.parametrize("name", IMAGES)
def test_label_prints_what_btrfs_prints(kernel_image: Image, name: str) -> None:
    assert ours("filesystem", "label", kernel_image(name)) == judge.btrfs("filesystem", "label", kernel_image(name))


def test_json_has_bytes_as_numbers(kernel_image: Image) -> None:
    image = kernel_image("default")
    shown = json.loads(ours("filesystem", "show", "--format", "json", image))["filesystem-show"]
    assert (shown["total_devices"], shown["devices"][0]["path"]) == (1, str(image.resolve()))
    rows = json.loads(ours("filesystem", "df", "--format", "json", image))["filesystem-df"]
    assert {row["bg-type"] for row in rows} == {"Data", "System", "Metadata", "GlobalReserve"}
