"""Keys as text: `key (FS_TREE ROOT_ITEM 0)`.

Object ids with a name are printed by it, except where the type says that the number means something else:
a device, a qgroup, half a UUID. The offset is a plain number, -1 for the greatest, or what the type says.
"""

from collections.abc import Callable

from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.quota import qgroup_name
from pybtrfs.ondisk.registry import ITEM_TYPES

TYPE_NAMES = tuple(ITEM_TYPES[number].name if number in ITEM_TYPES else f"UNKNOWN.{number}" for number in range(256))


def key_text(objectid: int, kind: int, offset: int) -> str:
    """A key in brackets, behind the word `key`."""
    if kind in _SPECIAL:
        return (
            f"key ({objectid_text(objectid, kind)} {type_text(objectid, kind)} {_offset_text(objectid, kind, offset)})"
        )
    first = _NAMES.get(objectid, objectid)
    return f"key ({first} {TYPE_NAMES[kind]} {'-1' if offset == c.U64_MAX else offset})"


def objectid_text(objectid: int, kind: int = 0) -> str:
    """An object id, as it reads in a key of this type; without one, a tree's id."""
    if kind in _OBJECTIDS:
        return _OBJECTIDS[kind](objectid)
    return _NAMES.get(objectid) or str(objectid)


def type_text(objectid: int, kind: int) -> str:
    """The name of an item type; of type 0 where the object id gives it one."""
    if kind == c.UNTYPED_KEY and objectid == c.FREE_SPACE_OBJECTID:
        return "UNTYPED"
    return TYPE_NAMES[kind]


def _offset_text(objectid: int, kind: int, offset: int) -> str:
    if kind in _OFFSETS:
        return _OFFSETS[kind](objectid, offset)
    return "-1" if offset == c.U64_MAX else str(offset)


def _creation_or_source(objectid: int, offset: int) -> str:
    """A ROOT_ITEM's offset: of a relocation tree, the tree that it was made from."""
    return objectid_text(offset) if objectid == c.TREE_RELOC_OBJECTID else str(offset)


def _half_uuid(number: int) -> str:
    return f"0x{number:016x}"


_NAMES = c.OBJECTID_NAMES
_OBJECTIDS: dict[int, Callable[[int], str]] = {
    c.PERSISTENT_ITEM_KEY: lambda number: "DEV_STATS" if number == c.DEV_STATS_OBJECTID else str(number),
    c.DEV_EXTENT_KEY: str,
    c.QGROUP_RELATION_KEY: qgroup_name,
    c.UUID_KEY_SUBVOL: _half_uuid,
    c.UUID_KEY_RECEIVED_SUBVOL: _half_uuid,
    c.DEV_ITEM_KEY: lambda number: "DEV_ITEMS" if number == c.DEV_ITEMS_OBJECTID else objectid_text(number),
    c.CHUNK_ITEM_KEY: lambda number: (
        "FIRST_CHUNK_TREE" if number == c.FIRST_CHUNK_TREE_OBJECTID else objectid_text(number)
    ),
}
_OFFSETS: dict[int, Callable[[int, int], str]] = {
    c.QGROUP_RELATION_KEY: lambda _, offset: qgroup_name(offset),
    c.QGROUP_INFO_KEY: lambda _, offset: qgroup_name(offset),
    c.QGROUP_LIMIT_KEY: lambda _, offset: qgroup_name(offset),
    c.UUID_KEY_SUBVOL: lambda _, offset: _half_uuid(offset),
    c.UUID_KEY_RECEIVED_SUBVOL: lambda _, offset: _half_uuid(offset),
    c.ROOT_ITEM_KEY: _creation_or_source,
}
_SPECIAL = {c.UNTYPED_KEY, *_OBJECTIDS, *_OFFSETS}
