"""Structures as JSON values: what `--format json` shows.

Numbers stay numbers, UUIDs are canonical strings, times ISO 8601 in UTC with nanoseconds. Bytes that are UTF-8
are a string; others are shown escaped, with the bytes themselves beside in a field `NAME_b64`. Fields of flags
have the names of the set bits beside in `NAME_names`. Reserved bytes are left out where they are zero.
"""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

from pybtrfs.checksum import CSUM_TYPES, block_digest
from pybtrfs.errors import CorruptError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import BlockGroupItem, Chunk
from pybtrfs.ondisk.extent import ExtentItem
from pybtrfs.ondisk.file_extent import InlineExtent
from pybtrfs.ondisk.header import Header
from pybtrfs.ondisk.inode import InodeItem, Timespec
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.quota import QgroupStatus
from pybtrfs.ondisk.registry import find_item_type
from pybtrfs.ondisk.superblock import SUPERBLOCK, Superblock
from pybtrfs.ondisk.uuid import uuid_text
from pybtrfs.volume.profiles import PROFILES

_UUID_FIELDS = ("uuid", "fsid", "_uuid", "_fsid")
_FILLERS = ("reserved", "unused_64", "unused_8", "unused", "padding")
_BLOCK_GROUP_NAMES = c.BLOCK_GROUP_TYPE_NAMES | {profile.flag: profile.name for profile in PROFILES if profile.flag}
_FLAGS: dict[tuple[type, str], dict[int, str]] = {
    (Superblock, "flags"): c.SUPER_FLAG_NAMES,
    (Superblock, "compat_ro_flags"): c.COMPAT_RO_NAMES,
    (Superblock, "incompat_flags"): c.INCOMPAT_NAMES,
    (Header, "flags"): c.HEADER_FLAG_NAMES,
    (InodeItem, "flags"): c.INODE_FLAG_NAMES,
    (Chunk, "type"): _BLOCK_GROUP_NAMES,
    (BlockGroupItem, "flags"): _BLOCK_GROUP_NAMES,
    (ExtentItem, "flags"): c.EXTENT_FLAG_NAMES,
    (QgroupStatus, "flags"): {c.QGROUP_STATUS_FLAG_ON: "ON"} | c.QGROUP_STATUS_FLAG_NAMES,
}


def structure_json(value: Any) -> dict[str, Any]:
    """A structure of the format, field by field."""
    shown: dict[str, Any] = {}
    for name in value._fields:
        shown |= _field_json(value, name, getattr(value, name))
    return shown


def key_json(key: Key) -> dict[str, Any]:
    """A key, with the names of its type and of a reserved object id."""
    row, name = find_item_type(key), c.OBJECTID_NAMES.get(key.objectid)
    return {
        "objectid": key.objectid,
        "type": key.type,
        "offset": key.offset,
        "type_name": row.name if row else None,
        **({"objectid_name": name} if name and key.objectid > c.LAST_FREE_OBJECTID else {}),
    }


def superblock_json(raw: bytes, *, full: bool) -> dict[str, Any]:
    """A copy of the superblock with the verdict on its checksum; with `full` system chunks and backup roots."""
    superblock = SUPERBLOCK.unpack_from(raw)
    shown = structure_json(superblock)
    csum_type = CSUM_TYPES.get(superblock.csum_type)
    size = csum_type.size if csum_type else len(superblock.csum)
    shown["csum"] = superblock.csum[:size].hex()
    shown["csum_type_name"] = csum_type.name if csum_type else None
    shown["csum_matches"] = csum_type is not None and superblock.csum[:size] == block_digest(csum_type, raw)
    shown |= bytes_field("label", superblock.label_bytes) | bytes_field("magic", superblock.magic)
    for name in ("sys_chunk_array", "sys_chunk_array_b64", *(() if full else ("super_roots",))):
        shown.pop(name, None)
    if full:
        shown["sys_chunk_array"] = _system_chunks(superblock)
    return shown


def bytes_field(name: str, value: bytes) -> dict[str, str]:
    """A field that holds text: with a second one beside it where the bytes are not UTF-8."""
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {name: value.decode(errors="backslashreplace"), f"{name}_b64": b64encode(value).decode()}


def timespec_text(time: Timespec) -> str:
    """ISO 8601 in UTC with nanoseconds; seconds since 1970 behind an @ where the year has no four digits."""
    try:
        at = datetime.fromtimestamp(time.sec, UTC)
    except (OverflowError, ValueError, OSError):
        return f"@{time.sec}.{time.nsec:09}"
    return f"{at:%Y-%m-%dT%H:%M:%S}.{time.nsec:09}Z"


def _field_json(owner: Any, name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, int):
        names = _FLAGS.get((type(owner), name))
        return {name: value} if names is None else {name: value, f"{name}_names": c.flag_names(value, names)}
    if isinstance(value, bytes):
        return _bytes_json(owner, name, value)
    return {name: _nested_json(value)}


def _bytes_json(owner: Any, name: str, value: bytes) -> dict[str, Any]:
    if len(value) == 16 and name.endswith(_UUID_FIELDS):
        return {name: uuid_text(value)}
    if name in _FILLERS:
        return {f"{name}_b64": b64encode(value).decode()} if any(value) else {}
    if isinstance(owner, InlineExtent):
        return {"data_size": len(value)}
    return {name: value.hex()} if name == "csum" else bytes_field(name, value)


def _nested_json(value: Any) -> Any:
    if isinstance(value, Key):
        return key_json(value)
    if isinstance(value, Timespec):
        return timespec_text(value)
    if hasattr(value, "_fields"):
        return structure_json(value)
    return [_nested_json(one) for one in value] if isinstance(value, tuple) else value


def _system_chunks(superblock: Superblock) -> list[dict[str, Any]]:
    shown = []
    try:
        for key, chunk in superblock.system_chunks():
            shown.append({"key": key_json(key), **structure_json(chunk)})
    except CorruptError as error:
        shown.append({"error": str(error)})
    return shown
