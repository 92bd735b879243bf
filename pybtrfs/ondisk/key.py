"""The key of every item: (objectid, type, offset), and the order of a tree.

What objectid and offset mean depends on the type; `registry.py` says it for each.
"""

from typing import NamedTuple

from pybtrfs.ondisk.constants import U64_MAX
from pybtrfs.ondisk.layout import U8, U64, Fixed


class Key(NamedTuple):
    """Where an item stands in its tree; keys compare as trees are ordered (`btrfs_disk_key`)."""

    objectid: U64  # what the item belongs to, such as an inode
    type: U8  # item type
    offset: U64  # a third number, which depends on the type


KEY = Fixed(Key, 17)

MIN_KEY = Key(0, 0, 0)
MAX_KEY = Key(U64_MAX, 255, U64_MAX)


def successor(key: Key) -> Key | None:
    """The least key greater than `key`; None after the last."""
    if key.offset < U64_MAX:
        return key._replace(offset=key.offset + 1)
    if key.type < 255:
        return Key(key.objectid, key.type + 1, 0)
    return Key(key.objectid + 1, 0, 0) if key.objectid < U64_MAX else None
