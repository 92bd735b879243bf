"""Files as the kernel shows them: what we read of each image, path by path, equals what a mount says.

Every profile, checksum, compression and nodesize (`matrix`), whole and with as many devices lost as the profile
bears; and every image of the zoo that a read-only mount shows as it stands.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import judge
import manifest
import matrix
import pytest
import reading
import zoo

pytestmark = pytest.mark.kernel
MatrixImage = Callable[[matrix.Row], matrix.Made]

WAITING = ("log", "log-4k", "log-old", "log-names")
CROWDED = ("crowded", "paused-balance", "balancing")  # 130 snapshots of 1,100 files each
STILL = [
    pytest.param(name, marks=[pytest.mark.soak] if name in CROWDED else [])
    for name in zoo.RECIPES
    if name not in WAITING
]


@matrix.cases()
def test_every_path_is_read_as_the_kernel_shows_it_whole_and_degraded(
    matrix_image: MatrixImage, row: matrix.Row, seed: int
) -> None:
    made = matrix_image(row)
    for images in (list(made.images), *matrix.degraded(made, random.Random(seed), 1)):
        found, lost = reading.manifest_of(images)
        assert lost == {}
        assert manifest.differences(made.manifest, found) == []


@pytest.mark.soak
@matrix.cases()
def test_every_path_is_read_whichever_devices_are_lost(matrix_image: MatrixImage, row: matrix.Row) -> None:
    made = matrix_image(row)
    for lost_images in made.losses():
        found, lost = reading.manifest_of(matrix.without(made.images, lost_images))
        assert lost == {}
        assert manifest.differences(made.manifest, found) == []


@pytest.mark.parametrize("name", STILL)
def test_every_path_of_the_zoo_is_read_as_the_kernel_shows_it(kernel_image: Callable[[str], Path], name: str) -> None:
    image = kernel_image(name)
    with judge.mounted(image, "subvolid=5", read_only=True) as top:
        theirs = manifest.of(top)
    found, lost = reading.manifest_of([image])
    assert lost == {}
    assert manifest.differences(theirs, found) == []


@pytest.mark.parametrize("name", WAITING)
def test_what_stands_below_a_waiting_log_is_read_as_a_mount_without_replay_shows_it(
    kernel_image: Callable[[str], Path], name: str
) -> None:
    image = kernel_image(name)
    with judge.mounted(image, "subvolid=5,rescue=nologreplay", read_only=True) as top:
        theirs = manifest.of(top)
    found, lost = reading.manifest_of([image])
    assert lost == {}
    assert manifest.differences(theirs, found) == []
