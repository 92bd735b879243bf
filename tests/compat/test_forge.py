"""What the forge makes without lies is a sound filesystem, and the kernel shows what was put in."""

from __future__ import annotations

import stat
import zlib
from pathlib import Path

import forge
import judge
import manifest
import pytest
import reading
import zoo

from pybtrfs.checksum import name_hash

pytestmark = pytest.mark.kernel


def everything(**request: object) -> forge.Forge:
    """A little of each thing that the forge can make."""
    made = forge.Forge(**request)
    top = made.top
    top.file(b"inline", b"inline bytes", mode=0o4755, uid=1000, gid=4_000_000_000)
    folder = top.folder(b"folder", mode=0o1777)
    large = top.file(b"large", parent=folder)
    content = zoo.noise(300_000)
    at = made.data(content)
    length = len(made.extents[0].content)
    top.extent(large, 0, at, length)
    top.change(large, size=300_000)
    top.extent(top.file(b"part"), 8192, at, length, offset=4096, num_bytes=8192)
    stored = zlib.compress(zoo.text(100_000))
    at = made.data(stored)
    top.extent(top.file(b"words"), 0, at, len(made.extents[-1].content), ram_bytes=102_400, compression=1)
    top.inline(top.file(b"inline words"), zlib.compress(zoo.text(1500)), ram_bytes=1500, compression=1)
    top.entry(b"another name", large)
    top.entry(b"one more", large, parent=folder)
    top.symlink(b"symlink", b"folder/large")
    top.node(b"fifo", stat.S_IFIFO | 0o600)
    top.node(b"device", stat.S_IFBLK | 0o660, 259 << 20 | 70_000)
    top.xattr(large, b"user.colour", b"blue")
    for name in map(str.encode, zoo.COLLIDING):
        top.xattr(large, b"user." + name, name)
        top.file(name)
    assert len({name_hash(name.encode()) for name in zoo.COLLIDING}) == 1
    inner = made.subvolume(b"subvolume", parent=folder)
    for number in range(300):
        inner.file(b"%d" % number, b"x" * number)
    innermost = made.subvolume(b"innermost", inside=inner)
    nodatacow = innermost.file(b"nodatacow", flags=1)
    innermost.extent(nodatacow, 0, made.data(content[:8192], summed=False), 8192)
    return made


@pytest.mark.parametrize(
    "wishes",
    [
        {},
        {"nodesize": 4096, "csum": "blake2", "metadata": "single"},
        {"csum": "xxhash", "features": ("^block-group-tree,^skinny-metadata",)},
    ],
    ids=["default", "4k-blake2", "older"],
)
def test_a_forged_image_is_sound_and_read_alike_by_the_kernel_and_by_us(
    tmp_path: Path, wishes: dict[str, object]
) -> None:
    image = everything(**wishes).write(tmp_path / "image")
    judge.btrfs_check(image)
    with judge.mounted(image, read_only=True) as top:
        theirs = manifest.of(top)
    found, lost = reading.manifest_of([image])
    assert lost == {}
    assert manifest.differences(theirs, found) == []
    assert theirs[b"folder/large"].links == (b"another name", b"folder/large", b"folder/one more")
    assert len([path for path in theirs if path.startswith(b"folder/subvolume/")]) == 302


def test_the_kernel_goes_on_from_a_forged_image(tmp_path: Path) -> None:
    image = everything().write(tmp_path / "image")
    with judge.mounted(image) as top:
        (top / "folder" / "large").unlink()
        (top / "new").write_bytes(zoo.noise(3 << 20))
        zoo.subvolume("snapshot", top / "folder" / "subvolume", top / "snapshot")
        zoo.subvolume("delete", "-c", top / "folder" / "subvolume" / "innermost")
    judge.btrfs_check(image)


def test_the_same_calls_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        everything().write(tmp_path / name)
    found = manifest.of(tmp_path)
    assert found[b"one"].digest == found[b"other"].digest
