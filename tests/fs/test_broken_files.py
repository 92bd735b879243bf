"""Whatever stands in a tree block or a compressed stream, reading all files ends, and what fails fails as damage."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import damage
import forge
import hostile
import pytest
import reading
import sampler
import zoo

from pybtrfs.errors import PybtrfsError

PARTS = 3


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sampler.everything(nodesize=4096).write(tmp_path_factory.mktemp("broken") / "image")


def read_broken(image: Path, count: int, seed: int) -> list[str]:
    """Read all files of the image with `count` patches, one after the other; how often it could be opened at all."""
    blocks, rng, read = damage.Blocks(image), random.Random(seed), []
    for _ in range(count):
        patch = blocks.random_patch(rng)
        with damage.applied(image, patch):
            try:
                found, lost = reading.manifest_of([image])
            except PybtrfsError:
                continue
            except Exception as error:
                error.add_note(patch.about)
                raise
            read.append(patch.about)
            assert len(found) < 2000, patch.about
            assert all(text for texts in lost.values() for text in texts), patch.about
    return read


@pytest.mark.parametrize("part", range(PARTS))
def test_bits_flipped_in_tree_blocks_cost_no_more_than_files(image: Path, seed: int, part: int) -> None:
    assert len(read_broken(image, 60, seed + part)) > 10


@pytest.mark.soak
@pytest.mark.parametrize("part", range(10))
def test_thousands_of_bits_flipped_in_tree_blocks_cost_no_more_than_files(image: Path, seed: int, part: int) -> None:
    assert read_broken(image, 600, seed + 1000 + part)


def streams() -> list[tuple[int, bytes]]:
    """Well-formed ones, by the number of the algorithm, of up to 128 KiB."""
    import zstandard

    words = zoo.text(100_000)
    found = [(hostile.ZLIB, zlib.compress(words)), (hostile.ZSTD, zstandard.ZstdCompressor().compress(words))]
    return [*found, (hostile.LZO, hostile.lzo_of_one_byte(40)), (hostile.ZSTD, hostile.zstd_of_zeros(4, says=1 << 17))]


def mangled(stream: bytes, rng: random.Random) -> bytes:
    """The stream with some bytes changed, a part left out or twice, or another end."""
    at, other = sorted(rng.sample(range(len(stream)), 2))
    changed = bytearray(stream)
    for _ in range(rng.choice((1, 1, 3, 20))):
        changed[rng.randrange(min(len(changed), rng.choice((8, 64, 1 << 20))))] = rng.randrange(256)
    return rng.choice((bytes(changed), stream[:at] + stream[other:], stream[:other] + stream[at:], stream[:at]))


def test_mangled_streams_are_read_or_named_and_their_neighbours_are_read(tmp_path: Path, seed: int) -> None:
    rng, made = random.Random(seed), forge.Forge()
    wanted = {}
    for number in range(150):
        method, stream = rng.choice(streams())
        stored = mangled(stream, rng)[: 120 << 10]
        name = b"%d" % number
        if rng.random() < 0.3:
            made.top.inline(
                made.top.file(name), stored[:2000] or b"x", ram_bytes=rng.choice((1, 2000)), compression=method
            )
        else:
            at = made.data(stored or b"x")
            length = len(made.extents[-1].content)
            made.top.extent(made.top.file(name), 0, at, length, ram_bytes=128 << 10, compression=method)
        wanted[name] = made.top.file(b"healthy %d" % number, name)
    image = made.write(tmp_path / "image")
    found, lost = reading.manifest_of([image])
    assert len(found) == 301
    assert set(lost) <= set(wanted)
    assert len(lost) > 10
