"""Filesystems of several devices that the kernel filled, every profile: read whole, degraded and damaged.

What is read is compared with the C program's dump of the whole filesystem, item for item.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import judge
import pytest
import zoo
from commandline import run
from damage import Patch, applied
from planted import findings
from several import attached, damage_rows, dumped, make, mounted

from pybtrfs.check.findings import Finding, Severity
from pybtrfs.fs.filesystem import open_filesystem
from pybtrfs.ondisk.constants import EXTENT_ITEM_KEY
from pybtrfs.volume.opening import Where
from pybtrfs.volume.striping import Placement

pytestmark = pytest.mark.kernel
MIB = 1 << 20
LEAST = {"raid0": 2, "raid1": 2, "raid1c3": 3, "raid1c4": 4, "raid10": 4, "raid5": 2, "raid6": 3}
TOLERATED = {"raid0": 0, "raid1": 1, "raid1c3": 2, "raid1c4": 3, "raid10": 1, "raid5": 1, "raid6": 2}
CASES = [(name, least + more) for name, least in LEAST.items() for more in (0, 1)] + [("raid10", 2), ("raid10", 3)]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[list[Path], str, int]]:
    profile, devices = request.param
    folder = tmp_path_factory.mktemp(f"{profile}-{devices}")
    images, dump = make(folder, f"-n 4k -m {profile} -d {profile}", devices)
    yield images, dump, TOLERATED[profile]
    shutil.rmtree(folder)


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


def test_every_item_is_read_with_bytes_of_one_device_damaged(made: tuple[list[Path], str, int], tmp_path: Path) -> None:
    images, dump, tolerated = made
    if not tolerated:
        pytest.skip("the profile has no second copy")
    victim = zoo.copy(images[-1], tmp_path / "victim")
    with victim.open("r+b") as file:
        for at in range(2 * MIB, 300 * MIB, 3 * MIB // 2):
            file.seek(at)
            file.write(b"damage" * 20000)
    assert dumped([*images[:-1], victim])[0] == dump


def test_every_item_is_read_with_as_many_errors_in_each_row_as_the_profile_bears(
    made: tuple[list[Path], str, int], tmp_path: Path
) -> None:
    images, dump, tolerated = made
    if not tolerated:
        pytest.skip("the profile has no second copy")
    copies = [zoo.copy(image, tmp_path / image.name) for image in images]
    damage_rows(copies, tolerated)
    assert dumped(copies) == (dump, "")


def test_one_error_more_in_each_row_is_told(made: tuple[list[Path], str, int], tmp_path: Path) -> None:
    images, _, tolerated = made
    first, *others = [zoo.copy(image, tmp_path / image.name) for image in images]
    damage_rows([first, *others], tolerated + 1)
    result = run("inspect", "dump-tree", *[word for image in others for word in ("--device", image)], first)
    assert (result.status, result.complaint()) == (1, None)
    assert "tree block " in result.errors


def test_every_item_is_read_with_one_device_gone_and_errors_in_each_row_of_the_others(
    made: tuple[list[Path], str, int], tmp_path: Path
) -> None:
    images, dump, tolerated = made
    if tolerated < 2:
        pytest.skip("the profile bears no second loss")
    copies = [zoo.copy(image, tmp_path / image.name) for image in images]
    damage_rows(copies, tolerated - 1, spared=copies[1])
    output, errors = dumped([copies[0], *copies[2:]])
    assert output == dump
    assert errors.count(" is missing") == 1


def test_members_are_read_as_block_devices(made: tuple[list[Path], str, int]) -> None:
    images, dump, tolerated = made
    with attached(images) as devices:
        assert dumped(devices) == (dump, "")
        left, missing = dumped(devices[tolerated:])
        assert left == dump
        assert missing.count(" is missing") == tolerated


def test_data_is_read_whole_degraded_and_mended(made: tuple[list[Path], str, int], tmp_path: Path) -> None:
    images, _, tolerated = made
    wanted = [bytes(range(256)) * 4096, b"399" * 399 * 3]  # as `several.some_files` has them

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
    victim = zoo.copy(images[0], tmp_path / "victim")
    with victim.open("r+b") as file:
        for at in range(2 * MIB, 300 * MIB, 3 * MIB // 2):
            file.seek(at)
            file.write(b"damage" * 20000)
    assert read([victim, *images[1:]]) == wanted


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
    with attached(images) as devices:
        with mounted(devices, tmp_path) as top:
            (top / "later").write_bytes(b"x" * 5000)
        dump = judge.dump_tree(devices[0]).partition("\n")[2]
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


def checked(images: list[Path]) -> list[Finding]:
    first, *others = images
    return findings(first, tuple(map(str, others)), data_csums=True)


def test_check_finds_nothing_whole_and_the_missing_devices_alone_degraded(made: tuple[list[Path], str, int]) -> None:
    images, _, tolerated = made
    assert checked(images) == []
    for lost in list(combinations(images, tolerated))[:3] if tolerated else ():
        found = checked([image for image in images if image not in lost])
        assert [(finding.code, finding.severity) for finding in found] == [("DEV-009", Severity.WARNING)] * tolerated


def spoiled(images: list[Path], place: Placement) -> set[tuple[str, Severity]]:
    """What is found with a sector's worth of damage in one place of one device."""
    patch = Patch("spoiled", ((place.physical, b"damage" * 100),))
    with applied(images[place.devid - 1], patch):
        return {(finding.code, finding.severity) for finding in checked(images)}


def test_check_finds_each_damaged_copy_of_data_blocks_and_parity(made: tuple[list[Path], str, int]) -> None:
    images, _, tolerated = made
    with open_filesystem(str(images[0]), Where(devices=tuple(map(str, images[1:])))) as filesystem:
        extents = (item.key for item in filesystem.tree(2).items() if item.key.type == EXTENT_ITEM_KEY)
        largest = max(extents, key=lambda key: key.offset).objectid
        [data] = filesystem.volume.chunks.pieces(largest, 4096)
        [block] = filesystem.volume.chunks.pieces(filesystem.root_tree.root.bytenr, 4096)
    for place in data.copies:
        expected = {("DAT-002", Severity.WARNING)} if tolerated else {("DAT-001", Severity.ERROR)}
        parity = {("DAT-003", Severity.WARNING)} if data.row else set()
        assert spoiled(images, place) == expected | parity
    for place in data.row.parity if data.row else ():
        assert spoiled(images, place) == {("DAT-003", Severity.WARNING)}
    for place in block.copies if tolerated else ():
        assert ("BLK-002", Severity.WARNING) in spoiled(images, place)
