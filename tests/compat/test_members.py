"""Members that do not fit: removed, replaced by another under the same devid, of an earlier or another state."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import judge
import pytest
import zoo
from commandline import run
from several import attached, blank, dumped, make, mounted

pytestmark = pytest.mark.kernel


class Moved(NamedTuple):
    """Three members of raid1, copies of each before the third was removed, and the dump of what is left."""

    images: list[Path]
    before: list[Path]
    dump: str


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Moved:
    folder = tmp_path_factory.mktemp("moved")
    images, _ = make(folder, "-m raid1 -d raid1 -n 4k", 3)
    before = [zoo.copy(image, image.with_suffix(".before")) for image in images]
    with attached(images) as loops:
        with mounted(loops, folder) as top:
            judge.btrfs("device", "remove", "3", top)
        dump = judge.dump_tree(loops[0]).partition("\n")[2]
    return Moved(images, before, dump)


def refused(first: Path, *others: Path) -> str:
    result = run("uuid", "list", *[word for image in others for word in ("--device", image)], first)
    assert (result.status, result.output, result.complaint()) == (1, "", None)
    return result.errors


def test_a_member_that_was_removed_is_refused_by_name(moved: Moved) -> None:
    [one, two, removed], earlier = moved.images, moved.before[2]
    assert dumped([one, two]) == (moved.dump, "")
    for members in ((one, two, earlier), (earlier, two, one)):
        assert f"pybtrfs: {earlier}: is devid 3, which the filesystem does not have\n" in refused(*members)
    assert f"pybtrfs: {removed}: no valid superblock at 65536" in refused(one, two, removed)


def test_members_from_before_are_read_last(moved: Moved) -> None:
    one, two, _ = moved.images
    for members, old in (([one, moved.before[1]], moved.before[1]), ([moved.before[0], two], moved.before[0])):
        output, errors = dumped(members)
        assert output == moved.dump
        assert re.fullmatch(rf"pybtrfs: {old}: missed commits: generation \d+, the newest is \d+; it is .*\n", errors)
    assert f"{two}: is devid 2, and so is {moved.before[1]}" in refused(moved.before[1], one, two)


def test_another_device_under_a_devid_that_was_free_again_is_told_by_its_uuid(moved: Moved, tmp_path: Path) -> None:
    images = [zoo.copy(image, tmp_path / image.name) for image in moved.images[:2]]
    (tmp_path / "new").mkdir()
    [new] = blank(tmp_path / "new", 1)
    with attached(images) as loops, judge.loop_device(new) as device:
        with mounted(loops, tmp_path) as top:
            judge.run("btrfs", "device", "add", "-f", "-K", device, top)
        dump = judge.dump_tree(loops[0]).partition("\n")[2]
    assert dumped([*images, new]) == (dump, "")
    said = refused(*images, moved.before[2])
    assert re.search(rf"^pybtrfs: {moved.before[2]}: devid 3 has uuid \S+, the filesystem knows \S+$", said, re.M)


def test_two_halves_of_a_mirror_that_went_apart_are_told_and_the_first_one_is_read(tmp_path: Path) -> None:
    images, _ = make(tmp_path, "-m raid1 -d raid1 -n 4k", 2)
    dumps = []
    for number, image in enumerate(images):
        with attached([image]) as loops:
            with mounted(loops, tmp_path, "degraded") as top:
                for name in range(30 + 90 * number):
                    (top / f"half {number} {name}").write_bytes(zoo.noise(3000, number))
            said = judge.dump_tree(loops[0])
            dumps.append(said[said.index("root tree\n") :])  # before it stands that a device is missing
    one, other = (re.findall(r"^generation\s+(\d+)", judge.dump_super(image), re.MULTILINE)[0] for image in images)
    assert one == other, "only then is the generation no help"
    for order in (0, 1), (1, 0):
        first, second = (images[number] for number in order)
        output, errors = dumped([first, second])
        assert output == dumps[order[0]]
        assert errors.startswith(f"pybtrfs: {second}: is not of the same generation {one} as {first}: both were ")


def test_blocks_that_only_a_stale_member_has_are_refused_where_they_are_too_old(tmp_path: Path) -> None:
    images, _ = make(tmp_path, "-m raid0 -d raid0 -n 4k", 2)
    old = zoo.copy(images[1], tmp_path / "old")
    with attached(images) as loops, mounted(loops, tmp_path) as top:
        (top / "later").write_bytes(b"x" * 5000)
    result = run("inspect", "dump-tree", "--device", old, images[0])
    assert (result.status, result.complaint()) == (1, None)
    assert f"{old}: missed commits: generation " in result.errors
    assert re.search(r"tree block \d+: mirror 1 \(devid 2 at \d+\): .* is .*, its parent says ", result.errors)
