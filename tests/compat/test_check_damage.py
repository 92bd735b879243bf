"""Damage of any kind: the check always ends, and says what is wrong."""

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import zoo
from damage import Blocks, applied, superblock_patches
from faults import unsound
from planted import findings

from pybtrfs.errors import PybtrfsError

pytestmark = pytest.mark.kernel
IMAGES = [
    "default", "old", "snapshots", "reflinks", "quotas", "simple-quotas", "hard-links", "received", "kinds", "mixed"
]  # fmt: skip


def ours(image: Path) -> list[str]:
    """What we find, or why we refuse."""
    try:
        return [finding.code for finding in unsound(findings(image))]
    except PybtrfsError as error:
        return [str(error)]


@pytest.fixture(params=IMAGES)
def image(request: pytest.FixtureRequest, kernel_image: Callable[[str], Path], tmp_path: Path) -> Path:
    return zoo.copy(kernel_image(request.param), tmp_path / "flipped.img")


def test_whatever_is_damaged_the_check_ends(image: Path, seed: int) -> None:
    """Several bytes of a block, with its checksum mended or not; data is verified, too."""
    blocks, rng = Blocks(image), random.Random(seed)
    for _ in range(30):
        patch = blocks.random_patch(rng)
        with applied(image, patch), suppress(PybtrfsError):
            findings(image, data_csums=True)


def test_any_field_of_the_superblock_may_lie(kernel_image: Callable[[str], Path], tmp_path: Path, seed: int) -> None:
    image = zoo.copy(kernel_image("default"), tmp_path / "lying.img")
    for patch in random.Random(seed).sample(list(superblock_patches(image)), 60):
        with applied(image, patch):
            ours(image)


@pytest.mark.parametrize("size", [70_000, 1 << 20, 40 << 20, 70 << 20, 200 << 20])
def test_a_truncated_image_is_refused_or_found(kernel_image: Callable[[str], Path], tmp_path: Path, size: int) -> None:
    image = zoo.copy(kernel_image("default"), tmp_path / "short.img")
    with image.open("r+b") as file:
        file.truncate(size)
    assert ours(image)
