"""A large file by two processes: the same bytes, the same losses, errors of either half."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import zoo
from damage import applied, flips

from pybtrfs.archive.halves import both_halves
from pybtrfs.archive.policy import Wishes
from pybtrfs.archive.report import Report
from pybtrfs.archive.restore import restore
from pybtrfs.errors import HostError, PybtrfsError
from pybtrfs.fs.file import File
from pybtrfs.fs.filesystem import open_filesystem
from pybtrfs.fs.path import resolve
from pybtrfs.ondisk.file_extent import FileExtent

MIB = 1 << 20


def restored(image: Path, target: Path, name: bytes) -> tuple[bytes, Report]:
    report = Report()
    with open_filesystem(str(image)) as filesystem:
        restore(filesystem, resolve(filesystem, name), os.fsencode(target), Wishes(), report, name=name)
    return (target / os.fsdecode(name)).read_bytes(), report


@pytest.mark.kernel
@pytest.mark.parametrize("name", [b"large", b"sparse"])
def test_a_file_by_two_processes_has_its_bytes_and_its_losses_are_named(
    kernel_image: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    image = zoo.copy(kernel_image("default"), tmp_path / "image")
    whole, _ = restored(image, tmp_path / "one", name)
    monkeypatch.setattr("pybtrfs.archive.restore.WORTH_IT", MIB)
    monkeypatch.setattr("pybtrfs.archive.restore.can_fork", lambda: True)
    assert restored(image, tmp_path / "two", name)[0] == whole
    with open_filesystem(str(image)) as filesystem:
        segments = list(File(filesystem, resolve(filesystem, name)).segments())
        extents = [s for s in segments if isinstance(s.extent, FileExtent) and not s.is_hole]
        first, last = extents[0], extents[-1]
        places = [(s.extent.disk_bytenr + s.extent.offset, 4096) for s in (first, last)]  # type: ignore[union-attr]
        patches = flips(filesystem, places, beyond_repair=True)
    with applied(image, patches[1]):
        damaged, report = restored(image, tmp_path / "three", name)
    wanted = bytearray(whole)
    for segment in (first, last):
        end = min(segment.file_offset + 4096, len(whole))
        wanted[segment.file_offset : end] = bytes(end - segment.file_offset)
    assert damaged == bytes(wanted)
    [problem] = report.problems
    assert [begin for begin, _ in problem.ranges] == [first.file_offset, last.file_offset]


def test_an_error_of_either_half_is_raised_and_no_process_is_left() -> None:
    def fails(first: int, end: int) -> int:
        if first >= MIB:
            raise HostError("no room", 28)
        return end

    with pytest.raises(HostError, match="no room") as told:
        both_halves(fails, 2 * MIB)
    assert told.value.is_final
    with pytest.raises(HostError, match="no room"):
        both_halves(lambda first, end: fails(MIB - first, end), 2 * MIB)
    with pytest.raises(PybtrfsError, match="has died"):
        both_halves(lambda first, end: os._exit(3) if first else end, 2 * MIB)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
