"""Restore and export of hostile and damaged images: nothing outside the target, the healthy files whole, an end."""

import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import damage
import hostile
import judge
import manifest
import pytest
from commandline import run

from pybtrfs.archive import parallel

every_image = pytest.mark.parametrize("name", hostile.IMAGES)


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A directory that some images aim at, beside the target: nothing in it, or beside it, may change."""
    folder = tmp_path / "outside"
    folder.mkdir()
    for name in ("file", "linked"):
        (folder / name).write_bytes(b"precious")
    before = manifest.of(folder)
    yield folder
    assert manifest.differences(before, manifest.of(folder), manifest.IMAGE - {"atime"}) == []
    assert {path.name for path in tmp_path.iterdir()} <= {"outside", "image", "out", "tar"}


def healthy(out: Path) -> dict[bytes, bytes]:
    return {path: (out / os.fsdecode(path)).read_bytes() for path in hostile.HEALTHY}


@pytest.fixture(params=["by one", "by two"])
def processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restore by one process, and by two however few files there are."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(parallel, "_WORTH_IT", 0 if request.param == "by two" else 1 << 60)


@every_image
@pytest.mark.usefixtures("processes")
def test_a_hostile_image_leaves_nothing_outside_and_its_healthy_files_are_restored(
    tmp_path: Path, outside: Path, name: str
) -> None:
    image = hostile.build(name, tmp_path / "image", outside)
    result = run("restore", "--trusted", image, tmp_path / "out")
    assert result.complaint() is None
    assert healthy(tmp_path / "out") == hostile.HEALTHY
    again = run("restore", "--overwrite", image, tmp_path / "out")
    assert again.complaint() is None
    assert healthy(tmp_path / "out") == hostile.HEALTHY


@every_image
def test_a_hostile_image_into_a_target_full_of_links_leaves_nothing_outside(
    tmp_path: Path, outside: Path, name: str
) -> None:
    image = hostile.build(name, tmp_path / "image", outside)
    listed = run("restore", "-D", image, tmp_path / "out")
    assert listed.complaint() is None
    (tmp_path / "out").mkdir()
    for line in listed.output.splitlines():
        name_of = line.strip("/").partition("/")[0]
        if name_of and not os.path.lexists(tmp_path / "out" / name_of) and len(name_of) < 255:
            (tmp_path / "out" / name_of).symlink_to(outside)
    for options in ([], ["-o"]):
        assert run("restore", *options, image, tmp_path / "out").complaint() is None


@every_image
def test_a_hostile_image_is_exported_to_the_end(tmp_path: Path, outside: Path, name: str) -> None:
    image = hostile.build(name, tmp_path / "image", outside)
    result = run("export-tar", image, tmp_path / "tar", "--exclude", "*9223372036854775807*")
    assert result.complaint() is None
    with tarfile.open(tmp_path / "tar", errors="surrogateescape") as archive:
        names = [member.name.encode("utf-8", "surrogateescape") for member in archive]
    assert not [part for member in names for part in member.split(b"/")[1:] if part in (b"", b"..")]
    assert {b"./" + path for path in hostile.HEALTHY} <= set(names)


def test_an_interrupted_restore_says_so_and_leaves_no_half_file(golden: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pybtrfs", "restore", str(golden), str(tmp_path / "out")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not (tmp_path / "out").exists():
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) in [(130, "pybtrfs: interrupted\n"), (0, "")]
    if (tmp_path / "out" / "home" / "log").exists() and process.returncode:
        assert (tmp_path / "out" / "home" / "log").stat().st_size == 265000


@pytest.mark.kernel
@pytest.mark.usefixtures("processes")
def test_a_full_disk_is_one_line_and_the_file_that_did_not_fit_is_gone(golden: Path, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    judge.run("mount", "-t", "tmpfs", "-o", "size=200k", "none", tmp_path / "small")
    try:
        result = run("restore", f"{golden}:/home", tmp_path / "small")
        left = {path.name for path in (tmp_path / "small").iterdir()}
    finally:
        judge.run("umount", tmp_path / "small")
    assert result.status == 1
    assert result.errors == f"pybtrfs: {golden}: /log: cannot write: No space left on device\n"
    assert "log" not in left


@pytest.mark.parametrize("command", ["restore", "export-tar"])
def test_random_flips_in_metadata_cost_no_more_than_a_line_for_each_loss(
    golden: Path, tmp_path: Path, seed: int, command: str
) -> None:
    rng, image = random.Random(seed), tmp_path / "image"
    image.write_bytes(golden.read_bytes())
    blocks = damage.Blocks(image)
    for number in range(40):
        patch = blocks.random_patch(rng)
        with damage.applied(image, patch):
            result = run(command, image, tmp_path / f"{command}-{number}")
        assert result.complaint() is None, patch.about
