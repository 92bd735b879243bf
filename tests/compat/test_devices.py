"""Block devices, mounted and held images, and disks with a partition table that sfdisk wrote."""

import time
from pathlib import Path

import judge
import pytest
from commandline import run
from several import attached, blank, dumped, mounted

pytestmark = pytest.mark.kernel
MIB = 1 << 20


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A filesystem that we made."""
    path = tmp_path / "image"
    assert run("mkfs", "-q", "-b", "256M", path).status == 0
    return path


def empty(tmp_path: Path, size: int) -> Path:
    path = tmp_path / "empty"
    with path.open("wb") as file:
        file.truncate(size)
    return path


def test_a_block_device_is_made_and_read_like_a_file(tmp_path: Path) -> None:
    image = empty(tmp_path, 200 * MIB)
    with judge.loop_device(image) as device:
        assert run("mkfs", "-q", "-L", "on a device", device).status == 0
        shown = run("inspect", "dump-super", device)
        assert "label\t\t\ton a device\n" in shown.output
        assert f"total_bytes\t\t{200 * MIB}\n" in shown.output
        assert run("uuid", "list", device).status == 0
        again = run("mkfs", "-q", device)
        assert again.status == 1
        assert "btrfs" in again.errors
    judge.btrfs_check(image)


def test_several_block_devices_are_made_mounted_and_read_and_none_of_them_made_anew(tmp_path: Path) -> None:
    images = blank(tmp_path, 3, 200 * MIB)
    with attached(images, scan=False) as devices:
        made = run("mkfs", "-q", "-m", "raid1c3", "-d", "raid5", *devices)
        assert (made.status, made.errors) == (0, "")
        judge.btrfs_check(devices[0])
        judge.run("btrfs", "device", "scan", *devices)
        with mounted(devices, tmp_path) as top:
            (top / "file").write_bytes(b"precious" * 10_000)
            for place, reason in ((devices[1], "in use by the kernel"), (images[1], f"held by {devices[1]}")):
                refused = run("mkfs", "-q", "-f", "-b", "150M", tmp_path / "new", place)
                assert (refused.status, reason in refused.errors) == (1, True)
                assert refused.errors.startswith(f"pybtrfs: {place}: ")
                assert not (tmp_path / "new").exists()
        judge.btrfs_check(devices[0])
        assert dumped(devices) == (judge.dump_tree(devices[0]).partition("\n")[2], "")


def test_a_mounted_image_is_read_with_a_notice_and_never_made_anew(image: Path) -> None:
    with judge.mounted(image) as top:
        (top / "file").write_bytes(b"precious")
        device = judge.run("findmnt", "-n", "-o", "SOURCE", top).stdout.strip()
        for place, reason in ((image, f"held by {device}"), (device, "in use by the kernel")):
            shown = run("subvolume", "list", place)
            assert shown.status == 0
            assert reason in shown.errors
            refused = run("mkfs", "-q", "-f", place)
            assert refused.status == 1
            assert refused.errors.startswith(f"pybtrfs: {place}: ")
        assert (top / "file").read_bytes() == b"precious"
    judge.btrfs_check(image)


@pytest.mark.parametrize("table", ["gpt", "dos"])
def test_a_disk_that_sfdisk_partitioned_is_opened_at_its_btrfs_partition(tmp_path: Path, table: str) -> None:
    disk = empty(tmp_path, 300 * MIB)
    judge.run("sfdisk", "--quiet", disk, input=f"label: {table}\nsize=8MiB\nsize=200MiB\n")
    with judge.loop_device(disk, offset=9 * MIB) as device:
        judge.run("mkfs.btrfs", "--quiet", "-L", "in a partition", "-b", str(150 * MIB), device)
    shown = run("--format", "text", "uuid", "list", disk)
    assert shown.status == 0
    assert f"opened partition 2 (offset {9 * MIB})" in shown.errors
    for options in (["--partition", "2"], ["--offset", "9M"]):
        assert run("uuid", "list", *options, disk).output == shown.output
        assert "in a partition" in run("inspect", "dump-super", *options, disk).output
    assert run("uuid", "list", "--partition", "1", disk).status == 1
    refused = run("mkfs", "-q", disk)
    assert refused.status == 1
    assert "partition table" in refused.errors


def test_a_damaged_primary_superblock_is_replaced_by_the_mirror_that_the_kernel_wrote(image: Path) -> None:
    with judge.mounted(image) as top:
        (top / "file").write_bytes(b"x" * 10000)
    wanted = run("inspect", "dump-tree", image).output
    with image.open("r+b") as file:
        file.seek(65536 + 100)
        file.write(b"damage")
    shown = run("inspect", "dump-tree", image)
    assert shown.status == 0
    assert "using mirror 1" in shown.errors
    assert shown.output == wanted
    assert run("inspect", "dump-tree", "--super", "1", image).output == wanted


def test_a_kernel_mount_of_our_filesystem_finds_nothing_to_mend(tmp_path: Path) -> None:
    for attempt in range(12):  # the kernel says no more than a hundred lines in five seconds, to all workers together
        said = said_at_the_first_mount(tmp_path / f"image-{attempt}")
        assert not [line for line in ("checking UUID tree", "creating UUID tree", "rebuilding free") if line in said]
        if "first mount of filesystem" in said and "last unmount of filesystem" in said:
            return
        time.sleep(2)
    pytest.fail("the kernel did not tell of the mount")


def said_at_the_first_mount(image: Path) -> str:
    assert run("mkfs", "-q", "-b", "256M", image).status == 0
    mark = judge.kernel_log_mark()
    with judge.mounted(image) as top:
        device = judge.run("findmnt", "-n", "-o", "SOURCE", top).stdout.strip().removeprefix("/dev/")
        (top / "file").write_bytes(b"x" * 10000)
    return "\n".join(judge.kernel_log_since(mark, f"(device {device}"))
