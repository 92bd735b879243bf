"""The table of item types that print more than their key: type -> function(item, options) -> whole lines.

Each function reads its structure through the layouts and may raise `CorruptError` or `struct.error` where
the bytes do not fit; the leaf's printer then names the trouble in the item's place and goes on.
"""

from collections.abc import Callable

from pybtrfs.btree.block import Item
from pybtrfs.ondisk import constants as c
from pybtrfs.render import items_file as file
from pybtrfs.render import items_space as space
from pybtrfs.render import items_tree as tree
from pybtrfs.render.options import Options

ItemText = Callable[[Item, Options], str]


def _constant(words: str) -> ItemText:
    return lambda item, options: f"\t\t{words}\n"


ITEM_TEXT: dict[int, ItemText] = {
    c.UNTYPED_KEY: tree.untyped_item,
    c.INODE_ITEM_KEY: file.inode_item,
    c.INODE_REF_KEY: file.inode_ref,
    c.INODE_EXTREF_KEY: file.inode_extref,
    c.XATTR_ITEM_KEY: file.dir_item,
    c.ORPHAN_ITEM_KEY: _constant("orphan item"),
    c.DIR_LOG_ITEM_KEY: file.dir_log,
    c.DIR_LOG_INDEX_KEY: file.dir_log,
    c.DIR_ITEM_KEY: file.dir_item,
    c.DIR_INDEX_KEY: file.dir_item,
    c.EXTENT_DATA_KEY: file.extent_data,
    c.EXTENT_CSUM_KEY: space.extent_csum,
    c.ROOT_ITEM_KEY: tree.root_item,
    c.ROOT_BACKREF_KEY: tree.root_backref,
    c.ROOT_REF_KEY: tree.root_ref,
    c.EXTENT_ITEM_KEY: space.extent_item,
    c.METADATA_ITEM_KEY: space.metadata_item,
    c.EXTENT_OWNER_REF_KEY: space.extent_owner_ref,
    c.TREE_BLOCK_REF_KEY: _constant("tree block backref"),
    c.EXTENT_DATA_REF_KEY: space.extent_data_ref,
    c.SHARED_BLOCK_REF_KEY: _constant("shared block backref"),
    c.SHARED_DATA_REF_KEY: space.shared_data_ref,
    c.BLOCK_GROUP_ITEM_KEY: space.block_group_item,
    c.FREE_SPACE_INFO_KEY: space.free_space_info,
    c.FREE_SPACE_EXTENT_KEY: _constant("free space extent"),
    c.FREE_SPACE_BITMAP_KEY: _constant("free space bitmap"),
    c.DEV_EXTENT_KEY: space.dev_extent,
    c.DEV_ITEM_KEY: space.dev_item,
    c.CHUNK_ITEM_KEY: space.chunk_item,
    c.RAID_STRIPE_KEY: space.raid_stripe,
    c.REMAP_KEY: space.remap,
    c.REMAP_BACKREF_KEY: space.remap,
    c.QGROUP_STATUS_KEY: tree.qgroup_status,
    c.QGROUP_INFO_KEY: tree.qgroup_info,
    c.QGROUP_LIMIT_KEY: tree.qgroup_limit,
    c.TEMPORARY_ITEM_KEY: tree.temporary_item,
    c.PERSISTENT_ITEM_KEY: tree.persistent_item,
    c.DEV_REPLACE_KEY: tree.dev_replace,
    c.UUID_KEY_SUBVOL: tree.uuid_item,
    c.UUID_KEY_RECEIVED_SUBVOL: tree.uuid_item,
    c.STRING_ITEM_KEY: tree.string_item,
    c.FSCRYPT_INODE_CTX_KEY: file.fscrypt_context,
    c.FSCRYPT_CTX_KEY: file.fscrypt_context,
    c.CSUM_ITEM_KEY: _constant("csum item"),
    c.EXTENT_REF_V0_KEY: _constant("extent ref v0 (deprecated)"),
}
