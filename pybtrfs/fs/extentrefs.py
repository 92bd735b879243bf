"""How many references extents have: many at a time, as columns.

The addresses are taken in order, a leaf of the extent tree at a time, and only leaves that hold one of them are
read: for a few extents it is a few searches, for all of them one pass.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from pybtrfs.btree.block import Block
from pybtrfs.btree.scan import gather
from pybtrfs.btree.search import Tree
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.extent import EXTENT_HEAD
from pybtrfs.ondisk.header import HEADER
from pybtrfs.ondisk.key import Key

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Counts(NamedTuple):
    """A row for each address that was asked for."""

    refs: "Array"  # u8: references, as the extent item says; 0 where there is no item
    num_bytes: "Array"  # u8: of a data extent, or of a tree block that is not skinny; else its level


def count_references(extent_tree: Tree, addresses: "Array", flag: int) -> Counts:
    """The reference counts of the extents at `addresses`, which rise strictly, and have `flag` (EXTENT_FLAG_*)."""
    import numpy as np  # noqa: PLC0415  start-up

    refs, num_bytes = np.zeros(len(addresses), np.uint64), np.zeros(len(addresses), np.uint64)
    at = 0
    while at < len(addresses):
        leaf = extent_tree.block_for(Key(int(addresses[at]), c.METADATA_ITEM_KEY, c.U64_MAX))
        last = leaf.keys[-1].objectid if leaf.nritems else 0
        end = max(at + 1, int(np.searchsorted(addresses, np.uint64(last), side="right")))
        rows, found = _matching(leaf, addresses[at:end], flag)
        refs[at:end][rows], num_bytes[at:end][rows] = found
        at = end
    return Counts(refs, num_bytes)


def _matching(leaf: Block, addresses: "Array", flag: int) -> tuple["Array", tuple["Array", "Array"]]:
    """Which of the addresses have an extent item in a leaf, and the columns of those."""
    import numpy as np  # noqa: PLC0415  start-up

    items = leaf.columns()
    kinds = items["key"]["type"]
    whole = items["size"] >= EXTENT_HEAD.size
    items = items[((kinds == c.EXTENT_ITEM_KEY) | (kinds == c.METADATA_ITEM_KEY)) & whole]
    heads = gather(leaf.data, HEADER.size + items["offset"].astype(np.int64), EXTENT_HEAD.dtype)
    right = (heads["flags"] & np.uint64(flag)) != 0
    items, heads = items[right], heads[right]
    objectids = np.ascontiguousarray(items["key"]["objectid"])
    place = np.searchsorted(objectids, addresses)
    inside = np.flatnonzero(place < len(objectids))
    rows = inside[objectids[place[inside]] == addresses[inside]]
    return rows, (heads["refs"][place[rows]], items["key"]["offset"][place[rows]])
