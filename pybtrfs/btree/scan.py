"""A whole tree as columns: batches of leaves whose items are numpy arrays.

Leaves come in key order, each verified and judged as the strict reader does, a few hundred at a time. A
consumer works on whole columns (`batch.key["objectid"]`) and gathers structures from `batch.buffer` at the byte
positions in `batch.data_at`, at whatever alignment.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pybtrfs.btree.block import Block
from pybtrfs.btree.search import Tree
from pybtrfs.ondisk.header import HEADER, ITEM

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BATCH_BLOCKS = 256


class LeafBatch(NamedTuple):
    """Some leaves of a tree. All arrays have a row for each item, in the tree's order."""

    buffer: bytes  # the leaves, one after the other
    bytenr: "Array"  # u8: logical address of each item's leaf
    slot: "Array"  # u4
    key: "Array"  # KEY.dtype: objectid, type, offset
    data_at: "Array"  # u8: where in `buffer` the item's data begins
    size: "Array"  # u4: bytes of the item's data


def scan(tree: Tree, batch_blocks: int = BATCH_BLOCKS) -> Iterator[LeafBatch]:
    """All items of `tree`, a batch of leaves at a time; errors are those of `Tree.leaves`."""
    leaves: list[Block] = []
    for leaf in tree.leaves():
        leaves.append(leaf)
        if len(leaves) == batch_blocks:
            yield batch(leaves)
            leaves = []
    if leaves:
        yield batch(leaves)


def batch(leaves: Sequence[Block]) -> LeafBatch:
    """At least one leaf, of whatever trees, as columns."""
    import numpy as np  # noqa: PLC0415  start-up

    counts = np.array([leaf.nritems for leaf in leaves], np.int64)
    buffer = b"".join([leaf.data for leaf in leaves])
    total = int(counts.sum())
    slot = np.arange(total, dtype=np.int64) - np.repeat(counts.cumsum() - counts, counts)
    block_at = np.repeat(np.arange(len(leaves), dtype=np.int64) * len(leaves[0].data), counts)
    items = np.concatenate([leaf.columns() for leaf in leaves])
    data_at = block_at + HEADER.size + items["offset"].astype(np.int64)
    assert items.dtype == ITEM.dtype, "columns are item headers"
    return LeafBatch(
        buffer,
        np.repeat(np.array([leaf.bytenr for leaf in leaves], np.uint64), counts),
        slot.astype(np.uint32),
        items["key"],
        data_at.astype(np.uint64),
        items["size"],
    )


def gather(buffer: bytes, at: "Array", dtype: "np.dtype[Any]") -> "Array":
    """The structures at byte positions of a buffer, which must hold each whole, as a new array."""
    import numpy as np  # noqa: PLC0415  start-up

    rows = at.astype(np.int64)[:, np.newaxis] + np.arange(dtype.itemsize)
    found: Array = np.frombuffer(buffer, np.uint8)[rows].view(dtype)[:, 0]
    return found
