"""`cp` out of an image beside cp from a kernel mount: names, modes, times, links; hostile targets."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import judge
import pytest
from commandline import run

pytestmark = pytest.mark.kernel
Image = Callable[[str], Path]


def manifest(top: Path, *, times: bool) -> dict[str, tuple[object, ...]]:
    """What is below a directory: type, mode, size, content, target, and where wanted owner and times."""
    found = {}
    for path in [top, *sorted(top.rglob("*"))]:
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) and status.st_size < 1 << 24 else b""
        target = str(path.readlink()) if stat.S_ISLNK(status.st_mode) else ""
        size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
        kept = (status.st_mtime_ns, status.st_uid, status.st_gid) if times else ()
        found[os.fsencode(path.relative_to(top)).hex()] = (status.st_mode, size, content, target, *kept)
    return found


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A directory for us and one for cp."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    return ours, theirs


@pytest.mark.parametrize("options", ["-r", "-a", "-rp"])
@pytest.mark.parametrize("source", ["/zlib", "/lzo/", "/zstd/words", "/."])
def test_copies_have_the_names_and_attributes_that_cp_gives_them(
    kernel_image: Image, places: tuple[Path, Path], options: str, source: str
) -> None:
    image, (ours, theirs) = kernel_image("compressed"), places
    with judge.mounted(image, read_only=True) as top:
        judge.run("cp", options, f"{top}{source}", theirs)
        judge.run("cp", options, f"{top}{source}", theirs / "new")
    for target in (ours, ours / "new"):
        result = run("-q", "cp", options, f"{image}:{source}", target)
        assert (result.status, result.output, result.errors) == (0, "", "")
    assert manifest(ours, times=False) == manifest(theirs, times=False)
    if options != "-r":
        below = ours / "new"
        assert manifest(below, times=True) == manifest(theirs / "new", times=True)


def test_without_options_links_are_followed_and_the_umask_is_taken_off(
    kernel_image: Image, places: tuple[Path, Path]
) -> None:
    image, (ours, theirs) = kernel_image("default"), places
    before = os.umask(0o077)
    try:
        with judge.mounted(image, read_only=True) as top:
            judge.run("cp", top / "symlink", top / "words", theirs)
        assert run("-q", "cp", f"{image}:/symlink", f"{image}:/words", ours).status == 0
    finally:
        os.umask(before)
    assert manifest(ours, times=False) == manifest(theirs, times=False)
    assert (ours / "words").stat().st_mode == stat.S_IFREG | 0o600


def test_what_cannot_be_copied_is_one_line_and_the_others_are(kernel_image: Image, tmp_path: Path) -> None:
    image = kernel_image("default")
    result = run("-q", "cp", f"{image}:/none", f"{image}:/subvolume", f"{image}:/inline", tmp_path)
    assert result.status == 1
    assert result.errors.splitlines() == [
        f"pybtrfs: {image}: /none: no such file or directory",
        f"pybtrfs: {image}: /subvolume: is a directory; -r or -a copies it",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["inline"]
    assert "no such directory on the host" in run("-q", "cp", f"{image}:/inline", tmp_path / "no/where").errors
    assert run("cp", f"{image}:/inline", f"{image}:/words", tmp_path / "none").status == 2
    result = run("cp", tmp_path / "inline", f"{image}:/new")
    assert (result.status, "copying into an image is not possible yet" in result.errors) == (2, True)


def test_nothing_lands_outside_where_links_already_stand_in_the_target(kernel_image: Image, tmp_path: Path) -> None:
    image, target, outside = kernel_image("default"), tmp_path / "target", tmp_path / "outside"
    target.mkdir()
    outside.mkdir()
    (outside / "inline").write_bytes(b"kept")
    (target / "subvolume").symlink_to(outside)
    (target / "inline").symlink_to(outside / "inline")
    result = run("-q", "cp", "-r", f"{image}:/subvolume", f"{image}:/inline", target)
    assert result.status == 1
    assert result.errors == f"pybtrfs: {image}: subvolume: exists, and is not a directory\n"
    assert [path.name for path in outside.iterdir()] == ["inline"]
    assert (outside / "inline").read_bytes() == b"kept"
    assert (target / "inline").stat().st_size == 100
    assert not (target / "inline").is_symlink()
