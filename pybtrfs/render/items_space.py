"""Items about space as text: extents and who refers to them, chunks, devices, free space, checksums."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pybtrfs.btree.block import Item
from pybtrfs.checksum import extent_data_ref_hash
from pybtrfs.errors import CorruptError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import BLOCK_GROUP_ITEM, CHUNK, DEV_EXTENT, DEV_ITEM, RAID_STRIDE, Chunk
from pybtrfs.ondisk.csum import csums_end, split_csums
from pybtrfs.ondisk.extent import (
    EXTENT_DATA_REF,
    EXTENT_HEAD,
    EXTENT_OWNER_REF,
    INLINE_REFS,
    SHARED_DATA_REF,
    TREE_BLOCK_INFO,
)
from pybtrfs.ondisk.free_space import FREE_SPACE_INFO
from pybtrfs.ondisk.uuid import uuid_text
from pybtrfs.render.keys import key_text, objectid_text
from pybtrfs.render.options import Options
from pybtrfs.volume.profiles import PROFILES, SINGLE

_CSUM_LINE = 32
"""A line of checksums is as long as one of 32 bytes needs: 1 of those, 2 of 8 bytes, 4 of 4."""


@lru_cache(maxsize=64)
def block_group_flags(flags: int) -> str:
    """The type and profile of a block group, such as METADATA|DUP."""
    types = "|".join(c.flag_names(flags, c.BLOCK_GROUP_TYPE_NAMES))
    profile = next((profile for profile in PROFILES if flags & profile.flag), SINGLE)
    return f"{types}|{profile.name}"


# -- extents -----------------------------------------------------------------------------------------


def extent_item(item: Item, options: Options) -> str:
    """EXTENT_ITEM with its inline refs."""
    flags = EXTENT_HEAD.struct.unpack_from(item.data)[2] if len(item.data) >= EXTENT_HEAD.size else 0
    if not flags & c.EXTENT_FLAG_TREE_BLOCK:
        return _extent(item.data, "", EXTENT_HEAD.size)
    key, level = TREE_BLOCK_INFO.unpack_from(item.data, EXTENT_HEAD.size)
    return _extent(
        item.data, f"\t\ttree block {key_text(*key)} level {level}\n", EXTENT_HEAD.size + TREE_BLOCK_INFO.size
    )


def metadata_item(item: Item, _: Options) -> str:
    """METADATA_ITEM with its inline refs."""
    level = (item.key.offset + (1 << 31)) % (1 << 32) - (1 << 31)
    return _extent(item.data, f"\t\ttree block skinny level {level}\n", EXTENT_HEAD.size)


def _extent(data: bytes, about: str, at: int) -> str:
    if len(data) < EXTENT_HEAD.size:
        return ""
    refs, generation, flags = EXTENT_HEAD.struct.unpack_from(data)
    text = f"\t\trefs {refs} gen {generation} flags {_extent_flags(flags)}\n{about}"
    while at < len(data):
        kind = data[at]
        row = _INLINE_REFS.get(kind)
        if row is None:
            raise CorruptError(f"inline ref of unknown type {kind} at byte {at}")
        layout, describe = row
        text += describe(*layout.struct.unpack_from(data, at))
        at += layout.size
    return text


@lru_cache(maxsize=16)
def _extent_flags(flags: int) -> str:
    names = "|".join(c.flag_names(flags & ~c.BLOCK_FLAG_FULL_BACKREF, c.EXTENT_FLAG_NAMES))
    return f"{names}|FULL_BACKREF" if flags & c.BLOCK_FLAG_FULL_BACKREF else names


def _inline_tree_block(kind: int, root: int) -> str:
    return f"\t\t({kind} 0x{root:x}) tree block backref root {objectid_text(root)}\n"


def _inline_shared_block(kind: int, parent: int) -> str:
    return f"\t\t({kind} 0x{parent:x}) shared block backref parent {parent}\n"


def _inline_data(kind: int, root: int, objectid: int, offset: int, count: int) -> str:
    return (
        f"\t\t({kind} 0x{extent_data_ref_hash(root, objectid, offset):x}) extent data backref root "
        f"{objectid_text(root)} objectid {objectid} offset {offset} count {count}\n"
    )


def _inline_shared_data(kind: int, parent: int, count: int) -> str:
    return f"\t\t({kind} 0x{parent:x}) shared data backref parent {parent} count {count}\n"


def _inline_owner(kind: int, root: int) -> str:
    return f"\t\t({kind} 0x{root:x}) extent owner root {root}\n"


_INLINE_REFS: dict[int, tuple[Any, Callable[..., str]]] = {
    kind: (INLINE_REFS[kind], describe)
    for kind, describe in (
        (c.TREE_BLOCK_REF_KEY, _inline_tree_block),
        (c.SHARED_BLOCK_REF_KEY, _inline_shared_block),
        (c.EXTENT_DATA_REF_KEY, _inline_data),
        (c.SHARED_DATA_REF_KEY, _inline_shared_data),
        (c.EXTENT_OWNER_REF_KEY, _inline_owner),
    )
}


def extent_data_ref(item: Item, _: Options) -> str:
    """A keyed EXTENT_DATA_REF."""
    root, objectid, offset, count = EXTENT_DATA_REF.unpack_from(item.data)
    return f"\t\textent data backref root {objectid_text(root)} objectid {objectid} offset {offset} count {count}\n"


def shared_data_ref(item: Item, _: Options) -> str:
    """A keyed SHARED_DATA_REF."""
    return f"\t\tshared data backref count {SHARED_DATA_REF.unpack_from(item.data).ref_count}\n"


def extent_owner_ref(item: Item, _: Options) -> str:
    """A keyed EXTENT_OWNER_REF."""
    return f"\t\textent owner root {EXTENT_OWNER_REF.unpack_from(item.data).root_id}\n"


def extent_csum(item: Item, options: Options) -> str:
    """The range that the checksums cover and, if asked for, each of them."""
    data, size, start = item.data, options.csum_size, item.key.offset
    end = csums_end(data, start, size, options.sectorsize)
    text = f"\t\trange start {start} end {end & c.U64_MAX} length {end - start}\n"
    if not options.csum_items:
        return text
    whole = data[: len(data) // size * size]
    sums = [
        f"[{start + index * options.sectorsize & c.U64_MAX}] 0x{csum.hex()}"
        for index, csum in enumerate(split_csums(whole, size))
    ]
    in_line = max(1, _CSUM_LINE // size // 2)
    lines = [" ".join(sums[at : at + in_line]) for at in range(0, len(sums), in_line)]
    return text + "".join(f"\t\t{line}\n" for line in lines) if lines else f"{text}\n"


# -- chunks and devices ------------------------------------------------------------------------------


def chunk_item(item: Item, _: Options) -> str:
    """CHUNK_ITEM with its stripes."""
    return chunk_text(CHUNK.read(item.data, 0, len(item.data))[0])


def chunk_text(chunk: Chunk) -> str:
    """A chunk with its stripes, of the chunk tree or of the superblock."""
    stripes = "".join(
        f"\t\t\tstripe {number} devid {stripe.devid} offset {stripe.offset}\n"
        f"\t\t\tdev_uuid {uuid_text(stripe.dev_uuid)}\n"
        for number, stripe in enumerate(chunk.stripes)
    )
    return (
        f"\t\tlength {chunk.length} owner {chunk.owner} stripe_len {chunk.stripe_len} "
        f"type {block_group_flags(chunk.type)}\n"
        f"\t\tio_align {chunk.io_align} io_width {chunk.io_width} sector_size {chunk.sector_size}\n"
        f"\t\tnum_stripes {chunk.num_stripes} sub_stripes {chunk.sub_stripes}\n{stripes}"
    )


def dev_item(item: Item, _: Options) -> str:
    """What DEV_ITEM says of a device."""
    dev = DEV_ITEM.unpack_from(item.data)
    return (
        f"\t\tdevid {dev.devid} total_bytes {dev.total_bytes} bytes_used {dev.bytes_used}\n"
        f"\t\tio_align {dev.io_align} io_width {dev.io_width} sector_size {dev.sector_size} type {dev.type}\n"
        f"\t\tgeneration {dev.generation} start_offset {dev.start_offset} dev_group {dev.dev_group}\n"
        f"\t\tseek_speed {dev.seek_speed} bandwidth {dev.bandwidth}\n"
        f"\t\tuuid {uuid_text(dev.uuid)}\n"
        f"\t\tfsid {uuid_text(dev.fsid)}\n"
    )


def dev_extent(item: Item, _: Options) -> str:
    """Which chunk a device extent belongs to."""
    extent = DEV_EXTENT.unpack_from(item.data)
    return (
        f"\t\tdev extent chunk_tree {extent.chunk_tree}\n"
        f"\t\tchunk_objectid {extent.chunk_objectid} chunk_offset {extent.chunk_offset} length {extent.length}\n"
        f"\t\tchunk_tree_uuid {uuid_text(extent.chunk_tree_uuid)}\n"
    )


def block_group_item(item: Item, _: Options) -> str:
    """How full a block group is."""
    used, chunk_objectid, flags = BLOCK_GROUP_ITEM.unpack_from(item.data)
    return f"\t\tblock group used {used} chunk_objectid {chunk_objectid} flags {block_group_flags(flags)}\n"


def raid_stripe(item: Item, _: Options) -> str:
    """Where on devices an extent is."""
    whole = item.data[: len(item.data) // RAID_STRIDE.size * RAID_STRIDE.size]
    return "".join(
        f"\t\t\tstripe {number} devid {devid} physical {physical}\n"
        for number, (devid, physical) in enumerate(RAID_STRIDE.iter_unpack(whole))
    )


def remap(item: Item, _: Options) -> str:
    """The address that an extent moved to."""
    if len(item.data) < 8:
        raise CorruptError(f"REMAP has {len(item.data)} bytes, expected 8")
    return f"\t\taddress {int.from_bytes(item.data[:8], 'little')}\n"


def free_space_info(item: Item, _: Options) -> str:
    """How a block group's free space is described."""
    count, flags = FREE_SPACE_INFO.unpack_from(item.data)
    return f"\t\tfree space info extent count {count} flags {flags}\n"
