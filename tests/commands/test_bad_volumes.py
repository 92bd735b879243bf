"""Whatever the members of a filesystem hold, a command ends with an exit status and a line.

A mutation is bytes written to some members, or another choice of members, or both: blocks and superblocks with
flips, checksums mended or not, on one copy or all; members that are cut short, missing, given twice, of another
filesystem, or of an earlier commit.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
import zoo
from commandline import run
from commands.test_bad_input import COMMANDS, UUID
from damage import Patch, applied, flipped, tree_blocks
from several import blank, make

from pybtrfs.checksum import CSUM_TYPES, seal
from pybtrfs.fs.filesystem import open_filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.superblock import SUPERBLOCK
from pybtrfs.volume.opening import Where

MADE = ("-d raid0 -m raid0", "-d raid1 -m raid1", "-M -m raid1 -d raid1", "-d raid5 -m raid5", "-d raid6 -m raid6")
FILLED = {
    "raid0": ("-m raid0 -d raid0 -n 4k", 2),
    "raid1": ("-m raid1 -d single -n 4k", 2),
    "raid1c3": ("-m raid1c3 -d raid1c3 --csum xxhash", 3),
    "raid1c4": ("-m raid1c4 -d raid1c4", 4),
    "raid10": ("-m raid10 -d raid10 -n 4k", 4),
    "raid5": ("-m raid5 -d raid5 -n 4k", 3),
    "raid6": ("-m raid6 -d raid6", 4),
    "mixed": ("-M -m raid1 -d raid1", 3),
    "old": ("-O ^no-holes,^extref,^skinny-metadata,^free-space-tree,^block-group-tree -m raid1 -d raid0", 2),
    "dup": ("-m dup -d single -O squota", 2),
}


class Mutation(NamedTuple):
    """What is written to the members, by number, and which files are given in which order."""

    about: str
    patches: dict[int, Patch]
    given: list[Path]


class Victims:
    """The members of a sound filesystem, and all the ways to spoil them."""

    def __init__(self, images: Sequence[Path], strangers: Sequence[Path]) -> None:
        self.images, self.strangers = list(images), list(strangers)
        first, *others = map(str, images)
        with open_filesystem(first, Where(devices=tuple(others))) as filesystem:
            volume = filesystem.volume
            self.csum_type, numbers = filesystem.csum_type, {str(image): n for n, image in enumerate(images)}
            self.blocks = {}
            for bytenr in sorted(tree_blocks(filesystem)):
                [piece] = volume.chunks.pieces(bytenr, filesystem.nodesize)
                places = [(numbers[volume.devices[p.devid].name], p.physical) for p in piece.copies]
                self.blocks[bytenr] = (places, filesystem.store.read(bytenr).data)
            system = [start for start, chunk in volume.chunks if chunk.type & c.BLOCK_GROUP_SYSTEM]
            ends = {start: start + chunk.length for start, chunk in volume.chunks}
        self.chunk_blocks = [at for at in self.blocks if any(start <= at < ends[start] for start in system)]

    def mutation(self, rng: random.Random) -> Mutation:
        way = rng.choices(
            [self._block, self._chunk_block, self._superblock, self._members, self._both], [3, 3, 3, 3, 1]
        )[0]
        return way(rng)

    def _block(self, rng: random.Random, among: Sequence[int] = ()) -> Mutation:
        """Flips in a tree block, on all of its copies or on some."""
        bytenr = rng.choice(among or list(self.blocks))
        places, data = self.blocks[bytenr]
        block, about = flipped(rng, data)
        if mend := rng.random() < 0.8:
            seal(self.csum_type, block)
        kept = places if rng.random() < 0.6 else rng.sample(places, rng.randrange(1, len(places) + 1))
        patches: dict[int, Patch] = {}
        for number, at in kept:
            before = patches[number].writes if number in patches else ()
            patches[number] = Patch("", (*before, (at, bytes(block))))
        about = f"block {bytenr}: {about}{' mended' if mend else ''} on {len(kept)} of {len(places)}"
        return Mutation(about, patches, self.images)

    def _chunk_block(self, rng: random.Random) -> Mutation:
        """The same in the chunk tree: chunk items and device items."""
        return self._block(rng, self.chunk_blocks)

    def _superblock(self, rng: random.Random) -> Mutation:
        """Fields of the primary superblock of one member, or the same ones of all, mended."""
        numbers = range(len(self.images)) if rng.random() < 0.4 else [rng.randrange(len(self.images))]
        name = rng.choice([field.name for field in SUPERBLOCK.fields if field.name != "csum"])
        field = next(field for field in SUPERBLOCK.fields if field.name == name)
        size = min(field.size * max(field.repeats, 1), SUPERBLOCK.size - field.offset)
        at = field.offset + (rng.randrange(size) if rng.random() < 0.7 else 0)
        value = rng.choice((b"\0", b"\xff", rng.randbytes(1), rng.randbytes(min(8, size))))
        patches = {}
        for number in numbers:
            with self.images[number].open("rb") as file:
                raw = bytearray(os.pread(file.fileno(), SUPERBLOCK.size, c.SUPER_OFFSETS[0]))
            raw[at : at + len(value)] = value
            raw = raw[: SUPERBLOCK.size]
            seal(CSUM_TYPES.get(SUPERBLOCK.unpack_from(raw).csum_type, self.csum_type), raw)
            patches[number] = Patch("", ((c.SUPER_OFFSETS[0], bytes(raw)),))
        return Mutation(f"superblock {name} {at}={value.hex()} of {list(numbers)}", patches, self.images)

    def _members(self, rng: random.Random) -> Mutation:
        """Another choice of members."""
        given, victim = list(self.images), rng.randrange(len(self.images))
        way = rng.choice(("missing", "twice", "stranger", "cut", "shuffled", "more"))
        if way == "missing":
            given = rng.sample(given, rng.randrange(1, len(given)))
        elif way == "twice":
            given.append(given[victim])
        elif way == "stranger":
            given[victim] = rng.choice(self.strangers)
        elif way == "cut":
            given[victim] = self._cut(given[victim], rng)
        elif way == "more":
            given.insert(rng.randrange(len(given) + 1), rng.choice(self.strangers))
        if rng.random() < 0.5:
            rng.shuffle(given)
        return Mutation(f"{way} {victim}", {}, given)

    def _both(self, rng: random.Random) -> Mutation:
        one, other = rng.choice((self._block, self._chunk_block, self._superblock))(rng), self._members(rng)
        return Mutation(f"{one.about}, {other.about}", one.patches, other.given)

    def _cut(self, image: Path, rng: random.Random) -> Path:
        cut = zoo.copy(image, image.with_name("cut"))
        size = image.stat().st_size
        os.truncate(cut, rng.choice((0, 65536, 65536 + 4096, rng.randrange(size), int(size ** rng.random()), size - 1)))
        return cut


def complaints(victims: Victims, count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Mutations whose command did not end as it must."""
    rng = random.Random(seed)
    for _ in range(count):
        mutation, command = victims.mutation(rng), rng.choice(COMMANDS)
        with ExitStack() as stack:
            for number, patch in mutation.patches.items():
                stack.enter_context(applied(victims.images[number], patch))
            first, *others = mutation.given
            words = [word for image in others for word in ("--device", image)]
            arguments = (UUID,) if command == ("uuid", "lookup") else ()
            if text := run(*command, *words, first, *arguments).complaint():
                yield f"{mutation.about}: {[image.name for image in mutation.given]}", text


def strangers(folder: Path, images: Sequence[Path]) -> list[Path]:
    """Files that do not belong: another filesystem's members, one that says it is an earlier state, text, nothing."""
    folder.mkdir()
    others = blank(folder, 2, 150 << 20)
    assert run("mkfs", "-q", *others).status == 0
    older = zoo.copy(images[0], folder / "older")
    with older.open("r+b") as file:
        raw = bytearray(os.pread(file.fileno(), SUPERBLOCK.size, c.SUPER_OFFSETS[0]))
        at, size = SUPERBLOCK.offset_of("generation"), 8
        generation = int.from_bytes(raw[at : at + size], "little") - 1
        raw[at : at + size] = generation.to_bytes(size, "little")
        seal(CSUM_TYPES[SUPERBLOCK.unpack_from(raw).csum_type], raw)
        os.pwrite(file.fileno(), raw, c.SUPER_OFFSETS[0])
    (folder / "text").write_text("hello\n")
    (folder / "empty").write_bytes(b"")
    return [*others, older, folder / "text", folder / "empty", folder, folder / "not there"]


@pytest.mark.parametrize("options", MADE)
def test_spoilt_members_are_met_with_a_line(options: str, tmp_path: Path, seed: int) -> None:
    images = blank(tmp_path, 3, 150 << 20)
    assert run("mkfs", "-q", *options.split(), *images).status == 0
    assert not list(complaints(Victims(images, strangers(tmp_path / "strangers", images)), 80, seed))


Filled = Callable[[str], Victims]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """A filesystem that the kernel filled, by the name of its row."""

    def victims(name: str) -> Victims:
        folder = tmp_path_factory.mktemp(name)
        images, _ = make(folder, *FILLED[name])
        return Victims(images, strangers(folder / "strangers", images))

    return victims


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["raid10", "old"])
def test_spoilt_members_that_the_kernel_filled_are_met_with_a_line(name: str, filled: Filled, seed: int) -> None:
    assert not list(complaints(filled(name), 50, seed))


@pytest.mark.soak
@pytest.mark.kernel
@pytest.mark.parametrize("name", FILLED)
def test_ten_thousand_spoilt_members_are_met_with_a_line(name: str, filled: Filled, seed: int) -> None:
    assert not list(complaints(filled(name), 1000, seed + 1))
