"""All blocks of a tree, for showing them: damage is named and stepped over, not raised.

Breadth first shows each level whole before the one below it; depth first shows a node, then what hangs under
it. A block that its parent does not describe (level, generation), or whose checksum holds in no copy, is left
out with a line that says so; one that is odd only inside, or begins with another key, is shown with such a line.

A walk of a lying tree ends, and keeps no list of what it has met. Levels fall by one. Each node has a span of
keys of its own: of its children those are followed whose keys rise, as many as can be, and they divide the span
among them. A block is shown only below a node whose span holds its first key, and once there: hence once.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from pybtrfs.btree.block import Block
from pybtrfs.btree.check import ANYTHING, Expected, checksum_problem, disagreements
from pybtrfs.btree.store import BlockStore
from pybtrfs.errors import CorruptError, UnsupportedError
from pybtrfs.ondisk.key import MAX_KEY, MIN_KEY, Key


class Trouble(NamedTuple):
    """A line about damage, for people."""

    text: str


class Span(NamedTuple):
    """The keys from `start` up to, but without, `end`; up to the greatest where that is the end."""

    start: Key
    end: Key

    def __contains__(self, key: object) -> bool:
        return isinstance(key, tuple) and self.start <= key and (key < self.end or self.end == MAX_KEY)


ALL_KEYS = Span(MIN_KEY, MAX_KEY)
Step = Block | Trouble


def walk(store: BlockStore, root: Block, *, depth_first: bool) -> Iterator[Step]:
    """`root` and all blocks under it."""
    if depth_first:
        yield from _depth_first(store, root, ALL_KEYS)
        return
    yield root
    for level in range(root.level - 1, -1, -1):
        yield from _level(store, root, ALL_KEYS, level)


def leaves(store: BlockStore, root: Block) -> Iterator[Step]:
    """The leaves under `root`, or itself, in the order of their keys."""
    if root.is_leaf:
        yield root
        return
    for step in _depth_first(store, root, ALL_KEYS):
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
        ours = header.bytenr == bytenr and header.fsid in store.volume.block_fsids
        if ours and not any(disagreements(block, expected._replace(first_key=None, end=None))):
            yield block


def read_damaged(store: BlockStore, bytenr: int) -> Block | None:
    """The bytes at `bytenr` as a block, whatever they are; None where nothing can be read."""
    try:
        return store.read_any(bytenr)
    except (CorruptError, UnsupportedError):
        return None


def _depth_first(store: BlockStore, block: Block, span: Span) -> Iterator[Step]:
    yield block
    if block.is_leaf:
        return
    for step, part in _children(store, block, span):
        if isinstance(step, Block) and part is not None:
            yield from _depth_first(store, step, part)
        else:
            yield step


def _level(store: BlockStore, node: Block, span: Span, level: int) -> Iterator[Step]:
    """The blocks of `level` under `node`. Troubles with those in between came with their own level."""
    for step, part in _children(store, node, span):
        if node.level - 1 == level:
            yield step
        elif isinstance(step, Block) and part is not None:
            yield from _level(store, step, part, level)


def _children(store: BlockStore, node: Block, span: Span) -> Iterator[tuple[Step, Span | None]]:
    """What is to be shown right below a node; a child with its part of the span, None where it has no part."""
    parts, met = _parts(node.keys, span), set[int]()
    for slot, pointer in enumerate(node.key_ptrs):
        if pointer.blockptr in met:
            yield Trouble(f"node {node.bytenr} slot {slot}: block {pointer.blockptr} is a child already"), None
            continue
        met.add(pointer.blockptr)
        part = parts.get(slot)
        end = None if part is None or part.end == MAX_KEY else part.end
        for step in read_block(store, pointer.blockptr, Expected(node.level - 1, pointer.generation, pointer.key, end)):
            if isinstance(step, Block) and not (step.nritems and step.key_tuples[0] in span):
                yield Trouble(f"{step.kind} {step.bytenr}: it belongs elsewhere in the tree, and is not shown"), None
                continue
            yield step, part
            if isinstance(step, Block) and part is None and not step.is_leaf:
                yield (
                    Trouble(f"node {step.bytenr}: its parent's keys are out of order, what is below is not shown"),
                    None,
                )


def _parts(keys: list[Key], span: Span) -> dict[int, Span]:
    """How the longest rising run of a node's keys divides its span: slot -> part."""
    slots = _rising([slot for slot, key in enumerate(keys) if key in span], keys)
    ends = [keys[slot] for slot in slots[1:]] + [span.end]
    return {slot: Span(keys[slot], end) for slot, end in zip(slots, ends, strict=True)}


def _rising(slots: list[int], keys: list[Key]) -> list[int]:
    """As many of `slots`, in order, as have strictly rising keys (patience sorting)."""
    last_keys: list[Key] = []  # the least key that ends a run of 1, 2, ... slots, and which slot that is
    last_slots: list[int] = []
    before: dict[int, int] = {}
    for slot in slots:
        at = bisect_left(last_keys, keys[slot])
        if at:
            before[slot] = last_slots[at - 1]
        last_keys[at : at + 1], last_slots[at : at + 1] = [keys[slot]], [slot]
    run = last_slots[-1:]
    while run and run[-1] in before:
        run.append(before[run[-1]])
    return run[::-1]
