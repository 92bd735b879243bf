"""Bits of tree blocks flipped, checksums mended: what `btrfs check` finds, our check finds, and it always ends."""

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import judge
import pytest
import zoo
from damage import Blocks, Patch, applied, superblock_patches
from faults import unsound
from planted import findings

from pybtrfs.errors import PybtrfsError
from pybtrfs.ondisk.header import HEADER, ITEM, KEY_PTR

pytestmark = pytest.mark.kernel
IMAGES = [
    "default", "old", "snapshots", "reflinks", "quotas", "simple-quotas", "hard-links", "received", "kinds", "mixed"
]  # fmt: skip


def flipped(blocks: Blocks, rng: random.Random) -> Patch:
    """One bit, mostly where it tells."""
    bytenr = rng.choice(list(blocks.places))
    block = bytearray(blocks.data[bytenr])
    at, bit = telling(block, rng), rng.randrange(8)
    block[at] ^= 1 << bit
    return blocks.patch(bytenr, block, f"byte {at} bit {bit}", mend=True)


def telling(block: bytearray, rng: random.Random) -> int:
    """A byte of the header, of an item header or key pointer, of an item, or any."""
    header = HEADER.unpack_from(block)
    where = rng.randrange(4)
    if where == 0:
        return rng.randrange(HEADER.size)
    if where == 1 and header.nritems:
        size = KEY_PTR.size if header.level else ITEM.size
        return HEADER.size + rng.randrange(header.nritems * size)
    if where == 2 and header.nritems and not header.level:
        item = ITEM.unpack_from(block, HEADER.size + rng.randrange(header.nritems) * ITEM.size)
        return min(len(block) - 1, HEADER.size + item.offset + rng.randrange(max(1, item.size)))
    return rng.randrange(len(block))


def ours(image: Path) -> list[str]:
    """What we find, or why we refuse."""
    try:
        return [finding.code for finding in unsound(findings(image))]
    except PybtrfsError as error:
        return [str(error)]


def theirs(image: Path) -> list[str]:
    """The lines of the C program that a sound filesystem does not produce; its signal or exit status last."""
    verdict = judge.run("btrfs", "check", "--readonly", image, check=False)
    lines = f"{verdict.stdout}\n{verdict.stderr}".splitlines()
    odd = [line for line in lines if not judge.SOUND.fullmatch(line.rstrip()) and "without verifying data" not in line]
    return [*odd, *([f"exit status {verdict.returncode}"] if verdict.returncode else [])]


def compare(image: Path, seed: int, flips: int) -> None:
    blocks, rng = Blocks(image), random.Random(seed)
    for _ in range(flips):
        patch = flipped(blocks, rng)
        with applied(image, patch):
            if not ours(image):
                said = theirs(image)
                assert not said, f"{patch.about}: only the C program finds\n" + "\n".join(said)


@pytest.fixture(params=IMAGES)
def image(request: pytest.FixtureRequest, kernel_image: Callable[[str], Path], tmp_path: Path) -> Path:
    return zoo.copy(kernel_image(request.param), tmp_path / "flipped.img")


def test_what_the_c_program_finds_is_found(image: Path, seed: int) -> None:
    compare(image, seed, 20)


@pytest.mark.soak
def test_what_the_c_program_finds_is_found_in_many_images(image: Path, seed: int) -> None:
    compare(image, seed + 1, 200)


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
