"""Extent items: which space is in use, and who refers to it.

EXTENT_ITEM (data, or a tree block on old filesystems) and METADATA_ITEM (a tree block; the level is the
key's offset) hold a count and the first backrefs inline, in the order of their types; what does not fit
stands behind as items of its own, with the extent's address as the key's objectid.
"""

from typing import Any, NamedTuple

from pybtrfs.errors import CorruptError
from pybtrfs.ondisk.constants import (
    EXTENT_DATA_REF_KEY,
    EXTENT_FLAG_TREE_BLOCK,
    EXTENT_OWNER_REF_KEY,
    SHARED_BLOCK_REF_KEY,
    SHARED_DATA_REF_KEY,
    TREE_BLOCK_REF_KEY,
)
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.layout import U8, U32, U64, Buffer, Fixed


class ExtentHead(NamedTuple):
    """The fixed part of an extent item (`btrfs_extent_item`)."""

    refs: U64  # references, inline and keyed
    generation: U64  # transaction that allocated it
    flags: U64  # EXTENT_FLAG_*


class TreeBlockInfo(NamedTuple):
    """On filesystems without skinny metadata: what the tree block holds (`btrfs_tree_block_info`)."""

    key: Key  # the block's first
    level: U8


class InlineRef(NamedTuple):
    """TREE_BLOCK_REF (offset: a tree's id), SHARED_BLOCK_REF (a block) or EXTENT_OWNER_REF (a tree's id)."""

    type: U8  # an item type
    offset: U64


class InlineSharedDataRef(NamedTuple):
    """SHARED_DATA_REF: a leaf, by its address, that refers `ref_count` times (`btrfs_shared_data_ref`)."""

    type: U8  # an item type
    offset: U64  # logical address of the leaf
    ref_count: U32


class InlineExtentDataRef(NamedTuple):
    """EXTENT_DATA_REF: a file that refers `ref_count` times."""

    type: U8  # an item type
    root: U64  # subvolume
    objectid: U64  # inode
    offset: U64  # file offset less the offset in the extent
    ref_count: U32


class ExtentDataRef(NamedTuple):
    """A keyed EXTENT_DATA_REF (`btrfs_extent_data_ref`)."""

    root: U64  # subvolume
    objectid: U64  # inode
    offset: U64  # file offset less the offset in the extent
    ref_count: U32  # file extents of the inode that refer to it so


class SharedDataRef(NamedTuple):
    """A keyed SHARED_DATA_REF (`btrfs_shared_data_ref`)."""

    ref_count: U32  # file extents in the leaf that refer to it


class ExtentOwnerRef(NamedTuple):
    """A keyed EXTENT_OWNER_REF (`btrfs_extent_owner_ref`)."""

    root_id: U64  # subvolume that wrote it first


EXTENT_HEAD = Fixed(ExtentHead, 24)
TREE_BLOCK_INFO = Fixed(TreeBlockInfo, 18)
INLINE_REF = Fixed(InlineRef, 9)
INLINE_SHARED_DATA_REF = Fixed(InlineSharedDataRef, 13)
INLINE_EXTENT_DATA_REF = Fixed(InlineExtentDataRef, 29)
EXTENT_DATA_REF = Fixed(ExtentDataRef, 28)
SHARED_DATA_REF = Fixed(SharedDataRef, 4)
EXTENT_OWNER_REF = Fixed(ExtentOwnerRef, 8)

AnyInlineRef = InlineRef | InlineSharedDataRef | InlineExtentDataRef

INLINE_REFS: dict[int, Fixed[Any]] = {
    EXTENT_OWNER_REF_KEY: INLINE_REF,
    TREE_BLOCK_REF_KEY: INLINE_REF,
    EXTENT_DATA_REF_KEY: INLINE_EXTENT_DATA_REF,
    SHARED_BLOCK_REF_KEY: INLINE_REF,
    SHARED_DATA_REF_KEY: INLINE_SHARED_DATA_REF,
}


class ExtentItem(NamedTuple):
    """An extent item with its inline backrefs."""

    refs: int
    generation: int
    flags: int
    tree_block: TreeBlockInfo | None
    inline_refs: tuple[AnyInlineRef, ...]


class ExtentItemCodec:
    """The codec of EXTENT_ITEM and, with `skinny`, of METADATA_ITEM."""

    def __init__(self, name: str, *, skinny: bool) -> None:
        self.name, self._skinny = name, skinny

    def parse(self, data: Buffer) -> ExtentItem:
        if len(data) < EXTENT_HEAD.size:
            raise CorruptError(f"{self.name} has {len(data)} bytes, expected at least {EXTENT_HEAD.size}")
        head, at = EXTENT_HEAD.unpack_from(data), EXTENT_HEAD.size
        info = None
        if head.flags & EXTENT_FLAG_TREE_BLOCK and not self._skinny:
            if len(data) < at + TREE_BLOCK_INFO.size:
                raise CorruptError(f"{self.name} of a tree block has {len(data)} bytes, no room for its info")
            info, at = TREE_BLOCK_INFO.unpack_from(data, at), at + TREE_BLOCK_INFO.size
        refs = []
        while at < len(data):
            layout = INLINE_REFS.get(data[at])
            if layout is None:
                raise CorruptError(f"{self.name}: inline ref of unknown type {data[at]} at byte {at}")
            if at + layout.size > len(data):
                raise CorruptError(f"{self.name}: inline ref of type {data[at]} at byte {at} ends after the item")
            refs.append(layout.unpack_from(data, at))
            at += layout.size
        return ExtentItem(*head, info, tuple(refs))

    def build(self, value: ExtentItem) -> bytes:
        info = b"" if value.tree_block is None else TREE_BLOCK_INFO.pack(value.tree_block)
        refs = b"".join(INLINE_REFS[ref.type].pack(ref) for ref in value.inline_refs)
        return EXTENT_HEAD.pack(ExtentHead(*value[:3])) + info + refs


EXTENT_ITEM = ExtentItemCodec("EXTENT_ITEM", skinny=False)
METADATA_ITEM = ExtentItemCodec("METADATA_ITEM", skinny=True)
