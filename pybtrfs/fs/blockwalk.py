"""All blocks of a tree, for showing them: damage is named and stepped over, not raised.

Breadth first shows each level whole before the one below it; depth first shows a node, then what hangs under
it. A block that its parent does not describe (level, generation, first key), or whose checksum holds in no
copy, is left out with a line that says so; one that is odd only inside is shown, with such a line.

A walk of a lying tree ends, and holds no list of what it has met: levels fall by one, and of a node only
those children are followed whose keys rise and lie before the node's end. So the blocks of one level have
separate ranges of keys, and none is met twice.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pybtrfs.btree.block import Block
from pybtrfs.btree.check import ANYTHING, Expected, checksum_problem, disagreements
from pybtrfs.btree.store import BlockStore
from pybtrfs.errors import CorruptError, UnsupportedError
from pybtrfs.ondisk.header import KeyPtr
from pybtrfs.ondisk.key import MAX_KEY, Key


class Trouble(NamedTuple):
    """A line about damage, for people."""

    text: str


class Child(NamedTuple):
    """A child that is followed: its key pointer, and the key at which the next one begins."""

    pointer: KeyPtr
    end: Key


Step = Block | Trouble


def walk(store: BlockStore, root: Block, *, depth_first: bool) -> Iterator[Step]:
    """`root` and all blocks under it."""
    if depth_first:
        yield from _depth_first(store, root, MAX_KEY)
        return
    yield root
    for level in range(root.level - 1, -1, -1):
        yield from _level(store, root, MAX_KEY, level)


def leaves(store: BlockStore, root: Block) -> Iterator[Step]:
    """The leaves under `root`, or itself, in the order of their keys."""
    if root.is_leaf:
        yield root
        return
    for step in _depth_first(store, root, MAX_KEY):
        if isinstance(step, Trouble) or step.is_leaf:
            yield step


def read_block(store: BlockStore, bytenr: int, expected: Expected = ANYTHING) -> Iterator[Step]:
    """The block at `bytenr`, where one can be shown, and what is wrong with it."""
    try:
        yield store.read(bytenr, expected)
        return
    except UnsupportedError as error:
        yield Trouble(str(error))
        return
    except CorruptError as error:
        yield Trouble(str(error))
    block = read_damaged(store, bytenr)
    if block is not None and checksum_problem(block, store.volume.csum_type) is None:
        header = block.header
        ours = header.bytenr == bytenr and header.fsid == store.volume.block_fsid
        if ours and not any(disagreements(block, expected._replace(end=None))):
            yield block


def read_damaged(store: BlockStore, bytenr: int) -> Block | None:
    """The bytes at `bytenr` as a block, whatever they are; None where nothing can be read."""
    try:
        return store.read_any(bytenr)
    except (CorruptError, UnsupportedError):
        return None


def _depth_first(store: BlockStore, block: Block, end: Key) -> Iterator[Step]:
    yield block
    if block.is_leaf:
        return
    yield from _skipped(block, end)
    for child in _children(block, end):
        for step in _read_child(store, block, child):
            if isinstance(step, Trouble):
                yield step
            else:
                yield from _depth_first(store, step, child.end)


def _level(store: BlockStore, node: Block, end: Key, level: int) -> Iterator[Step]:
    """The blocks of `level` under `node`. Troubles with those in between came with their own level."""
    if node.level - 1 == level:
        yield from _skipped(node, end)
    for child in _children(node, end):
        for step in _read_child(store, node, child):
            if node.level - 1 == level:
                yield step
            elif isinstance(step, Block):
                yield from _level(store, step, child.end, level)


def _read_child(store: BlockStore, node: Block, child: Child) -> Iterator[Step]:
    pointer = child.pointer
    end = None if child.end == MAX_KEY else child.end
    return read_block(store, pointer.blockptr, Expected(node.level - 1, pointer.generation, pointer.key, end))


def _children(node: Block, end: Key) -> Iterator[Child]:
    followed = [node.key_ptrs[slot] for slot, fits in enumerate(_rising(node, end)) if fits]
    ends = [pointer.key for pointer in followed[1:]] + [end]
    return map(Child, followed, ends)


def _skipped(node: Block, end: Key) -> Iterator[Trouble]:
    for slot, fits in enumerate(_rising(node, end)):
        if not fits:
            yield Trouble(f"node {node.bytenr} slot {slot}: its key is out of order, the child is not followed")


def _rising(node: Block, end: Key) -> Iterator[bool]:
    """For each slot whether its key is above all before it and before the node's end."""
    highest = None
    for pointer in node.key_ptrs:
        fits = (highest is None or pointer.key > highest) and (pointer.key < end or end == MAX_KEY)
        highest = pointer.key if fits else highest
        yield fits
