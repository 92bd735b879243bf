"""Extent items and backrefs as columns: inline ones, which follow each other in an item, and keyed ones.

A backref is (bytenr, kind, a, b, c) with a count: of TREE_BLOCK_REF `a` is the tree, of SHARED_BLOCK_REF the node,
of SHARED_DATA_REF the leaf; of EXTENT_DATA_REF `a b c` are tree, inode, and file offset less offset in the extent.
"""

from typing import Any

import numpy as np

from pybtrfs.check.columns import U64, Array, LeafBatch, Table, field_of, gather, records
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.extent import (
    EXTENT_DATA_REF,
    EXTENT_HEAD,
    INLINE_EXTENT_DATA_REF,
    INLINE_REF,
    INLINE_REFS,
    INLINE_SHARED_DATA_REF,
    SHARED_DATA_REF,
    TREE_BLOCK_INFO,
)
from pybtrfs.ondisk.layout import Fixed

_COLUMNS = ("bytenr", "kind", "a", "b", "c", "count")
_LENGTHS = np.zeros(256, np.int64)
_LENGTHS[list(INLINE_REFS)] = [layout.size for layout in INLINE_REFS.values()]
_BEYOND = 1 << 20  # a length with which a record of unknown type ends after every item


def extent_items(batch: LeafBatch) -> Table:
    """EXTENT_ITEM and METADATA_ITEM: `bytenr length level`, the fields of the head, `is_skinny`."""
    rows = np.flatnonzero((batch.type == c.EXTENT_ITEM_KEY) | (batch.type == c.METADATA_ITEM_KEY))
    rows = rows[batch.size[rows] >= EXTENT_HEAD.size]
    table = Table(batch, rows, batch.data_at[rows], EXTENT_HEAD)
    skinny = batch.type[rows] == c.METADATA_ITEM_KEY
    level_at = EXTENT_HEAD.size + TREE_BLOCK_INFO.offset_of("level")
    fat = ~skinny & ((table.flags & U64(c.EXTENT_FLAG_TREE_BLOCK)) != U64(0))
    level = gather(batch.buffer, table.at + level_at, np.dtype("u1")).astype(U64)
    table.columns |= {
        "bytenr": table.key_objectid,
        "length": np.where(skinny, U64(batch.nodesize), table.key_offset),
        "level": np.where(skinny, table.key_offset, np.where(fat, level, U64(0))),
        "is_skinny": skinny,
        "inline_at": table.at + EXTENT_HEAD.size + np.where(fat, TREE_BLOCK_INFO.size, 0),
    }
    return table


def inline_refs(batch: LeafBatch, items: Table) -> Table:
    """The inline backrefs of extent items, those of unknown type left out with all behind them: `kind offset`."""
    heads = Table(batch, items.rows, items.inline_at, None)
    found = records(heads, lambda at: _length_of(batch.buffer, at))
    for name, (offset, dtype) in (("kind", (0, np.dtype("u1"))), ("offset", field_of(INLINE_REF, "offset"))):
        found.columns[name] = gather(batch.buffer, found.at + offset, dtype).astype(U64)
    return found


def backrefs(batch: LeafBatch, inline: Table) -> Table:
    """All backrefs of some leaves of the extent tree, in the items' order."""
    kind = inline.kind
    parts = [
        _part(batch, inline.rows[kind == number], inline.at[kind == number], number, layout, first)
        for number, layout, first in (
            (c.TREE_BLOCK_REF_KEY, INLINE_REF, "offset"),
            (c.SHARED_BLOCK_REF_KEY, INLINE_REF, "offset"),
            (c.SHARED_DATA_REF_KEY, INLINE_SHARED_DATA_REF, "offset"),
            (c.EXTENT_DATA_REF_KEY, INLINE_EXTENT_DATA_REF, "root"),
        )
    ]
    for number, keyed, first in (
        (c.TREE_BLOCK_REF_KEY, None, ""),
        (c.SHARED_BLOCK_REF_KEY, None, ""),
        (c.SHARED_DATA_REF_KEY, SHARED_DATA_REF, ""),
        (c.EXTENT_DATA_REF_KEY, EXTENT_DATA_REF, "root"),
    ):
        found = batch.items(number, keyed)
        parts.append(_part(batch, found.rows, found.at, number, keyed, first))
    rows = np.concatenate([part["rows"] for part in parts])
    order = np.argsort(rows, kind="stable")
    columns = {name: np.concatenate([part[name] for part in parts])[order] for name in _COLUMNS}
    return Table(batch, rows[order], batch.data_at[rows[order]], None, **columns)


def _part(
    batch: LeafBatch, rows: Array, at: Array, kind: int, layout: Fixed[Any] | None, first: str
) -> dict[str, Array]:
    """Backrefs of one form; `first` is the field that is `a`, the key's offset where it has none."""
    none = np.zeros(len(rows), U64)

    def field(name: str) -> Array:
        assert layout is not None, "there are fields"
        offset, dtype = field_of(layout, name)
        return gather(batch.buffer, at + offset, dtype).astype(U64)

    of_file = kind == c.EXTENT_DATA_REF_KEY
    counted = kind in (c.EXTENT_DATA_REF_KEY, c.SHARED_DATA_REF_KEY)
    return {
        "rows": rows,
        "bytenr": batch.objectid[rows],
        "kind": none + U64(kind),
        "a": field(first) if first else batch.offset[rows],
        "b": field("objectid") if of_file else none,
        "c": field("offset") if of_file else none,
        "count": field("ref_count") if counted else none + U64(1),
    }


def _length_of(buffer: Array, at: Array) -> Array:
    found = _LENGTHS[gather(buffer, at, np.dtype("u1"))]
    return np.where(found == 0, _BEYOND, found)
