"""`filesystem usage` and `df`, `device usage` and `stats` over several devices: what the C program says at a mount."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import judge
import pytest
from commandline import run

pytestmark = pytest.mark.kernel
MIB = 1 << 20
CASES = {  # name: options of mkfs.btrfs, MiB of each device, whether the last one is then taken away
    "raid5": ("-d raid5 -m raid1", (300, 400, 500), False),
    "raid6-degraded": ("-d raid6 -m raid1c3", (300, 300, 300, 350), True),
    "raid10": ("-d raid10 -m raid10", (300,) * 5, False),
    "mixed": ("--mixed -d raid1 -m raid1", (200, 300), False),
    "converted": ("-d single -m raid1", (300, 1000), False),
}
COMMANDS = [
    *(f"filesystem usage{options}" for options in ("", " -b", " -T", " -T -b", " -T --si", " -m")),
    *(f"filesystem df{options}" for options in ("", " -b")),
    *(f"device usage{options}" for options in ("", " -b", " --si")),
    *(f"device stats{options}" for options in ("", " -c", " -T")),
    "--format json device stats",
    "--format json filesystem df",
]


class Made(NamedTuple):
    """The images that are there, and how each command of the C program ended and what it printed."""

    images: list[Path]
    said: dict[str, tuple[int, str]]


@pytest.fixture(scope="module", params=CASES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    options, sizes, degraded = CASES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    images = [folder / f"d{number}" for number in range(len(sizes))]
    for image, size in zip(images, sizes, strict=True):
        with image.open("wb") as file:
            file.truncate(size * MIB)
    with ExitStack() as stack:
        loops = [stack.enter_context(judge.loop_device(image)) for image in images]
        judge.run("mkfs.btrfs", "--quiet", *options.split(), *loops)
        judge.run("btrfs", "device", "scan", *loops)
        top = folder / "top"
        top.mkdir()
        judge.run("mount", "-t", "btrfs", loops[0], top)
        try:
            fill(top, convert=request.param == "converted")
        finally:
            judge.run("umount", top)
        if degraded:
            judge.run("btrfs", "device", "scan", "--forget", loops.pop())
            images.pop()
        judge.run("mount", "-t", "btrfs", "-o", "ro" + ",degraded" * degraded, loops[0], top)
        try:
            said = {command: theirs(command, top, dict(zip(loops, images, strict=True))) for command in COMMANDS}
        finally:
            judge.run("umount", top)
    yield Made(images, said)
    shutil.rmtree(folder)


def fill(top: Path, *, convert: bool) -> None:
    for number in range(60):
        (top / f"file-{number}").write_bytes(b"%d" % number * 9001)
    (top / "big").write_bytes(bytes(range(256)) * 80000)
    if convert:
        judge.run("btrfs", "balance", "start", "-dconvert=raid0,limit=1", top)
        (top / "more").write_bytes(bytes(range(255)) * 300000)


def theirs(command: str, top: Path, images: dict[str, Path]) -> tuple[int, str]:
    result = judge.run("btrfs", *command.split(), top, check=False)
    said = re.sub(r"/dev/loop\d+", lambda found: str(images[found[0]]), result.stdout)
    return result.returncode, re.sub(r"^ *Free \(statfs.*\n", "", said, flags=re.M)


def words(command: str, said: str) -> list[str]:
    """The lines; of a table without the widths of columns, in which the C program had the loop device's name."""
    lines = said.rstrip("\n").splitlines()
    return [re.sub(r" +", " ", re.sub(r"-{2,}", "--", line)) for line in lines] if " -T" in command else lines


@pytest.mark.parametrize("command", COMMANDS)
def test_it_prints_what_btrfs_prints_of_the_mounted_filesystem(made: Made, command: str) -> None:
    status, said = made.said[command]
    first, *others = made.images
    ours = run("-q", *command.split(), *[word for image in others for word in ("--device", image)], first)
    assert (ours.status, words(command, ours.output)) == (status, words(command, said)), ours.errors


def test_json_adds_up(made: Made) -> None:
    first, *others = made.images
    members = [word for image in others for word in ("--device", image)]
    found = json.loads(run("-q", "--format", "json", "filesystem", "usage", *members, first).output)["filesystem-usage"]
    rows = json.loads(run("-q", "--format", "json", "device", "usage", *members, first).output)["device-usage"]
    assert found["devices"] == rows
    assert sum(row["size"] for row in rows) == found["overall"]["size"]
    assert sum(row["unallocated"] for row in rows) == found["overall"]["unallocated"]
    assert [row["path"] for row in rows if row["path"]] == list(map(str, made.images))
    for row in rows:
        assert row["used"] == row["size"] - row["unallocated"] == sum(group["size"] for group in row["groups"])


def test_the_map_has_each_device_extent_that_the_device_tree_has(made: Made) -> None:
    first, *others = made.images
    members = [word for image in others for word in ("--device", image)]
    drawn = json.loads(run("-q", "--format", "json", "inspect", "map", *members, first).output)["map"]
    dump = run("-q", "inspect", "dump-tree", "-t", "dev", *members, first).output
    items = re.findall(r"\((\d+) DEV_EXTENT (\d+)\).*\n.*\n.* chunk_offset (\d+) length (\d+)", dump)
    extents = [(device["devid"], extent) for device in drawn for extent in device["extents"]]
    found = [(devid, e["physical"], e["logical"], e["length"]) for devid, e in extents]
    assert found == [tuple(map(int, item)) for item in items]
    groups = {
        extent["logical"]: (extent["type"], extent["profile"], extent["used"], extent["chunk_length"])
        for _, extent in extents
    }
    sums: dict[tuple[str, str], list[int]] = {}
    for kind, profile, used, length in groups.values():
        total = sums.setdefault((kind, profile), [0, 0])
        total[0] += length
        total[1] += used
    said = json.loads(made.said["--format json filesystem df"][1])["filesystem-df"][:-1]
    assert sums == {(row["bg-type"], row["bg-profile"]): [row["total"], row["used"]] for row in said}


def test_errors_that_the_kernel_counted_are_printed_and_checked(tmp_path: Path) -> None:
    image, content = tmp_path / "image", b"damaged" * 100000
    judge.mkfs(image, 256 * MIB, "-d", "single")
    with judge.mounted(image) as top:
        (top / "file").write_bytes(content)
    data = image.read_bytes()
    with image.open("r+b") as file:
        file.seek(data.index(content[:4096]))
        file.write(bytes(4096))
    with judge.mounted(image) as top:
        with pytest.raises(OSError, match="Input/output error"):
            (top / "file").read_bytes()
        judge.btrfs("filesystem", "sync", top)
    result = run("device", "stats", image)
    assert result.status == 0
    assert result.output == judge.btrfs("device", "stats", "--offline", image)
    [row] = json.loads(run("device", "stats", "--format", "json", "--offline", image).output)["device-stats"]
    assert row["corruption_errs"] > 0
    assert (
        run("device", "stats", "-c", image).status
        == judge.run("btrfs", "device", "stats", "-c", "--offline", image, check=False).returncode
        == 64
    )
