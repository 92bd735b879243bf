"""Tree blocks as text, line for line what `btrfs inspect-internal dump-tree` of btrfs-progs 7.3 prints.

A block is one string, built with one join: an item costs a few microseconds. Nothing here raises on damage.
What is wrong with a block as a whole goes to `complain`, a line at a time (btrfs-progs print those to standard
error); an item whose bytes do not fit its structure prints a line that says so in its place.
"""

import struct
from collections.abc import Callable

from pybtrfs.btree.block import Block, Item
from pybtrfs.errors import CorruptError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.header import HEADER, ITEM, KEY_PTR, leaf_data_size, max_key_ptrs
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.uuid import uuid_text
from pybtrfs.render.items import ITEM_TEXT
from pybtrfs.render.keys import key_text, objectid_text
from pybtrfs.render.options import Options

Complain = Callable[[str], None]
_FLAGS_MASK = (1 << c.BACKREF_REV_SHIFT) - 1


def block_text(block: Block, options: Options, complain: Complain) -> str:
    """A leaf with its items, or a node with its key pointers: whole lines."""
    return leaf_text(block, options, complain) if block.is_leaf else node_text(block, options, complain)


def leaf_text(block: Block, options: Options, complain: Complain) -> str:
    """A leaf: its header, then each item."""
    data, bytenr, limit = block.data, block.header.bytenr, leaf_data_size(len(block.data))
    parts = [_header_text(block, options)]
    fit = min(block.nritems, limit // ITEM.size)
    heads = ITEM.struct.iter_unpack(data[HEADER.size : HEADER.size + fit * ITEM.size])
    for slot, (objectid, kind, offset, at, size) in enumerate(heads):
        if at + size > limit:
            complain(f"leaf {bytenr} slot {slot} pointer invalid, offset {at} size {size} leaf data limit {limit}")
            complain("skip remaining slots")
            return "".join(parts)
        parts.append(f"\titem {slot} {key_text(objectid, kind, offset)} itemoff {at} itemsize {size}\n")
        text = ITEM_TEXT.get(kind)
        if text is not None:
            start = HEADER.size + at
            item = Item(Key(objectid, kind, offset), data[start : start + size], bytenr, slot)
            try:
                parts.append(text(item, options))
            except (CorruptError, struct.error) as error:
                parts.append(f"\t\tcorrupt item of {size} bytes: {error}\n")
    if fit < block.nritems:
        complain(f"leaf {bytenr}: {block.nritems} items, at most {fit} fit")
    return "".join(parts)


def node_text(block: Block, options: Options, complain: Complain) -> str:
    """A node: its header, then each key pointer."""
    data, limit = block.data, max_key_ptrs(len(block.data))
    if block.nritems > limit:
        complain(f"node nr_items corrupted, has {block.nritems} limit {limit}, continue anyway")
    end = HEADER.size + min(block.nritems, limit) * KEY_PTR.size
    pointers = KEY_PTR.struct.iter_unpack(data[HEADER.size : end])
    lines = (
        f"\t{key_text(objectid, kind, offset)} block {blockptr} gen {generation}\n"
        for objectid, kind, offset, blockptr, generation in pointers
    )
    return _header_text(block, options) + "".join(lines)


def _header_text(block: Block, options: Options) -> str:
    header = block.header
    flags, bytenr = header.flags & _FLAGS_MASK, header.bytenr
    if block.is_leaf:
        first = f"leaf {bytenr} items {header.nritems} free space {_leaf_free_space(block)}"
    else:
        free = (max_key_ptrs(len(block.data)) - header.nritems) % (1 << 32)
        first = f"node {block.bytenr} level {header.level} items {header.nritems} free space {free}"
    csum = f" csum 0x{header.csum[: options.csum_size].hex()}" if options.csum_headers else ""
    return (
        f"{first} generation {header.generation} owner {objectid_text(header.owner)}\n"
        f"{block.kind} {bytenr} flags 0x{flags:x}({'|'.join(c.flag_names(flags, c.HEADER_FLAG_NAMES))}) "
        f"backref revision {header.backref_rev}{csum}\n"
        f"fs uuid {uuid_text(header.fsid)}\n"
        f"chunk uuid {uuid_text(header.chunk_tree_uuid)}\n"
    )


def _leaf_free_space(block: Block) -> int:
    """Bytes between the item headers and the data of the last item, as a C int."""
    nritems, limit = block.nritems, leaf_data_size(len(block.data))
    fit = min(nritems, limit // ITEM.size)
    used = 0
    if fit:
        first = ITEM.struct.unpack_from(block.data, HEADER.size)
        last = ITEM.struct.unpack_from(block.data, HEADER.size + (fit - 1) * ITEM.size)
        used = first[3] + first[4] - last[3] + nritems * ITEM.size
    return (limit - used + (1 << 31)) % (1 << 32) - (1 << 31)
