"""Writing a plan: whenever the power is cut, the old filesystem is there, or none, or the new one."""

from __future__ import annotations

import fcntl
import os
import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sparse import SparseDevice, Write

from pybtrfs.errors import DeviceError, NotBtrfsError, RefusedError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.mkfs import format as mkfs_format
from pybtrfs.mkfs.format import Destination, open_target, write_plan
from pybtrfs.mkfs.options import Request, resolve
from pybtrfs.mkfs.plan import Plan, plan
from pybtrfs.mkfs.signatures import find_signatures
from pybtrfs.volume.superblocks import choose, read_copies
from pybtrfs.volume.volume import Volume

MIB, GIB = 1024**2, 1024**3
OLD, NEW = b"O" * 16, b"N" * 16


def planned(fsid: bytes, size: int = 300 * MIB, **wishes: object) -> Plan:
    numbers = count(1)
    options = resolve(Request(fsid=fsid, **wishes))  # type: ignore[arg-type]
    return plan(options, [size], lambda: 1_700_000_000, lambda: next(numbers).to_bytes(16, "big"))


def what_is_there(device: SparseDevice) -> bytes | None:
    """The fsid of the filesystem that is found, be it by a mirror, after all of it was read; None where none is."""
    try:
        superblock = choose(device, None, lambda text: None).superblock
    except NotBtrfsError:
        return None
    filesystem = Filesystem(Volume(superblock, {1: device}))
    for tree_id in (1, 3, *(key.objectid for key, _ in filesystem.root_items())):
        assert list(filesystem.tree(tree_id).items()) or tree_id == 7
    return filesystem.superblock.fsid


def power_cuts(before: SparseDevice, steps: list[list[Write]], seed: int) -> Iterator[SparseDevice]:
    """What a cut leaves: all before a flush, and of what follows it a prefix, or any part with a torn write."""
    chance, durable = random.Random(seed), before
    for step in steps:
        for length in range(len(step) + 1):
            yield durable.after(step[:length])
        for _ in range(8):
            kept = [write for write in step if chance.random() < 0.5]
            torn = [(at, data[: len(data) // 2 // 512 * 512]) for at, data in kept[-1:]]
            yield durable.after([*kept[:-1], *torn])
        durable = durable.after(step)


@pytest.mark.parametrize("discards", [False, True])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (planned(OLD), planned(NEW)),
        (planned(OLD, nodesize=65536), planned(NEW, nodesize=4096, metadata="single")),
        (planned(OLD, mixed=True), planned(NEW, 200 * MIB, csum="sha256")),
    ],
)
def test_a_power_cut_leaves_the_old_filesystem_or_none_or_the_new_one(
    old: Plan, new: Plan, discards: bool, seed: int
) -> None:
    before = SparseDevice(300 * MIB)
    write_plan(old, [Destination(before)])
    assert what_is_there(before) == OLD
    device = before.after([])
    discard = device.discard if discards else None
    write_plan(new, [Destination(device, find_signatures(before), discard)])
    states = [what_is_there(cut) for cut in power_cuts(before, device.steps, seed)]
    assert set(states) == {OLD, None, NEW}
    assert states[-1] == what_is_there(device) == NEW
    reached = [state for state in states if state is not None]
    assert reached == sorted(reached, reverse=True), "no way back from the new filesystem to the old one"


def test_no_copy_of_the_old_superblock_is_left() -> None:
    device = SparseDevice(257 * GIB)
    write_plan(planned(OLD, 257 * GIB), [Destination(device)])
    write_plan(planned(NEW, 300 * MIB), [Destination(device)])
    assert [copy.superblock.fsid for copy in read_copies(device) if copy.problem is None] == [NEW, NEW]


def test_boot_sector_and_end_of_the_device_are_wiped_and_what_was_found_elsewhere() -> None:
    device, size = SparseDevice(300 * MIB), 300 * MIB
    for offset in (0, MIB, size - 512, size - 2 * MIB):
        device.write(offset, b"EFI PART")
    device.write(4 * MIB, b"SKUL\xba\xbe")
    write_plan(planned(NEW), [Destination(device, find_signatures(device))])
    assert {found.name for found in find_signatures(device)} == {"btrfs filesystem"}
    assert device.read(MIB, 8) == device.read(size - 2 * MIB, 8) == bytes(8)


def test_only_a_few_megabytes_are_written_to_a_device_of_1_tib() -> None:
    device = SparseDevice(1024 * GIB)
    write_plan(planned(NEW, 1024 * GIB), [Destination(device)])
    assert sum(len(data) for step in device.steps for _, data in step) < 8 * MIB
    device = SparseDevice(1024 * GIB)
    write_plan(planned(NEW, 1024 * GIB), [Destination(device, discard=device.discard)])
    assert sum(len(data) for step in device.steps for _, data in step) < MIB


OPTIONS = resolve(Request())


def make(path: Path, size: int | None = None, *, force: bool = False) -> None:
    with open_target(str(path), OPTIONS, size, force=force) as target:
        numbers = count(1)
        made = plan(OPTIONS, [target.size], lambda: 0, lambda: next(numbers).to_bytes(16, "big"))
        write_plan(made, [Destination(target.device, target.found, target.device.discard)])


def test_a_missing_file_is_made_where_its_size_is_given(tmp_path: Path) -> None:
    image = tmp_path / "new.img"
    with pytest.raises(DeviceError, match="does not exist; -b SIZE creates it"):
        make(image)
    with pytest.raises(DeviceError, match=r"too few for this filesystem, it needs 114294784 \(109 MiB\)"):
        make(image, 100 * MIB)
    assert not image.exists()
    make(image, GIB)
    assert image.stat().st_size == GIB
    assert image.stat().st_blocks * 512 < MIB


def test_a_short_file_grows_and_a_long_one_keeps_its_length_and_what_lies_behind(tmp_path: Path) -> None:
    short, long = tmp_path / "short.img", tmp_path / "long.img"
    short.write_bytes(b"x" * 1000)
    make(short, 200 * MIB)
    assert short.stat().st_size == 200 * MIB
    with long.open("wb") as file:
        file.truncate(400 * MIB)
        file.seek(200 * MIB)
        file.write(b"behind")
    make(long, 200 * MIB)
    assert long.stat().st_size == 400 * MIB
    with long.open("rb") as file:
        file.seek(200 * MIB)
        assert file.read(6) == b"behind"


def test_old_contents_are_freed(tmp_path: Path) -> None:
    image = tmp_path / "old.img"
    image.write_bytes(os.urandom(MIB) * 120)
    make(image)
    assert image.stat().st_size == 120 * MIB
    assert image.stat().st_blocks * 512 < MIB


def test_where_holes_cannot_be_punched_zeros_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = tmp_path / "old.img"
    image.write_bytes(b"x" * 120 * MIB)
    monkeypatch.setattr("pybtrfs.volume.device._FS_IOC_UNRESVSP64", 0x5401)  # what no regular file knows
    make(image)
    with image.open("rb") as file:
        assert file.read(65536) == bytes(65536)
        file.seek(3 * MIB)
        assert file.read(4) == b"xxxx"


def test_what_lives_there_is_refused_without_force_and_left_as_it_is(tmp_path: Path) -> None:
    image = tmp_path / "there.img"
    make(image, 200 * MIB)
    before = image.read_bytes()
    for size in (None, 120 * MIB, GIB):
        with pytest.raises(RefusedError, match="already holds: btrfs filesystem; -f overwrites it"):
            make(image, size)
    assert image.read_bytes() == before
    make(image, force=True)


def test_two_at_once_are_refused_also_with_force(tmp_path: Path) -> None:
    image = tmp_path / "busy.img"
    make(image, 200 * MIB)
    with image.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(RefusedError, match="is locked"):
            make(image, force=True)
    make(image, force=True)


def test_an_image_that_a_loop_device_holds_is_refused_also_with_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "held.img"
    make(image, 200 * MIB)
    monkeypatch.setattr(mkfs_format, "loop_holders", lambda path: ["/dev/loop7"])
    with pytest.raises(RefusedError, match="is held by /dev/loop7"):
        make(image, force=True)


def test_a_directory_and_a_fifo_are_no_devices(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(DeviceError, match="neither a regular file nor a block device"):
            make(path, GIB)
