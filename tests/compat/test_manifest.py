"""The judge of file trees is judged: it finds no difference where there is none, and each one that there is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import judge
import manifest
import matrix
import pytest
import zoo

pytestmark = pytest.mark.kernel


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Two trees of equal content on one btrfs: a subvolume and its snapshot."""
    image = tmp_path / "image"
    judge.mkfs(image, 512 << 20)
    with judge.mounted(image, "noatime") as top:
        first = top / "first"
        zoo.subvolume("create", first)
        for name, fill in (("kinds", zoo.kinds), ("extents", zoo.extents), ("links", zoo.hard_links)):
            (first / name).mkdir()
            fill(first / name, image)
        zoo.subvolume("snapshot", first, top / "second")
        yield first, top / "second"


def differences(first: Path, second: Path) -> list[str]:
    both = (manifest.portable(manifest.of(path)) for path in (first, second))
    return manifest.differences(*both, manifest.TAR)


def grow_the_hole(top: Path) -> None:
    zoo.fallocate(top / "extents" / "punched", "--punch-hole", 404 << 10, 4 << 10)


def fill_the_hole_with_zeros(top: Path) -> None:
    times = (top / "extents" / "punched").stat()
    zoo.write(top / "extents" / "punched", bytes(4096), at=200 << 10)
    os.utime(top / "extents" / "punched", ns=(times.st_atime_ns, times.st_mtime_ns))


def a_byte_at_a_tebibyte(top: Path) -> None:
    times = (top / "extents" / "islands").stat()
    zoo.write(top / "extents" / "islands", b"?", at=1 << 40)
    os.utime(top / "extents" / "islands", ns=(times.st_atime_ns, times.st_mtime_ns))


def break_a_link(top: Path) -> None:
    name = top / "links" / "folder" / "link 7"
    judge.run("cp", "--remove-destination", "--preserve=all", top / "links" / "file", name)


def repoint_a_symlink(top: Path) -> None:
    (top / "kinds" / "symlink").unlink()
    (top / "kinds" / "symlink").symlink_to("nowhere!")


def another_device(top: Path) -> None:
    (top / "kinds" / "block").unlink()
    os.mknod(top / "kinds" / "block", 0o60660, os.makedev(259, 70_001))


CHANGES: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "a mode": (
        lambda top: (top / "kinds" / "4711").chmod(0o755),
        ("b'kinds/4711': mode: expected 0o4711, found 0o755",),
    ),
    "an owner": (lambda top: os.chown(top / "kinds" / "1777", 5, -1), ("b'kinds/1777': uid: expected 1000, found 5",)),
    "a nanosecond": (
        lambda top: os.utime(top / "kinds" / "old", ns=(0, 4_102_444_800_123_456_788)),
        ("b'kinds/old': mtime: expected 4102444800123456789, found 4102444800123456788",),
    ),
    "an xattr": (
        lambda top: os.setxattr(top / "kinds" / "attributed", "trusted.secret", b"\x00\xfe"),
        ("b'kinds/attributed': xattrs: expected ",),
    ),
    "an ACL": (
        lambda top: os.removexattr(top / "kinds" / "attributed", "system.posix_acl_default"),
        ("b'kinds/attributed': xattrs: expected ",),
    ),
    "a symlink": (
        repoint_a_symlink,
        (
            "b'kinds': mtime",
            "b'kinds/symlink': size: expected 7, found 8",
            "b'kinds/symlink': target: expected b'nowhere', found b'nowhere!'",
            "b'kinds/symlink': mtime",
        ),
    ),
    "a hole": (grow_the_hole, ("b'extents/punched': digest", "b'extents/punched': mtime", "b'extents/punched': data")),
    "zeros for a hole": (fill_the_hole_with_zeros, ("b'extents/punched': data",)),
    "a byte": (a_byte_at_a_tebibyte, ("b'extents/islands': digest",)),
    "a name": (
        lambda top: (top / "kinds" / "\udcff\udcfe not UTF-8").rename(top / "kinds" / "\udcff"),
        ("b'kinds': mtime", "b'kinds/\\xff': is too much", "b'kinds/\\xff\\xfe not UTF-8': is missing"),
    ),
    "a device": (
        another_device,
        ("b'kinds': mtime", "b'kinds/block': rdev: expected (259, 70000)", "b'kinds/block': mtime"),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_of_a_tree_is_named_and_nothing_else(trees: tuple[Path, Path], name: str) -> None:
    assert manifest.differences(*map(manifest.of, trees)) == []
    change, expected = CHANGES[name]
    change(trees[1])
    found = differences(*trees)
    assert len(found) == len(expected), found
    assert [line for line, start in zip(found, expected, strict=True) if not line.startswith(start)] == []


def test_a_hard_link_that_has_become_a_copy_is_named(trees: tuple[Path, Path]) -> None:
    break_a_link(trees[1])
    found = differences(*trees)
    count = (trees[0] / "links" / "file").stat().st_nlink
    assert f"b'links/folder/link 7': nlink: expected {count}, found 1" in found
    assert f"b'links/file': nlink: expected {count}, found {count - 1}" in found
    assert [line for line in found if line.startswith("b'links/folder/link 7': links: expected (b'links/000nnn")]


COPIES = {
    "cp": ("cp -a --sparse=always {source}/. {target}", manifest.HOST - {"data"}),  # it makes holes of written zeros
    "tar": (
        "tar -C {source} --format=posix --xattrs --xattrs-include=* --acls --numeric-owner --sparse -c . "
        "| tar -C {target} --xattrs --xattrs-include=* --acls --numeric-owner --same-permissions -x",
        manifest.TAR - {"data"},  # where as much is preallocated as the file has bytes, it does not look for holes
    ),
}


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_of_a_mount_by_a_known_program_equals_it(
    matrix_image: Callable[[matrix.Row], matrix.Made], host_folder: Path, way: str
) -> None:
    made = matrix_image(matrix.Row("single", "crc32c", "zstd", 16384))
    command, compared = COPIES[way]
    with judge.mounted(made.images[0], read_only=True) as top:
        judge.run("bash", "-c", command.format(source=top, target=host_folder), check=False)
    theirs, copy = (manifest.portable(found) for found in (made.manifest, manifest.of(host_folder)))
    if way == "tar":
        theirs = manifest.for_tar(theirs)
    assert manifest.differences(theirs, copy, compared) == []


def test_a_second_look_at_a_read_only_mount_finds_what_the_first_found(
    kernel_image: Callable[[str], Path], tmp_path: Path
) -> None:
    with judge.mounted(kernel_image("snapshots"), read_only=True) as top:
        first = manifest.of(top)
        assert manifest.differences(first, manifest.of(top)) == []
    inner = first[b"read-only/inner"], first[b"work/inner"]
    assert [(entry.ino, entry.kind, entry.mtime is None) for entry in inner] == [
        (manifest.LEFT_OVER_INO, "directory", True),
        (256, "directory", False),
    ]


def test_a_file_that_cannot_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    image, content = tmp_path / "image", zoo.noise(8192)
    judge.mkfs(image, 128 << 20)
    with judge.mounted(image) as top:
        (top / "damaged").write_bytes(content)
        (top / "sound").write_bytes(content[::-1])
    whole = image.read_bytes()
    with image.open("r+b") as file:
        os.pwrite(file.fileno(), b"?", whole.index(content) + 5000)
    with judge.mounted(image, read_only=True) as top:
        found = manifest.of(top)
    assert found[b"damaged"].digest == "cannot be read: Input/output error"
    assert found[b"sound"].digest == manifest.content_digest(
        lambda offset, length: content[::-1][offset : offset + length], 8192, [(0, 8192)]
    )


def test_the_digest_depends_on_contents_and_not_on_what_is_called_data() -> None:
    content = bytes(100_000) + zoo.noise(50_000) + bytes(200_000)

    def digest(data: list[tuple[int, int]], content: bytes = content, step: int = 1 << 20) -> str:
        return manifest.content_digest(lambda offset, length: content[offset : offset + length], len(content), data)

    whole = digest([(0, len(content))])
    assert whole == digest([(100_000, 150_000)]) == digest([(98_304, 110_000), (110_000, 151_552)])
    assert whole != digest([(0, len(content))], content + b"\0")
    assert whole != digest([(0, len(content))], content[:120_000] + b"?" + content[120_001:])
    moved = bytes(65_536) + content[:-65_536]
    assert whole != digest([(0, len(content))], moved)
