"""Sorted items in, packed tree blocks out: the one builder of leaves and nodes that all writers use.

Leaves are filled from left to right, each as full as it gets; every level of nodes is built from the list of
blocks below it. Blocks go to `write` as they are done, so memory is bounded by the key pointers of one level.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pybtrfs.checksum import CsumType, seal
from pybtrfs.ondisk.constants import BACKREF_REV_SHIFT, HEADER_FLAG_WRITTEN, MAX_LEVEL, MIXED_BACKREF_REV
from pybtrfs.ondisk.header import HEADER, ITEM, KEY_PTR, Header, KeyPtr, leaf_data_size, max_key_ptrs
from pybtrfs.ondisk.key import MIN_KEY, Key

BLOCK_FLAGS = HEADER_FLAG_WRITTEN | MIXED_BACKREF_REV << BACKREF_REV_SHIFT
Allocate = Callable[[int], int]
Write = Callable[[int, bytes], None]


class BlockForm(NamedTuple):
    """What all blocks that one transaction writes have in common."""

    nodesize: int
    fsid: bytes
    chunk_tree_uuid: bytes
    generation: int
    csum_type: CsumType


class BuiltTree(NamedTuple):
    """Where a tree that was built begins."""

    bytenr: int
    level: int
    blocks: int


def build_tree(
    form: BlockForm, owner: int, items: Iterable[tuple[Key, bytes]], allocate: Allocate, write: Write
) -> BuiltTree:
    """Pack `items`, whose keys must rise, into the tree `owner`.

    `allocate(level)` gives the logical address of the next block, `write(bytenr, block)` takes it. A tree
    without items is one empty leaf.
    """
    pointers, level, blocks = [], 0, 0
    for leaf in _leaves(items, leaf_data_size(form.nodesize)):
        bytenr = allocate(0)
        write(bytenr, pack_leaf(form, owner, bytenr, leaf))
        pointers.append(KeyPtr(leaf[0][0] if leaf else MIN_KEY, bytenr, form.generation))
    blocks = len(pointers)
    while len(pointers) > 1:
        level += 1
        assert level < MAX_LEVEL, "a tree of this many items is deeper than the format allows"
        pointers = list(_nodes(form, owner, level, pointers, allocate, write))
        blocks += len(pointers)
    return BuiltTree(pointers[0].blockptr, level, blocks)


def pack_leaf(form: BlockForm, owner: int, bytenr: int, items: Sequence[tuple[Key, bytes]]) -> bytes:
    """One sealed leaf; the items must fit."""
    block, at = _new_block(form, owner, bytenr, 0, len(items)), form.nodesize
    flat: list[int] = []
    for key, data in items:
        at -= len(data)
        flat += (*key, at - HEADER.size, len(data))
    assert HEADER.size + len(items) * ITEM.size <= at, "the items fit into the leaf"
    ITEM.pack_many_into(block, HEADER.size, flat)
    block[at:] = b"".join([data for _, data in reversed(items)])
    seal(form.csum_type, block)
    return bytes(block)


def pack_node(form: BlockForm, owner: int, bytenr: int, level: int, pointers: Sequence[KeyPtr]) -> bytes:
    """One sealed node; the key pointers must fit."""
    block = _new_block(form, owner, bytenr, level, len(pointers))
    packed = b"".join(map(KEY_PTR.pack, pointers))
    block[HEADER.size : HEADER.size + len(packed)] = packed
    assert len(block) == form.nodesize, "the key pointers fit into the node"
    seal(form.csum_type, block)
    return bytes(block)


def _leaves(items: Iterable[tuple[Key, bytes]], room: int) -> Iterator[list[tuple[Key, bytes]]]:
    leaf: list[tuple[Key, bytes]] = []
    left, previous = room, None
    for key, data in items:
        assert previous is None or previous < key, f"keys must rise: {key} follows {previous}"
        needed = ITEM.size + len(data)
        assert needed <= room, f"an item of {len(data)} bytes fits into no leaf"
        if needed > left:
            yield leaf
            leaf, left = [], room
        leaf.append((key, data))
        left -= needed
        previous = key
    if leaf or previous is None:
        yield leaf


def _nodes(
    form: BlockForm, owner: int, level: int, children: list[KeyPtr], allocate: Allocate, write: Write
) -> Iterator[KeyPtr]:
    """One level of nodes over `children`, which are shared out evenly: no node is left with a single child."""
    most = max_key_ptrs(form.nodesize)
    count = -(-len(children) // most)
    for index in range(count):
        part = children[len(children) * index // count : len(children) * (index + 1) // count]
        bytenr = allocate(level)
        write(bytenr, pack_node(form, owner, bytenr, level, part))
        yield KeyPtr(part[0].key, bytenr, form.generation)


def _new_block(form: BlockForm, owner: int, bytenr: int, level: int, nritems: int) -> bytearray:
    block = bytearray(form.nodesize)
    header = Header(
        csum=b"",
        fsid=form.fsid,
        bytenr=bytenr,
        flags=BLOCK_FLAGS,
        chunk_tree_uuid=form.chunk_tree_uuid,
        generation=form.generation,
        owner=owner,
        nritems=nritems,
        level=level,
    )
    block[: HEADER.size] = HEADER.pack(header)
    return block
