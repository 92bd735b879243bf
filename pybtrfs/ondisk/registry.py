"""The one table of item types: number, name, structure, and what the key means.

The dump, the fuzz test and docs/ONDISK.md walk it; a new item type is its declaration and its row here.
"""

from typing import Any, NamedTuple

from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.balance import BALANCE_ITEM
from pybtrfs.ondisk.chunk import (
    BLOCK_GROUP_ITEM,
    CHUNK,
    DEV_EXTENT,
    DEV_ITEM,
    DEV_REPLACE,
    DEV_STATS,
    RAID_STRIDE,
)
from pybtrfs.ondisk.dir import DIR_ITEM
from pybtrfs.ondisk.extent import (
    EXTENT_DATA_REF,
    EXTENT_ITEM,
    EXTENT_OWNER_REF,
    METADATA_ITEM,
    SHARED_DATA_REF,
)
from pybtrfs.ondisk.file_extent import EXTENT_DATA
from pybtrfs.ondisk.free_space import FREE_SPACE_HEADER, FREE_SPACE_INFO
from pybtrfs.ondisk.inode import INODE_EXTREF, INODE_ITEM, INODE_REF, VERITY_DESCRIPTOR
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.layout import Codec, Many, Raw
from pybtrfs.ondisk.log import DIR_LOG_ITEM
from pybtrfs.ondisk.quota import QGROUP_INFO, QGROUP_LIMIT, QGROUP_STATUS
from pybtrfs.ondisk.root import ROOT_ITEM, ROOT_REF
from pybtrfs.ondisk.uuid import SUBVOL_IDS


class ItemType(NamedTuple):
    """A row: the type byte, the name, how the data reads, and the meaning of the key's other parts."""

    number: int
    name: str
    codec: Codec[Any]
    objectid: str
    offset: str


_NAMES, _ATTRIBUTES = Many(DIR_ITEM), Many(DIR_ITEM)

ITEM_TYPES: dict[int, ItemType] = {
    row.number: row
    for row in (
        ItemType(c.INODE_ITEM_KEY, "INODE_ITEM", INODE_ITEM, "inode", "0"),
        ItemType(c.INODE_REF_KEY, "INODE_REF", Many(INODE_REF), "inode", "directory"),
        ItemType(c.INODE_EXTREF_KEY, "INODE_EXTREF", Many(INODE_EXTREF), "inode", "hash of directory and name"),
        ItemType(c.XATTR_ITEM_KEY, "XATTR_ITEM", _ATTRIBUTES, "inode", "hash of the name"),
        ItemType(c.VERITY_DESC_ITEM_KEY, "VERITY_DESC_ITEM", Raw("VERITY_DESC_ITEM"), "inode", "1 + byte"),
        ItemType(c.VERITY_MERKLE_ITEM_KEY, "VERITY_MERKLE_ITEM", Raw("VERITY_MERKLE_ITEM"), "inode", "byte"),
        ItemType(c.FSCRYPT_INODE_CTX_KEY, "FSCRYPT_INODE_CTX", Raw("FSCRYPT_INODE_CTX"), "inode", "0"),
        ItemType(c.FSCRYPT_CTX_KEY, "FSCRYPT_CTX", Raw("FSCRYPT_CTX"), "inode", "file offset"),
        ItemType(c.ORPHAN_ITEM_KEY, "ORPHAN_ITEM", Raw("ORPHAN_ITEM", 0), "ORPHAN", "inode or tree id"),
        ItemType(c.DIR_LOG_ITEM_KEY, "DIR_LOG_ITEM", DIR_LOG_ITEM, "directory", "first hash"),
        ItemType(c.DIR_LOG_INDEX_KEY, "DIR_LOG_INDEX", DIR_LOG_ITEM, "directory", "first index"),
        ItemType(c.DIR_ITEM_KEY, "DIR_ITEM", _NAMES, "directory", "hash of the name"),
        ItemType(c.DIR_INDEX_KEY, "DIR_INDEX", _NAMES, "directory", "index"),
        ItemType(c.EXTENT_DATA_KEY, "EXTENT_DATA", EXTENT_DATA, "inode", "file offset"),
        ItemType(c.CSUM_ITEM_KEY, "CSUM_ITEM", Raw("CSUM_ITEM"), "(not used any more)", "any"),
        ItemType(c.EXTENT_CSUM_KEY, "EXTENT_CSUM", Raw("EXTENT_CSUM"), "EXTENT_CSUM", "logical address"),
        ItemType(c.ROOT_ITEM_KEY, "ROOT_ITEM", ROOT_ITEM, "tree id", "transid of a snapshot's creation, or 0"),
        ItemType(c.ROOT_BACKREF_KEY, "ROOT_BACKREF", ROOT_REF, "subvolume", "parent subvolume"),
        ItemType(c.ROOT_REF_KEY, "ROOT_REF", ROOT_REF, "parent subvolume", "subvolume"),
        ItemType(c.EXTENT_ITEM_KEY, "EXTENT_ITEM", EXTENT_ITEM, "logical address", "length"),
        ItemType(c.METADATA_ITEM_KEY, "METADATA_ITEM", METADATA_ITEM, "logical address", "level"),
        ItemType(c.EXTENT_OWNER_REF_KEY, "EXTENT_OWNER_REF", EXTENT_OWNER_REF, "logical address", "tree id"),
        ItemType(c.TREE_BLOCK_REF_KEY, "TREE_BLOCK_REF", Raw("TREE_BLOCK_REF", 0), "logical address", "tree id"),
        ItemType(c.EXTENT_DATA_REF_KEY, "EXTENT_DATA_REF", EXTENT_DATA_REF, "logical address", "hash of the file"),
        ItemType(c.EXTENT_REF_V0_KEY, "EXTENT_REF_V0", Raw("EXTENT_REF_V0"), "(not used any more)", "any"),
        ItemType(c.SHARED_BLOCK_REF_KEY, "SHARED_BLOCK_REF", Raw("SHARED_BLOCK_REF", 0), "logical address", "node"),
        ItemType(c.SHARED_DATA_REF_KEY, "SHARED_DATA_REF", SHARED_DATA_REF, "logical address", "leaf"),
        ItemType(c.BLOCK_GROUP_ITEM_KEY, "BLOCK_GROUP_ITEM", BLOCK_GROUP_ITEM, "logical address", "length"),
        ItemType(c.FREE_SPACE_INFO_KEY, "FREE_SPACE_INFO", FREE_SPACE_INFO, "block group", "its length"),
        ItemType(c.FREE_SPACE_EXTENT_KEY, "FREE_SPACE_EXTENT", Raw("FREE_SPACE_EXTENT", 0), "address", "length"),
        ItemType(c.FREE_SPACE_BITMAP_KEY, "FREE_SPACE_BITMAP", Raw("FREE_SPACE_BITMAP"), "address", "length"),
        ItemType(c.DEV_EXTENT_KEY, "DEV_EXTENT", DEV_EXTENT, "devid", "physical address"),
        ItemType(c.DEV_ITEM_KEY, "DEV_ITEM", DEV_ITEM, "DEV_ITEMS", "devid"),
        ItemType(c.CHUNK_ITEM_KEY, "CHUNK_ITEM", CHUNK, "FIRST_CHUNK_TREE", "logical address"),
        ItemType(c.RAID_STRIPE_KEY, "RAID_STRIPE", Many(RAID_STRIDE), "logical address", "length"),
        ItemType(c.IDENTITY_REMAP_KEY, "IDENTITY_REMAP", Raw("IDENTITY_REMAP"), "logical address", "length"),
        ItemType(c.REMAP_KEY, "REMAP", Raw("REMAP"), "logical address", "length"),
        ItemType(c.REMAP_BACKREF_KEY, "REMAP_BACKREF", Raw("REMAP_BACKREF"), "logical address", "length"),
        ItemType(c.QGROUP_STATUS_KEY, "QGROUP_STATUS", QGROUP_STATUS, "0", "0"),
        ItemType(c.QGROUP_INFO_KEY, "QGROUP_INFO", QGROUP_INFO, "0", "qgroup"),
        ItemType(c.QGROUP_LIMIT_KEY, "QGROUP_LIMIT", QGROUP_LIMIT, "0", "qgroup"),
        ItemType(c.QGROUP_RELATION_KEY, "QGROUP_RELATION", Raw("QGROUP_RELATION", 0), "qgroup", "qgroup"),
        ItemType(c.TEMPORARY_ITEM_KEY, "TEMPORARY_ITEM", Raw("TEMPORARY_ITEM"), "what it is", "0"),
        ItemType(c.PERSISTENT_ITEM_KEY, "PERSISTENT_ITEM", Raw("PERSISTENT_ITEM"), "what it is", "devid"),
        ItemType(c.DEV_REPLACE_KEY, "DEV_REPLACE", DEV_REPLACE, "0", "0"),
        ItemType(c.UUID_KEY_SUBVOL, "UUID_KEY_SUBVOL", SUBVOL_IDS, "UUID, bytes 0-7", "UUID, bytes 8-15"),
        ItemType(c.UUID_KEY_RECEIVED_SUBVOL, "UUID_KEY_RECEIVED_SUBVOL", SUBVOL_IDS, "bytes 0-7", "bytes 8-15"),
        ItemType(c.STRING_ITEM_KEY, "STRING_ITEM", Raw("STRING_ITEM"), "any", "any"),
    )
}

SPECIAL_ITEMS: dict[tuple[int, int], ItemType] = {
    (row_type, objectid): ItemType(row_type, name, codec, c.OBJECTID_NAMES.get(objectid, "DEV_STATS"), offset)
    for row_type, objectid, name, codec, offset in (
        (c.UNTYPED_KEY, c.FREE_SPACE_OBJECTID, "UNTYPED", FREE_SPACE_HEADER, "block group"),
        (c.TEMPORARY_ITEM_KEY, c.BALANCE_OBJECTID, "TEMPORARY_ITEM", BALANCE_ITEM, "0"),
        (c.PERSISTENT_ITEM_KEY, c.DEV_STATS_OBJECTID, "PERSISTENT_ITEM", DEV_STATS, "devid"),
    )
}
"""Types whose data depends on the key's objectid, by (type, objectid)."""

VERITY_HEAD = ItemType(c.VERITY_DESC_ITEM_KEY, "VERITY_DESC_ITEM", VERITY_DESCRIPTOR, "inode", "0")
"""The first VERITY_DESC_ITEM of an inode; those behind it are the descriptor's bytes."""


def find_item_type(key: Key) -> ItemType | None:
    """The row for an item with this key; None for a type that the format does not have."""
    if key.type == c.VERITY_DESC_ITEM_KEY and key.offset == 0:
        return VERITY_HEAD
    return SPECIAL_ITEMS.get((key.type, key.objectid)) or ITEM_TYPES.get(key.type)
