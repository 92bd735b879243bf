"""What the forge makes without lies is a sound filesystem, and the kernel shows what was put in."""

from __future__ import annotations

from pathlib import Path

import judge
import manifest
import pytest
import reading
import sampler
import zoo

pytestmark = pytest.mark.kernel


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
    image = sampler.everything(**wishes).write(tmp_path / "image")
    judge.btrfs_check(image)
    with judge.mounted(image, read_only=True) as top:
        theirs = manifest.of(top)
    found, lost = reading.manifest_of([image])
    assert lost == {}
    assert manifest.differences(theirs, found) == []
    assert theirs[b"folder/large"].links == (b"another name", b"folder/large", b"folder/one more")
    assert len([path for path in theirs if path.startswith(b"folder/subvolume/")]) == 302


def test_the_kernel_goes_on_from_a_forged_image(tmp_path: Path) -> None:
    image = sampler.everything().write(tmp_path / "image")
    with judge.mounted(image) as top:
        (top / "folder" / "large").unlink()
        (top / "new").write_bytes(zoo.noise(3 << 20))
        zoo.subvolume("snapshot", top / "folder" / "subvolume", top / "snapshot")
        zoo.subvolume("delete", "-c", top / "folder" / "subvolume" / "innermost")
    judge.btrfs_check(image)


def test_the_same_calls_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        sampler.everything().write(tmp_path / name)
    found = manifest.of(tmp_path)
    assert found[b"one"].digest == found[b"other"].digest
