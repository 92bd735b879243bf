"""The one judge of tree blocks.

`problems` names everything that is wrong with a block on its own and against what its parent says of it.
It does not raise, print or repair: the strict reader raises the first problem, a checker keeps them all.
(The kernel's counterparts are `btrfs_validate_extent_buffer`, `btrfs_check_node` and the part of
`btrfs_check_leaf` that concerns item headers.)
"""

from collections.abc import Iterator, Sequence
from operator import add, lt
from typing import NamedTuple

from pybtrfs.btree.block import Block
from pybtrfs.checksum import CsumType, block_digest
from pybtrfs.ondisk.constants import HEADER_FLAG_WRITTEN, MAX_LEVEL
from pybtrfs.ondisk.header import ITEM, leaf_data_size, max_key_ptrs
from pybtrfs.ondisk.key import Key


class Expected(NamedTuple):
    """What the parent, the root item or the superblock says of a block; None is not known."""

    level: int | None = None
    generation: int | None = None
    first_key: Key | None = None
    end: Key | None = None  # the key at which the next block begins
    owner: int | None = None


ANYTHING = Expected()


def problems(block: Block, fsids: Sequence[bytes], sectorsize: int, expected: Expected = ANYTHING) -> Iterator[str]:
    """What is wrong with a block whose checksum holds; each a line without the block's address.

    `fsids`: what blocks may carry, the filesystem's own first, then those of the seeds that it was grown on.
    """
    yield from _header_problems(block, fsids)
    yield from (_leaf_problems(block) if block.is_leaf else _node_problems(block, sectorsize))
    yield from disagreements(block, expected)


def checksum_problem(block: Block, csum_type: CsumType) -> str | None:
    """Why the stored checksum does not hold; None where it does."""
    stored, computed = block.header.csum[: csum_type.size], block_digest(csum_type, block.data)
    return None if stored == computed else f"{csum_type.name} is {computed.hex()}, stored is {stored.hex()}"


def disagreements(block: Block, expected: Expected) -> Iterator[str]:
    """Where a block is not what the one that points at it says; cheap, for blocks from the cache."""
    level, generation, first_key, end, owner = expected
    if level is not None and block.level != level:
        yield f"level is {block.level}, its parent says {level}"
    if generation is not None and block.header.generation != generation:
        yield f"generation is {block.header.generation}, its parent says {generation}"
    if owner is not None and block.header.owner != owner:
        yield f"owner is tree {block.header.owner}, expected {owner}"
    keys = block.key_tuples
    if first_key is not None and (not keys or keys[0] != first_key):
        yield f"first key is {_text(block.keys[0]) if keys else 'missing'}, its parent says {_text(first_key)}"
    if end is not None and keys and keys[-1] >= end:
        yield f"last key is {_text(block.keys[-1])}, the next block begins at {_text(end)}"


def _header_problems(block: Block, fsids: Sequence[bytes]) -> Iterator[str]:
    header = block.header
    if header.bytenr != block.bytenr:
        yield f"it says that its address is {header.bytenr}"
    if header.fsid not in fsids:
        yield f"fsid is {header.fsid.hex()}, expected {fsids[0].hex()}"
    if header.level >= MAX_LEVEL:
        yield f"level is {header.level}, expected below {MAX_LEVEL}"
    if not header.flags & HEADER_FLAG_WRITTEN:
        yield f"flags are {header.flags:#x}, without WRITTEN"


def _leaf_problems(block: Block) -> Iterator[str]:
    data_size = leaf_data_size(len(block.data))
    if block.nritems > data_size // ITEM.size:
        yield f"{block.nritems} items, at most {data_size // ITEM.size} fit"
        return
    if not block.nritems:
        return
    offsets, keys = block.offsets, block.key_tuples
    ends = list(map(add, offsets, block.sizes))
    sound = (
        ends == [data_size, *offsets[:-1]] and all(map(lt, keys, keys[1:])) and offsets[-1] >= block.nritems * ITEM.size
    )
    if not sound:
        yield from _item_problems(block, ends, data_size)


def _item_problems(block: Block, ends: list[int], data_size: int) -> Iterator[str]:
    previous, limit, headers_end = None, data_size, block.nritems * ITEM.size
    for slot, (key, offset, end) in enumerate(zip(block.keys, block.offsets, ends, strict=True)):
        if previous is not None and key <= previous:
            yield f"slot {slot}: key {_text(key)} follows {_text(previous)}"
        if end != limit:
            yield f"slot {slot}: item ends at {end}, expected {limit}"
        if offset < headers_end:
            yield f"slot {slot}: item data begins at {offset}, the headers end at {headers_end}"
        previous, limit = key, offset


def _node_problems(block: Block, sectorsize: int) -> Iterator[str]:
    if not 0 < block.nritems <= max_key_ptrs(len(block.data)):
        yield f"{block.nritems} children, expected 1 to {max_key_ptrs(len(block.data))}"
        return
    for slot, (previous, key) in enumerate(zip(block.keys, block.keys[1:], strict=False), 1):
        if previous >= key:
            yield f"slot {slot}: key {_text(key)} follows {_text(previous)}"
    for slot, pointer in enumerate(block.key_ptrs):
        if not pointer.blockptr or pointer.blockptr % sectorsize:
            yield f"slot {slot}: child at {pointer.blockptr}, expected a multiple of {sectorsize}"


def _text(key: Key) -> str:
    return f"({key.objectid} {key.type} {key.offset})"
