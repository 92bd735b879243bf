"""A tree block: header, then either items (a leaf) or key pointers (a node).

In a leaf the item headers grow from the front and their data from the back; an item's `offset` counts
from the end of the block header.
"""

from typing import Annotated, NamedTuple

from pybtrfs.ondisk.constants import BACKREF_REV_SHIFT
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.layout import U8, U32, U64, Fixed, Uuid


class Header(NamedTuple):
    """What every tree block begins with (`btrfs_header`)."""

    csum: Annotated[bytes, "32s"]  # of all that follows it in the block
    fsid: Uuid  # the filesystem's metadata_uuid
    bytenr: U64  # logical address of this block
    flags: U64  # the top byte is the backref revision
    chunk_tree_uuid: Uuid  # the same in all blocks of the filesystem
    generation: U64  # transaction that wrote it
    owner: U64  # id of the tree that allocated it
    nritems: U32  # items of a leaf, children of a node
    level: U8  # 0 is a leaf

    @property
    def backref_rev(self) -> int:
        return self.flags >> BACKREF_REV_SHIFT


class ItemHeader(NamedTuple):
    """An item of a leaf: its key, and where its data lies (`btrfs_item`)."""

    key: Key
    offset: U32  # of the data, from the end of the block header
    size: U32  # of the data


class KeyPtr(NamedTuple):
    """A child of a node (`btrfs_key_ptr`)."""

    key: Key  # the first key in the child
    blockptr: U64  # logical address of the child
    generation: U64  # of the child


HEADER = Fixed(Header, 101)
ITEM = Fixed(ItemHeader, 25)
KEY_PTR = Fixed(KeyPtr, 33)


def leaf_data_size(nodesize: int) -> int:
    """Bytes of a leaf that item headers and their data share."""
    return nodesize - HEADER.size


def max_key_ptrs(nodesize: int) -> int:
    """How many children a node holds."""
    return (nodesize - HEADER.size) // KEY_PTR.size
