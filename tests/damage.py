"""Ways to damage an image: fields of the superblock, bits in tree blocks, with checksums mended or not.

A `Patch` is bytes at physical offsets; applied to a file it is undone again, so one copy serves thousands.
"""

import os
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pybtrfs.btree.search import Tree
from pybtrfs.checksum import CSUM_TYPES, seal
from pybtrfs.fs.filesystem import Filesystem, open_filesystem
from pybtrfs.ondisk.constants import STRIPE_LEN, SUPER_OFFSETS
from pybtrfs.ondisk.header import HEADER, ITEM
from pybtrfs.ondisk.layout import Fixed
from pybtrfs.ondisk.superblock import SUPERBLOCK


class Patch(NamedTuple):
    """Bytes to be written at physical offsets, and what that is."""

    about: str
    writes: tuple[tuple[int, bytes], ...]


@contextmanager
def applied(image: Path, patch: Patch) -> Iterator[None]:
    """The patch stands in the file while the block runs; then what was there before."""
    with image.open("r+b", buffering=0) as file:
        before = [(at, os.pread(file.fileno(), len(data), at)) for at, data in patch.writes]
        for at, data in patch.writes:
            os.pwrite(file.fileno(), data, at)
        try:
            yield
        finally:
            for at, data in before:
                os.pwrite(file.fileno(), data, at)


def superblock_patches(image: Path) -> Iterator[Patch]:
    """Every field of the primary superblock at 0 and at its maximum, the checksum mended."""
    with image.open("rb") as file:
        raw = os.pread(file.fileno(), SUPERBLOCK.size, SUPER_OFFSETS[0])
    csum_type = CSUM_TYPES[SUPERBLOCK.unpack_from(raw).csum_type]
    for name, at, size in _leaf_fields(SUPERBLOCK):
        for value in (b"\0", b"\xff"):
            block = bytearray(raw)
            block[at : at + size] = value * size
            if name != "csum":
                seal(csum_type, block)
            yield Patch(f"superblock {name} all {value.hex()}", ((SUPER_OFFSETS[0], bytes(block)),))


def places_of(filesystem: Filesystem, bytenr: int) -> list[int]:
    """Physical offsets of the copies of a tree block of a filesystem on one device."""
    [piece] = filesystem.volume.chunks.pieces(bytenr, filesystem.nodesize)
    return [place.physical for place in piece.copies]


def flips(filesystem: Filesystem, places: Iterable[tuple[int, int]], *, beyond_repair: bool) -> dict[int, Patch]:
    """A patch for each device, by devid, that turns every byte of `places`, (logical, length), into another.

    beyond_repair: in all copies, and in the parity over them. Else in as many as the profile makes up for, which for
    one without redundancy are none; of several places under one parity, only the first.
    """
    wrong: set[tuple[int, int, int]] = set()
    used: set[tuple[int, int]] = set()
    for logical, length in places:
        for piece in filesystem.volume.chunks.pieces(logical, length):
            ways = [*piece.copies, *(piece.row.parity if piece.row else ())]
            row = {
                (place.devid, place.physical // STRIPE_LEN) for place in (*ways, *(piece.row.data if piece.row else ()))
            }
            if beyond_repair or used.isdisjoint(row):
                wrong.update(ways if beyond_repair else ways[:-1])
            used |= row
    devices = filesystem.volume.devices
    writes: dict[int, list[tuple[int, bytes]]] = {}
    for devid, physical, length in sorted(wrong):
        data = devices[devid].read(physical, length)
        noise = random.Random(devid << 48 | physical).randbytes(length)  # not the same in all, or parity may hold again
        data = bytes(byte ^ (other or 1) for byte, other in zip(data, noise, strict=True))
        writes.setdefault(devid, []).append((physical, data))
    about = f"{sorted(places)}, {'all copies' if beyond_repair else 'all but one copy'}"
    return {devid: Patch(about, tuple(found)) for devid, found in writes.items()}


class Blocks:
    """The tree blocks of an image: where their copies stand, for patching them."""

    def __init__(self, image: Path) -> None:
        with open_filesystem(str(image)) as filesystem:
            self.csum_type, self.nodesize = filesystem.csum_type, filesystem.nodesize
            self.places = {bytenr: places_of(filesystem, bytenr) for bytenr in sorted(tree_blocks(filesystem))}
        with image.open("rb") as file:
            self.data = {at: os.pread(file.fileno(), self.nodesize, places[0]) for at, places in self.places.items()}

    def patch(self, bytenr: int, block: bytearray, about: str, *, mend: bool) -> Patch:
        if mend:
            seal(self.csum_type, block)
        return Patch(f"block {bytenr}: {about}", tuple((at, bytes(block)) for at in self.places[bytenr]))

    def random_patch(self, rng: random.Random) -> Patch:
        """A few flips in one block, on all of its copies."""
        bytenr = rng.choice(list(self.places))
        block, about = flipped(rng, self.data[bytenr])
        mend = rng.random() < 0.8
        return self.patch(bytenr, block, f"{about}{' mended' if mend else ''}", mend=mend)


def flipped(rng: random.Random, data: bytes) -> tuple[bytearray, str]:
    """A tree block with a few flips, most of them where they tell, and what they are: header, item headers, an item."""
    block, about = bytearray(data), []
    count = HEADER.unpack_from(block).nritems
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = _telling_byte(rng, block, count)
        block[at] = rng.choice((0, 0xFF, block[at] ^ 1 << rng.randrange(8), rng.randrange(256)))
        about.append(f"{at}={block[at]:#x}")
    return block, " ".join(about)


def _telling_byte(rng: random.Random, block: bytearray, count: int) -> int:
    where = rng.randrange(4)
    if where == 0:
        return rng.randrange(HEADER.size)
    if where == 1 or HEADER.unpack_from(block).level:
        return min(HEADER.size + rng.randrange(max(1, count) * ITEM.size), len(block) - 1)
    if where == 2 and count and HEADER.unpack_from(block).level == 0:
        item = ITEM.unpack_from(block, HEADER.size + rng.randrange(min(count, 50)) * ITEM.size)
        return (HEADER.size + item.offset + rng.randrange(max(1, item.size))) % len(block)
    return rng.randrange(len(block))


def _leaf_fields(layout: Fixed[object], prefix: str = "", base: int = 0) -> Iterator[tuple[str, int, int]]:
    for field in layout.fields:
        if field.layout is None:
            yield prefix + field.name, base + field.offset, field.size
            continue
        for number in range(field.repeats):
            at = base + field.offset + number * field.layout.size
            yield from _leaf_fields(field.layout, f"{prefix}{field.name}.", at)


def tree_blocks(filesystem: Filesystem) -> set[int]:
    """The addresses of all blocks of all trees."""
    found: set[int] = set()
    trees = [filesystem.chunk_tree, filesystem.root_tree]
    trees += [filesystem.tree_of(key.objectid, root) for key, root in filesystem.root_items()]
    if filesystem.log_root_tree is not None:
        trees.append(filesystem.log_root_tree)
    for tree in trees:
        found |= set(_blocks_under(tree, tree.root.bytenr))
    return found


def _blocks_under(tree: Tree, bytenr: int) -> Iterator[int]:
    block = tree.store.read(bytenr)
    yield bytenr
    if not block.is_leaf:
        for pointer in block.key_ptrs:
            yield from _blocks_under(tree, pointer.blockptr)
