"""Writing a plan: what is wiped, what is made, and what is refused."""

from __future__ import annotations

import fcntl
import os
from itertools import count
from pathlib import Path

import pytest
from sparse import SparseDevice

from pybtrfs.errors import DeviceError, RefusedError
from pybtrfs.mkfs import format as mkfs_format
from pybtrfs.mkfs.format import Destination, open_target, write_plan
from pybtrfs.mkfs.options import Request, resolve
from pybtrfs.mkfs.plan import Plan, plan
from pybtrfs.mkfs.signatures import find_signatures
from pybtrfs.volume.recorder import Recording
from pybtrfs.volume.superblocks import read_copies

MIB, GIB = 1024**2, 1024**3
OLD, NEW = b"O" * 16, b"N" * 16


def planned(fsid: bytes, *sizes: int, **wishes: object) -> Plan:
    numbers = count(1)
    sizes = sizes or (300 * MIB,)
    options = resolve(Request(fsid=fsid, **wishes), len(sizes))  # type: ignore[arg-type]
    return plan(options, sizes, lambda: 1_700_000_000, lambda: next(numbers).to_bytes(16, "big"))


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


@pytest.mark.parametrize(("discards", "most"), [(False, 8 * MIB), (True, MIB)])
def test_only_a_few_megabytes_are_written_to_a_device_of_1_tib(discards: bool, most: int) -> None:
    recording, sparse = Recording(), SparseDevice(1024 * GIB)
    device = recording.device(sparse)
    write_plan(planned(NEW, 1024 * GIB), [Destination(device, discard=sparse.freeing(device) if discards else None)])
    assert sum(len(event.data or b"") for event in recording.events) < most


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
