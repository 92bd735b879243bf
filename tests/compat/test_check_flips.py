"""Single bits flipped in tree blocks, checksums mended: what `btrfs check` finds, by status or text, ours finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import zoo
from flips import Flips, Verdict, codes, theirs, verdict

pytestmark = pytest.mark.kernel
DAILY = ("default", "nodesize-4k", "old-snapshots", "quotas", "half-deleted")
MORE = ("kinds", "hard-links", "extents", "reflinks", "compressed", "v1-cache", "no-bgt", "simple-quotas", "received")
MORE += ("mixed", "log-old", "labelled", "metadata-uuid", "crowded", "sha256")


def flipped(image: Path, seed: int, count: int) -> None:
    """Flip so many bits in an image, one at a time; what the C program has found and we have not must be nothing."""
    assert (codes(image), theirs(image)) == (frozenset(), None), "both call the image sound"
    missed, found = [], 0
    for patch in Flips(image, seed).patches(count):
        judged: Verdict = verdict(image, patch)
        found += bool(judged.ours)
        if judged.missed:
            missed.append((patch.about, judged.theirs))
    assert not missed
    assert found > count // 5, "flips are where they mean something"


@pytest.mark.parametrize("name", DAILY)
def test_200_flips_are_found_as_far_as_the_c_program_finds_them(
    name: str, kernel_image: Callable[[str], Path], tmp_path: Path, seed: int
) -> None:
    flipped(zoo.copy(kernel_image(name), tmp_path / f"{name}.img"), seed, 40)


@pytest.mark.soak
@pytest.mark.parametrize("name", DAILY + MORE)
def test_2000_flips_are_found_as_far_as_the_c_program_finds_them(
    name: str, kernel_image: Callable[[str], Path], tmp_path: Path, seed: int
) -> None:
    flipped(zoo.copy(kernel_image(name), tmp_path / f"{name}.img"), seed + 1, 100)
