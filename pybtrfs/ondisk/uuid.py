"""The UUID tree's items: from a subvolume's UUID or received UUID to subvolume ids.

A UUID is split over the key: its first 8 bytes, as a little-endian u64, are the objectid, its last 8
the offset. The item is one or more u64 ids: several subvolumes may carry one received UUID.
"""

from typing import NamedTuple

from pybtrfs.ondisk.constants import UUID_KEY_RECEIVED_SUBVOL, UUID_KEY_SUBVOL
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.layout import U64, Fixed, Many

UUID_SIZE = 16
NULL_UUID = bytes(UUID_SIZE)


class SubvolId(NamedTuple):
    """One subvolume that carries the key's UUID."""

    id: U64


SUBVOL_IDS = Many(Fixed(SubvolId, 8))


def uuid_key(uuid: bytes, *, received: bool = False) -> Key:
    """The key of a UUID's item (the kernel's `btrfs_uuid_to_key`)."""
    kind = UUID_KEY_RECEIVED_SUBVOL if received else UUID_KEY_SUBVOL
    return Key(int.from_bytes(uuid[:8], "little"), kind, int.from_bytes(uuid[8:], "little"))


def uuid_of_key(key: Key) -> bytes:
    """The UUID that `key` stands for: the inverse of `uuid_key`."""
    return key.objectid.to_bytes(8, "little") + key.offset.to_bytes(8, "little")


def uuid_text(uuid: bytes) -> str:
    """The canonical form of 16 bytes: 8-4-4-4-12 hexadecimal digits."""
    digits = uuid.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
