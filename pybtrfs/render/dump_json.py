"""A dump of trees as JSON: one document, written a block at a time, so that memory stays small.

The list under `dump-tree` holds an object for each event, of the kind that its field `kind` says: `tree` (where
one begins), `leaf` with items, `node` with key pointers, `backup_roots`, `totals`, `trouble`.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pybtrfs.btree.block import Block, Item
from pybtrfs.errors import CorruptError
from pybtrfs.fs.blockwalk import Trouble
from pybtrfs.fs.dump import Backups, BlockEvent, Event, Totals, TreeBegins
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.csum import csums_end, split_csums
from pybtrfs.ondisk.dir import DirItem
from pybtrfs.ondisk.inode import InodeExtref, InodeRef
from pybtrfs.ondisk.uuid import uuid_text
from pybtrfs.render.json_values import key_json, structure_json
from pybtrfs.render.options import Options
from pybtrfs.render.tree_text import Complain

_Value = dict[str, Any]


def dump_json(events: Iterable[Event], options: Options, complain: Complain) -> Iterator[str]:
    """Pieces of the document's text, one an event. `complain` takes lines about damage, too."""
    yield '{"__header": {"version": "1"}, "dump-tree": ['
    for number, event in enumerate(events):
        if isinstance(event, Trouble):
            complain(event.text)
        yield ",\n" if number else "\n"
        yield json.dumps(_EVENTS[type(event)](event, options))
    yield "\n]}\n"


def _begins(event: TreeBegins, _options: Options) -> _Value:
    key = None if event.key is None else key_json(event.key)
    return {"kind": "tree", "name": event.word, "key": key, "bytenr": event.root.bytenr, "level": event.root.level}


def _block(event: BlockEvent, options: Options) -> _Value:
    block = event.block
    header = structure_json(block.header)
    header["csum"] = header["csum"][: 2 * options.csum_size]
    if not block.is_leaf:
        return {"kind": "node", "header": header, "ptrs": [structure_json(pointer) for pointer in block.key_ptrs]}
    return {"kind": "leaf", "header": header, "items": list(_items(block, options))}


def _items(block: Block, options: Options) -> Iterator[_Value]:
    for item in block.items():
        shown: _Value = {"slot": item.slot, "key": key_json(item.key), "size": len(item.data)}
        try:
            yield shown | _item(item, options)
        except CorruptError as error:
            yield shown | {"error": str(error)}


def _item(item: Item, options: Options) -> _Value:
    if item.key.type == c.EXTENT_CSUM_KEY:
        return _csums(item, options)
    value = item.parse()
    if isinstance(value, bytes):
        return {"data_b64": b64encode(value).decode()} if value else {}
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return {"value": [structure_json(_hidden(one) if options.hide_names else one) for one in value]}
    return {"value": structure_json(value)}


def _csums(item: Item, options: Options) -> _Value:
    end = csums_end(item.data, item.key.offset, options.csum_size, options.sectorsize)
    shown: _Value = {"start": item.key.offset, "end": end}
    if options.csum_items:
        shown["csums"] = [csum.hex() for csum in split_csums(item.data, options.csum_size)]
    return {"value": shown}


def _hidden(value: Any) -> Any:
    if isinstance(value, DirItem):
        return value._replace(name=b"HIDDEN", data=b"HIDDEN" if value.data else b"")
    return value._replace(name=b"HIDDEN") if isinstance(value, InodeRef | InodeExtref) else value


def _backups(event: Backups, _options: Options) -> _Value:
    return {"kind": "backup_roots", "roots": [structure_json(root) for root in event.superblock.super_roots]}


def _totals(event: Totals, _options: Options) -> _Value:
    sb = event.superblock
    return {
        "kind": "totals",
        "total_bytes": sb.total_bytes,
        "bytes_used": sb.bytes_used,
        "uuid": uuid_text(sb.fsid),
    }


def _trouble(event: Trouble, _options: Options) -> _Value:
    return {"kind": "trouble", "text": event.text}


_EVENTS: dict[type, Callable[[Any, Options], _Value]] = {
    TreeBegins: _begins,
    BlockEvent: _block,
    Backups: _backups,
    Totals: _totals,
    Trouble: _trouble,
}
