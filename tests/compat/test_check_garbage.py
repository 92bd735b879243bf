"""Garbage, zeros, cut ends and hostile trees: the check ends with a status and a line, in bounded time and memory."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import hostile
import pytest
import zoo
from commandline import run
from damage import Blocks, Patch, applied

SOUND, LEFT, NOT_CHECKED = 0, 4, 8


@pytest.fixture(scope="module")
def image(kernel_image: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zoo.copy(kernel_image("old-snapshots"), tmp_path_factory.mktemp("garbage") / "image")


def garbage(image: Path, rng: random.Random, count: int) -> Iterator[Patch]:
    """Noise or zeros over a tree block or a part of it, on all copies or on one, the checksum mended or not."""
    blocks = Blocks(image)
    for _ in range(count):
        bytenr = rng.choice(list(blocks.places))
        block, mend = bytearray(blocks.data[bytenr]), rng.random() < 0.6
        start = rng.choice((0, 32, 101, rng.randrange(len(block))))
        length = rng.choice((len(block) - start, rng.randrange(1, 200)))
        block[start : start + length] = (
            zoo.noise(length, rng.randrange(1 << 30)) if rng.random() < 0.7 else bytes(length)
        )
        del block[blocks.nodesize :]
        patch = blocks.patch(bytenr, block, f"{length} bytes at {start}, {'' if mend else 'not '}mended", mend=mend)
        yield patch if rng.random() < 0.8 else patch._replace(writes=patch.writes[:1])


def spoilt(image: Path, seed: int, count: int) -> None:
    complaints = []
    for patch in garbage(image, random.Random(seed), count):
        with applied(image, patch):
            result = run("check", image)
        if (text := result.complaint()) or result.status == SOUND:
            complaints.append((patch.about, text or "nothing was found"))
    assert [about for about, text in complaints if text != "nothing was found"] == []
    assert len(complaints) < count // 3, "most of it is found"


@pytest.mark.kernel
def test_garbage_in_tree_blocks_is_met_with_findings(image: Path, seed: int) -> None:
    spoilt(image, seed, 60)


@pytest.mark.kernel
@pytest.mark.soak
@pytest.mark.parametrize("part", range(4))
def test_thousands_of_pieces_of_garbage_are_met_with_findings(image: Path, seed: int, part: int) -> None:
    spoilt(image, seed + 1 + part, 1000)


@pytest.mark.kernel
def test_zeros_over_ranges_of_a_device_are_met_with_findings(image: Path, seed: int) -> None:
    rng, size = random.Random(seed), image.stat().st_size
    starts = [0, 64 << 10, 1 << 20, *(places[0] for places in Blocks(image).places.values())]
    for _ in range(20):
        start, length = rng.choice(starts) & ~4095, rng.choice((4096, 65536, 4 << 20))
        with applied(image, Patch("zeros", ((start, bytes(min(length, size - start))),))):
            result = run("check", "--check-data-csum", image)
        assert result.complaint() is None
        assert result.status in (SOUND, LEFT, NOT_CHECKED)


@pytest.mark.kernel
def test_an_image_cut_short_is_not_called_sound(image: Path, tmp_path: Path, seed: int) -> None:
    size, rng = image.stat().st_size, random.Random(seed)
    for length in (0, 65536, 65536 + 4096, 1 << 20, size // 2, size - 4096, *(rng.randrange(size) for _ in range(5))):
        cut = zoo.copy(image, tmp_path / "cut")
        os.truncate(cut, length)
        result = run("check", cut)
        assert result.complaint() is None
        assert result.status in ((LEFT, NOT_CHECKED) if length < 100 << 20 else (LEFT,)), length


@pytest.mark.parametrize("name", hostile.IMAGES)
def test_the_check_of_a_hostile_image_ends_with_lines_that_a_terminal_can_bear(name: str, tmp_path: Path) -> None:
    image = hostile.build(name, tmp_path / "image")
    result = run("check", "--check-data-csum", image)
    assert result.complaint() is None
    assert result.status in (SOUND, LEFT)
    assert not {char for char in result.output if char < " " or "\x7f" <= char <= "\x9f"} - {"\n"}
    lines = [json.loads(line) for line in run("--format", "json", "check", image).output.splitlines()]
    assert [line["type"] for line in lines[-1:]] == ["summary"]
