"""Damage costs what it hits and no more, and is named: tree blocks, checksums and data, in some copies and in all.

What must be lost is told by the C program's dump of the sound image (`loss`), not by us.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import damage
import loss
import manifest
import matrix
import pytest
import reading
import zoo

from pybtrfs.fs.file import File
from pybtrfs.fs.path import resolve

pytestmark = pytest.mark.kernel
MatrixImage = Callable[[matrix.Row], matrix.Made]
PROFILES = ("single", "dup", "raid1", "raid10", "raid5-raid1c3", "raid6")
DAILY = {"single", *random.Random(int(os.environ["PYBTRFS_SEED"])).sample(PROFILES[1:], 2)}
ROWS = pytest.mark.parametrize(
    "profile", [pytest.param(name, marks=[] if name in DAILY else [pytest.mark.soak]) for name in PROFILES]
)
CHECKSUMS = {"single": "blake2", "raid1": "crc32c", "raid6": "xxhash"}
COMPRESSIONS = {"single": "zstd", "raid1": "none", "dup": "lzo"}


class Damaged:
    """A private copy of one of the matrix's filesystems, of which parts can be damaged and mended again."""

    def __init__(self, made: matrix.Made, folder: Path) -> None:
        self.made = made
        self.images = [zoo.copy(image, folder / image.name) for image in made.images]
        loops = contextlib.ExitStack()
        with loops:
            devices = [
                Path(loops.enter_context(matrix.judge.loop_device(image, read_only=True))) for image in made.images
            ]
            self.dump = loss.Dump.of(devices[0])

    @contextlib.contextmanager
    def hit(self, places: list[tuple[int, int]], *, beyond_repair: bool) -> Iterator[None]:
        """While this lasts, the bytes at these logical addresses, (start, length), are wrong."""
        with reading.opened(self.images) as filesystem, contextlib.ExitStack() as stack:
            by_devid = dict(enumerate(self.images, 1))
            for devid, patch in damage.flips(filesystem, places, beyond_repair=beyond_repair).items():
                stack.enter_context(damage.applied(by_devid[devid], patch))
            yield

    def complaints(self, *, blocks: list[int] = [], sectors: list[int] = []) -> list[str]:  # noqa: B006
        """What is wrong with the way in which we read the filesystem with these lost."""
        found, lost = reading.manifest_of(self.images)
        return loss.complaints(
            loss.expected(self.made.manifest, self.dump, blocks=blocks, sectors=sectors), found, lost
        )


@pytest.fixture
def damaged(matrix_image: MatrixImage, tmp_path: Path, profile: str) -> Damaged:
    row = matrix.Row(profile, CHECKSUMS.get(profile, "sha256"), COMPRESSIONS.get(profile, "zlib"), 4096)
    return Damaged(matrix_image(row), tmp_path)


@ROWS
def test_what_is_lost_with_tree_blocks_is_named_and_nothing_else_is_lost(damaged: Damaged, seed: int) -> None:
    rng, nodesize = random.Random(seed), damaged.made.row.nodesize
    blocks, csum_leaves = damaged.dump.fs_blocks(), damaged.dump.leaves("CSUM_TREE")
    for chosen in (rng.sample(blocks, 1), rng.sample(blocks, 3) + rng.sample(csum_leaves, 1)):
        with damaged.hit([(block, nodesize) for block in chosen], beyond_repair=True):
            assert damaged.complaints(blocks=chosen) == [], chosen


@ROWS
def test_what_is_lost_with_sectors_of_data_is_named_and_nothing_else_is_lost(damaged: Damaged, seed: int) -> None:
    rng = random.Random(seed)
    sectors = [at for start, end in damaged.dump.summed() for at in range(start, end, loss.SECTOR)]
    chosen = rng.sample(sectors, 20)
    with damaged.hit([(at, loss.SECTOR) for at in chosen], beyond_repair=True):
        assert damaged.complaints(sectors=chosen) == [], chosen


@ROWS
def test_nothing_is_lost_where_the_profile_makes_up_for_it(damaged: Damaged, seed: int) -> None:
    rng, nodesize = random.Random(seed), damaged.made.row.nodesize
    sectors = [at for start, end in damaged.dump.summed() for at in range(start, end, loss.SECTOR)]
    places = [(block, nodesize) for block in rng.sample(sorted(damaged.dump.items), 30)]
    places += [(at, loss.SECTOR) for at in rng.sample(sectors, 50)]
    with damaged.hit(places, beyond_repair=False):
        assert damaged.complaints() == []


@pytest.mark.parametrize("profile", ["single"])
def test_of_a_file_with_bad_sectors_all_other_sectors_are_read(damaged: Damaged, seed: int) -> None:
    path = b"contents/striped"
    with reading.opened(damaged.images) as filesystem:
        file = File(filesystem, resolve(filesystem, path))
        whole = file.read()
        plain = [part for part in file.segments() if part.extent and not part.extent.compression]
        assert plain
    rng = random.Random(seed)
    offsets = sorted(
        {at for part in plain for at in range(part.file_offset, part.file_offset + part.length, loss.SECTOR)}
    )
    lost = set(rng.sample(offsets, 5))
    where = [
        part.extent.disk_bytenr + part.extent.offset + at - part.begin
        for part in plain
        for at in lost
        if part.file_offset <= at < part.file_offset + part.length
    ]
    with (
        damaged.hit([(at, loss.SECTOR) for at in where], beyond_repair=True),
        reading.opened(damaged.images) as filesystem,
    ):
        read, missing = bytearray(), set()
        for piece in File(filesystem, resolve(filesystem, path)).pieces():
            if piece.problem is not None:
                missing |= set(range(piece.offset, piece.offset + piece.length, loss.SECTOR))
            read += bytes(piece.length) if piece.data is None else piece.data
    assert missing == lost
    for at in lost:
        whole = whole[:at] + bytes(len(whole[at : at + loss.SECTOR])) + whole[at + loss.SECTOR :]
    assert bytes(read) == whole


@pytest.mark.soak
@pytest.mark.parametrize("profile", ["single"])
def test_each_of_a_hundred_tree_blocks_costs_what_it_holds(damaged: Damaged, seed: int) -> None:
    nodesize = damaged.made.row.nodesize
    for block in random.Random(seed).sample([*damaged.dump.fs_blocks(), *damaged.dump.leaves("CSUM_TREE")], 100):
        with damaged.hit([(block, nodesize)], beyond_repair=True):
            assert damaged.complaints(blocks=[block]) == [], block


@pytest.mark.parametrize("profile", ["single"])
def test_the_judge_of_losses_finds_what_is_wrong(damaged: Damaged) -> None:
    leaf = loss.leaf_of(damaged.dump, loss.TOP_TREE, 300)
    expected = loss.expected(damaged.made.manifest, damaged.dump, blocks=[leaf])
    assert expected.gone
    sound = dict(damaged.made.manifest)
    assert "is damaged and not named" in "\n".join(loss.complaints(expected, sound, []))
    left = {path: entry for path, entry in sound.items() if path not in expected.gone}
    nothing = loss.expected(damaged.made.manifest, damaged.dump)
    assert (nothing.gone, nothing.contents, nothing.attributes, nothing.must_name) == (set(), set(), {}, set())
    assert loss.complaints(nothing, left, []) == [f"{path!r}: is missing" for path in sorted(expected.gone)]
    assert loss.complaints(nothing, sound, [b"kinds"]) == ["b'kinds': is named for nothing"]
    assert manifest.TOP in sound
