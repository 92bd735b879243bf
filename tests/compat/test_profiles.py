"""Filesystems of several devices that the kernel filled, every profile: read whole, degraded and damaged.

What is read is compared with the C program's dump of the whole filesystem, item for item.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import combinations
from pathlib import Path

import judge
import pytest
from commandline import run

pytestmark = pytest.mark.kernel
MIB = 1 << 20
LEAST = {"raid0": 2, "raid1": 2, "raid1c3": 3, "raid1c4": 4, "raid10": 4, "raid5": 2, "raid6": 3}
TOLERATED = {"raid0": 0, "raid1": 1, "raid1c3": 2, "raid1c4": 3, "raid10": 1, "raid5": 1, "raid6": 2}
CASES = [(name, least + more) for name, least in LEAST.items() for more in (0, 1)]


def make(folder: Path, profile: str, devices: int) -> tuple[list[Path], str]:
    """Images of one filesystem, filled by the kernel, and the C program's dump of it."""
    images = [folder / f"device-{number}" for number in range(1, devices + 1)]
    for image in images:
        with image.open("wb") as file:
            file.truncate(300 * MIB)
    with ExitStack() as stack:
        loops = [stack.enter_context(judge.loop_device(image)) for image in images]
        judge.run("mkfs.btrfs", "--quiet", "-n", "4k", "-m", profile, "-d", profile, *loops)
        judge.run("btrfs", "device", "scan", *loops)
        top = folder / "top"
        top.mkdir()
        judge.run("mount", "-t", "btrfs", loops[0], top)
        try:
            fill(top)
        finally:
            judge.run("umount", top)
        dump = judge.dump_tree(Path(loops[0]))
    return images, dump.partition("\n")[2]


def fill(top: Path) -> None:
    for number in range(400):
        (top / f"file-{number}").write_bytes(b"%d" % number * (number * 3))
    judge.btrfs("subvolume", "snapshot", top, top / "snapshot")
    (top / "big").write_bytes(bytes(range(256)) * 4096)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[list[Path], str, int]]:
    profile, devices = request.param
    folder = tmp_path_factory.mktemp(f"{profile}-{devices}")
    images, dump = make(folder, profile, devices)
    yield images, dump, TOLERATED[profile]
    shutil.rmtree(folder)


def dumped(images: list[Path]) -> tuple[str, str]:
    first, *others = images
    result = run("inspect", "dump-tree", *[word for image in others for word in ("--device", image)], first)
    assert result.complaint() is None
    assert result.status == 0, result.errors
    errors = [line for line in result.errors.splitlines(keepends=True) if " is held by /dev/loop" not in line]
    return result.output.partition("\n")[2], "".join(errors)  # the kernel lets go of a loop device when it likes


def test_every_item_is_read_whole_and_with_devices_missing(made: tuple[list[Path], str, int]) -> None:
    images, dump, tolerated = made
    assert dumped(images) == (dump, "")
    assert dumped(images[::-1])[0] == dump
    if tolerated:
        for lost in list(combinations(images, tolerated))[:4]:
            left = [image for image in images if image not in lost]
            output, errors = dumped(left)
            assert output == dump
            assert errors.count(" is missing") == tolerated


def test_every_item_is_read_with_bytes_of_one_device_damaged(made: tuple[list[Path], str, int]) -> None:
    images, dump, tolerated = made
    if not tolerated:
        pytest.skip("the profile has no second copy")
    with damaged(images[-1]):
        output, _ = dumped(images)
    assert output == dump


def test_data_is_read_whole_degraded_and_mended(made: tuple[list[Path], str, int]) -> None:
    images, _, tolerated = made
    wanted = [bytes(range(256)) * 4096, b"399" * 399 * 3]

    def read(devices: list[Path]) -> list[bytes]:
        first, *others = devices
        words = [sys.executable, "-m", "pybtrfs", "-q", "cat", *(word for one in others for word in ("--device", one))]
        places = [f"{first}:/big", f"{first}:/snapshot/file-399"]
        found = [subprocess.run([*words, place], capture_output=True, check=True) for place in places]
        assert [result.stderr for result in found] == [b"", b""]
        return [result.stdout for result in found]

    assert read(images) == wanted
    if not tolerated:
        return
    for lost in list(combinations(images, tolerated))[:2]:
        assert read([image for image in images if image not in lost]) == wanted
    with damaged(images[0]):
        assert read(images) == wanted


@contextmanager
def damaged(victim: Path) -> Iterator[None]:
    """Every 1.5 MiB of a device holds garbage for a while."""
    before = victim.read_bytes()
    with victim.open("r+b") as file:
        for at in range(2 * MIB, 300 * MIB, 3 * MIB // 2):
            file.seek(at)
            file.write(b"damage" * 20000)
    try:
        yield
    finally:
        victim.write_bytes(before)


def test_members_that_do_not_belong_together_are_refused_by_name(
    made: tuple[list[Path], str, int], tmp_path: Path
) -> None:
    images, _, _ = made
    other = tmp_path / "other"
    assert run("mkfs", "-q", "-b", "200M", other).status == 0
    result = run("uuid", "list", "--device", other, images[0])
    assert (result.status, result.output) == (1, "")
    assert f"{other}: is of another filesystem: fsid " in result.errors
    result = run("uuid", "list", "--device", images[0], images[0])
    assert result.status == 1
    assert "is devid 1, and so is" in result.errors


def test_a_member_that_missed_commits_is_read_last(made: tuple[list[Path], str, int], tmp_path: Path) -> None:
    images, _, tolerated = made
    if tolerated != 1 or len(images) != 2:
        pytest.skip("one case is enough")
    stale = tmp_path / "stale"
    shutil.copyfile(images[1], stale)
    with ExitStack() as stack:
        loops = [stack.enter_context(judge.loop_device(image)) for image in images]
        judge.run("btrfs", "device", "scan", *loops)
        top = tmp_path / "top"
        top.mkdir()
        judge.run("mount", "-t", "btrfs", loops[0], top)
        try:
            (top / "later").write_bytes(b"x" * 5000)
        finally:
            judge.run("umount", top)
        dump = judge.dump_tree(Path(loops[0])).partition("\n")[2]
    output, errors = dumped([images[0], stale])
    assert output == dump
    assert f"{stale}: missed commits: generation" in errors


def test_filesystem_show_names_each_device_where_it_is_and_those_that_are_missing(
    made: tuple[list[Path], str, int],
) -> None:
    images, _, tolerated = made
    words = [word for image in images[1:] for word in ("--device", image)]
    shown = run("filesystem", "show", *words, images[0])
    assert shown.status == 0
    assert [line.rsplit(" ", 1)[1] for line in shown.output.splitlines() if "\tdevid" in line] == list(map(str, images))
    assert run("filesystem", "usage", *words, images[0]).complaint() is None
    if tolerated:
        assert "*** Some devices missing" in run("filesystem", "show", *words[2:], images[0]).output
