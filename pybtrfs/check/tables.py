"""The tables that rules speak of: items of some leaves as columns, by what they are.

`Tables` is what a rule is handed: `t.inode`, `t.ref`, `t.dir_index`, … are made from a batch of leaves when a rule
first asks for them, and shared by all rules. `t.about` is what the whole run knows (see `context`).
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pybtrfs.check.backrefs import backrefs, extent_items, inline_refs
from pybtrfs.check.columns import U64, Array, Batch, LeafBatch, Lengths, NodeBatch, Table, distinct, member, records
from pybtrfs.check.names import crcs, hashes
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.dir import DIR_ITEM
from pybtrfs.ondisk.file_extent import FILE_EXTENT, INLINE_EXTENT
from pybtrfs.ondisk.inode import INODE_EXTREF, INODE_ITEM, INODE_REF
from pybtrfs.ondisk.layout import Fixed

if TYPE_CHECKING:
    from pybtrfs.check.context import About

_NAME_SEED = 0xFFFFFFFE


class Tables:
    """The tables of one batch of leaves. `number` is each leaf's number in its forest."""

    def __init__(self, batch: LeafBatch, number: Array, about: "About", *, shared: bool) -> None:
        """`shared`: the leaves are of trees that share blocks, so that some are referred from by block."""
        self.batch, self.number, self.about, self.shared = batch, number, about, shared

    @cached_property
    def reference(self) -> Table:
        """References to extents from these blocks: `bytenr kind a b c length`, as `backref` names them."""
        used = self.regular.where(self.regular.disk_bytenr != U64(0))
        by_block = self.referred_by_block[used.leaf]
        zero = U64(0)
        used.columns |= {
            "bytenr": used.disk_bytenr,
            "kind": np.where(by_block, U64(c.SHARED_DATA_REF_KEY), U64(c.EXTENT_DATA_REF_KEY)),
            "a": np.where(by_block, self.batch.bytenr[used.leaf], used.owner),
            "b": np.where(by_block, zero, used.ino),
            "c": np.where(by_block, zero, used.start - used.offset),
            "length": used.disk_num_bytes,
        }
        return used

    @cached_property
    def backref(self) -> Table:
        """Backrefs in the extent tree, inline and keyed: `bytenr kind a b c count`."""
        return backrefs(self.batch, self.inline_ref)

    @cached_property
    def inline_ref(self) -> Table:
        """Backrefs inside extent items, as they stand: `kind offset`."""
        return inline_refs(self.batch, self.extent_item)

    @cached_property
    def block(self) -> Table:
        """The blocks of the batch themselves: `bytenr level generation flags`."""
        return _blocks(self.batch)

    @cached_property
    def extent_item(self) -> Table:
        """Extent items of both forms: `bytenr length level`, the fields, `is_skinny`."""
        return extent_items(self.batch)

    @cached_property
    def referred_by_block(self) -> Array:
        """Of each block of the batch: whether what it refers to knows it by its address, not by its owner."""
        if not self.shared:
            return np.zeros(len(self.batch), bool)
        return member(self.batch.bytenr, self.about.full_backref)

    @cached_property
    def inode(self) -> Table:
        """INODE_ITEMs: `ino`, the fields, and what the mode says."""
        table = self.batch.items(c.INODE_ITEM_KEY, INODE_ITEM)
        table.columns["ino"] = table.key_objectid
        table.columns["kind"] = table.mode >> U64(12)
        table.columns["is_dir"] = table.kind == U64(4)
        return table

    @cached_property
    def ref(self) -> Table:
        """Names of inodes, from INODE_REF and INODE_EXTREF: `ino dir index name name_len`."""
        table = self._named(c.INODE_REF_KEY, INODE_REF, "name_len")
        table.columns |= {"ino": table.key_objectid, "dir": table.key_offset, "index": table.dir_index}
        more = self.extref
        return table if not len(more) else _merged(table, more, ("ino", "dir", "index", "name", "name_len"))

    @cached_property
    def extref(self) -> Table:
        """INODE_EXTREF alone: `ino dir index name name_len`."""
        more = self._named(c.INODE_EXTREF_KEY, INODE_EXTREF, "name_len")
        more.columns |= {"ino": more.key_objectid, "dir": more.parent_objectid, "index": more.dir_index}
        return more

    @cached_property
    def dir_item(self) -> Table:
        """Entries by hash: `dir child ctype name name_len type hash crc`."""
        return self._entries(c.DIR_ITEM_KEY)

    @cached_property
    def dir_index(self) -> Table:
        """Entries by index: `dir index child ctype name name_len type`."""
        table = self._entries(c.DIR_INDEX_KEY)
        table.columns["index"] = table.key_offset
        return table

    @cached_property
    def xattr(self) -> Table:
        """Extended attributes: `ino name name_len data_len hash crc`."""
        table = self._named(c.XATTR_ITEM_KEY, DIR_ITEM, "name_len", "data_len")
        table.columns |= {"ino": table.key_objectid, "hash": table.key_offset}
        return table

    @cached_property
    def extent(self) -> Table:
        """EXTENT_DATA of both kinds: `ino start`, the fields that both have, `is_inline`, `end`."""
        table = self.batch.items(c.EXTENT_DATA_KEY, INLINE_EXTENT)
        table.columns |= {"ino": table.key_objectid, "start": table.key_offset}
        table.columns["is_inline"] = table.type == U64(c.FILE_EXTENT_INLINE)
        return table

    @cached_property
    def regular(self) -> Table:
        """File extents that are not inline: `disk_bytenr disk_num_bytes offset num_bytes`, `end`."""
        found = self.extent.where(~self.extent.is_inline)
        long_enough = found.where(found.item_size >= U64(FILE_EXTENT.size))
        table = long_enough.as_layout(FILE_EXTENT)
        table.columns["end"] = table.start + table.num_bytes
        return table

    @cached_property
    def inline(self) -> Table:
        """File extents whose bytes are in the item: `data_len`."""
        table = self.extent.where(self.extent.is_inline)
        table.columns["data_len"] = table.item_size - U64(INLINE_EXTENT.size)
        return table

    @cached_property
    def orphan(self) -> Table:
        """ORPHAN_ITEMs: `ino`."""
        table = self.batch.items(c.ORPHAN_ITEM_KEY)
        table.columns["ino"] = table.key_offset
        return table

    def crc_of(self, table: Table, seeds: Array | None = None) -> Array:
        """The crc32c of each row's name under the directory's seed, or under each row's own."""
        at, length = table.name_at, table.name_len.astype(np.int64)
        if seeds is None:
            return crcs(self.batch.buffer, at, length, _NAME_SEED)
        found = np.zeros(len(table), U64)
        for seed in distinct(seeds).tolist():
            rows = seeds == seed
            found[rows] = crcs(self.batch.buffer, at[rows], length[rows], int(seed))
        return found

    def _entries(self, item_type: int) -> Table:
        table = self._named(item_type, DIR_ITEM, "name_len", "data_len")
        table.columns |= {
            "dir": table.key_objectid,
            "hash": table.key_offset,
            "child": table.location__objectid,
            "ctype": table.location__type,
        }
        return table

    def _named(self, item_type: int, layout: Fixed[Any], *tails: str) -> Table:
        """Records that hold a name, the first tail being its length: `name` is a hash of it."""
        found = records(self.batch.items(item_type, layout), Lengths(self.batch.buffer, layout, *tails))
        found = found.where(found.name_len <= U64(c.NAME_MAX))
        found.columns["name_at"] = found.at + layout.size
        length = found.name_len.astype(np.int64)
        found.columns["name"] = hashes(self.batch.buffer, found.name_at, length, self.about.multipliers.values)
        return found


def _merged(one: Table, other: Table, columns: tuple[str, ...]) -> Table:
    """The rows of both tables, in the order of the items, with the columns that they share."""
    rows = np.concatenate([one.rows, other.rows])
    order = np.argsort(rows, kind="stable")
    both = {name: np.concatenate([getattr(one, name), getattr(other, name)])[order] for name in (*columns, "name_at")}
    return Table(one.batch, rows[order], np.concatenate([one.at, other.at])[order], None, **both)


def _blocks(batch: Batch) -> Table:
    numbers = np.arange(len(batch))
    fields = {name: batch.header(name) for name in ("level", "generation", "flags")}
    return Table(batch, numbers, batch.start, None, leaf=numbers, slot=0 * numbers, bytenr=batch.bytenr, **fields)


class NodeTables(Tables):
    """The tables of a batch of nodes: only what refers to extents."""

    def __init__(self, batch: NodeBatch, about: "About", *, shared: bool) -> None:
        super().__init__(batch, np.zeros(0, np.int64), about, shared=shared)  # type: ignore[arg-type]

    @cached_property
    def reference(self) -> Table:
        """The key pointers: references to tree blocks."""
        entries = np.arange(len(self.batch.block))
        table = Table(self.batch, entries, self.batch.entry_at, None)
        by_block = self.referred_by_block[table.leaf]
        none = np.zeros(len(entries), U64)
        table.columns |= {
            "bytenr": self.batch.entry("blockptr"),
            "kind": np.where(by_block, U64(c.SHARED_BLOCK_REF_KEY), U64(c.TREE_BLOCK_REF_KEY)),
            "a": np.where(by_block, self.batch.bytenr[table.leaf], table.owner),
            "b": none,
            "c": none,
            "length": none + U64(self.about.nodesize),
        }
        return table

    @cached_property
    def backref(self) -> Table:
        """None: nodes hold no items."""
        return self.extent_item

    @cached_property
    def extent_item(self) -> Table:
        """None: nodes hold no items."""
        empty, none = np.zeros(0, np.int64), np.zeros(0, U64)
        names = ("bytenr", "kind", "a", "b", "c", "count", "length", "refs", "flags", "level", "generation")
        return Table(self.batch, empty, empty, None, **dict.fromkeys(names, none))
