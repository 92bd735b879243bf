"""Columns: fields of on-disk structures as numpy arrays, gathered at any byte positions of a buffer.

A `Batch` is some hundred tree blocks of one level in one buffer. A `Table` is some items of its leaves, or the
records in them: which leaf each row is in, where its structure begins, and any field of it as a column, gathered
when it is first asked for. Nothing here judges; positions that are asked for must lie in the buffer, which has
a margin on both sides so that a structure that is cut off reads as zeros, not as an error.

All numbers are u64. Weights and differences are taken modulo 2^64, as sums of ledgers are.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from pybtrfs.ondisk.header import HEADER, ITEM, KEY_PTR
from pybtrfs.ondisk.layout import Field, Fixed

Array = np.ndarray[Any, Any]
U64 = np.uint64
MARGIN = 512
"""Bytes of zeros before and after the blocks of a batch: more than any structure that is gathered has."""


def gather(buffer: Array, at: Array, dtype: "np.dtype[Any]") -> Array:
    """The values of `dtype` at byte positions `at` of a u1 buffer, at whatever alignment."""
    view = np.ndarray((len(buffer) - dtype.itemsize + 1,), dtype, buffer, strides=(1,))
    return view[at]


def member(values: Array, among: Array) -> Array:
    """Which of `values` are among some numbers that rise."""
    if not len(among):
        return np.zeros(len(values), bool)
    found: Array = among[np.minimum(np.searchsorted(among, values), len(among) - 1)] == values
    return found


def one_of(values: Array, *numbers: int) -> Array:
    """Which of `values` are one of a few numbers."""
    found: Array = np.zeros(len(values), bool)
    for number in numbers:
        found |= values == number
    return found


def distinct(values: Array) -> Array:
    """The different ones among some numbers, rising. (`np.unique` does the same, and first loads masked arrays.)"""
    ordered = np.sort(values)
    found: Array = ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered
    return found


def field_of(layout: Fixed[Any], name: str) -> tuple[int, "np.dtype[Any]"]:
    """Offset in bytes and type of a declared field; dots reach into nested structures."""
    head, _, rest = name.partition(".")
    field: Field = next(field for field in layout.fields if field.name == head)
    if rest and field.layout is not None:
        offset, dtype = field_of(field.layout, rest)
        return field.offset + offset, dtype
    return field.offset, np.dtype({"q": "<i8"}.get(field.code, f"<u{field.size}" if field.size in _WIDTHS else "V"))


_WIDTHS = (1, 2, 4, 8)


class Batch:
    """Tree blocks of one level, in the order of their addresses."""

    def __init__(self, buffer: Array, bytenr: Array, nodesize: int) -> None:
        """`buffer`: the blocks with MARGIN bytes before and behind."""
        self.buffer, self.bytenr, self.nodesize = buffer, bytenr, nodesize
        self.start = MARGIN + np.arange(len(bytenr), dtype=np.int64) * nodesize

    def __len__(self) -> int:
        return len(self.bytenr)

    def header(self, name: str) -> Array:
        """A field of the blocks' headers."""
        offset, dtype = field_of(HEADER, name)
        found = gather(self.buffer, self.start + offset, dtype)
        return found.astype(U64) if found.dtype.kind == "u" else found

    @cached_property
    def nritems(self) -> Array:
        """Items or children of each block, as many as fit where the header lies."""
        fit = (self.nodesize - HEADER.size) // self._entry.size
        return np.minimum(self.header("nritems"), U64(fit)).astype(np.int64)

    @cached_property
    def first(self) -> Array:
        """The first slot of each block that counts."""
        return np.zeros(len(self), np.int64)

    @cached_property
    def block(self) -> Array:
        """Of each entry: the index of its block."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.nritems - self.first)

    @cached_property
    def slot(self) -> Array:
        """Of each entry: its slot."""
        counts = self.nritems - self.first
        before = counts.cumsum() - counts
        return np.arange(len(self.block), dtype=np.int64) - np.repeat(before - self.first, counts)

    def forget(self, *, first: Array | None = None) -> None:
        """Take the buffer as new; `first`: the slots before are not there any more."""
        for name in [name for name in vars(self) if isinstance(getattr(type(self), name, None), cached_property)]:
            del vars(self)[name]
        if first is not None:
            self.first = np.minimum(first, self.nritems)

    @cached_property
    def entry_at(self) -> Array:
        """Of each entry: where its item header or key pointer begins."""
        return self.start[self.block] + HEADER.size + self.slot * self._entry.size

    @property
    def _entry(self) -> Fixed[Any]:
        return ITEM

    @cached_property
    def _entries(self) -> Array:
        """All item headers or key pointers, one after the other: each block's are copied in one piece."""
        size, starts = self._entry.size, self.start + HEADER.size
        spans = zip((starts + self.first * size).tolist(), (starts + self.nritems * size).tolist(), strict=True)
        pieces = [self.buffer[begin:end] for begin, end in spans]
        whole = np.concatenate(pieces) if pieces else self.buffer[:0]
        return whole.view(self._entry.dtype)

    def entry(self, name: str) -> Array:
        """A field of all item headers or key pointers."""
        found = self._entries
        for part in name.split("."):
            found = found[part]
        return found.astype(U64)

    @cached_property
    def objectid(self) -> Array:
        """Of each entry: the key's objectid."""
        return self.entry("key.objectid")

    @cached_property
    def type(self) -> Array:
        """Of each entry: the key's type."""
        return np.ascontiguousarray(self._entries["key"]["type"])

    @cached_property
    def offset(self) -> Array:
        """Of each entry: the key's offset."""
        return self.entry("key.offset")

    def chosen(self, keep: Array) -> "Batch":
        """The batch with the blocks of the mask `keep` alone."""
        if keep.all():
            return self
        blocks = [self.buffer[at : at + self.nodesize] for at in self.start[keep].tolist()]
        margin = np.zeros(MARGIN, np.uint8)
        return type(self)(np.concatenate([margin, *blocks, margin]), self.bytenr[keep], self.nodesize)


class NodeBatch(Batch):
    """Nodes: an entry is a key pointer."""

    @property
    def _entry(self) -> Fixed[Any]:
        return KEY_PTR


class LeafBatch(Batch):
    """Leaves: an entry is an item."""

    @cached_property
    def data_at(self) -> Array:
        """Of each item: where its data begins in the buffer; kept inside the block where the header lies."""
        offset = np.minimum(self.entry("offset"), U64(self.nodesize - HEADER.size)).astype(np.int64)
        return self.start[self.block] + HEADER.size + offset

    @cached_property
    def size(self) -> Array:
        """Of each item: bytes of its data."""
        return np.minimum(self.entry("size"), U64(self.nodesize)).astype(np.int64)

    def items(self, item_type: int, layout: Fixed[Any] | None = None) -> "Table":
        """The items of a type whose data is at least as long as `layout`."""
        rows = np.flatnonzero(self.type == item_type)
        if layout is not None:
            rows = rows[self.size[rows] >= layout.forms[0]]
        return Table(self, rows, self.data_at[rows], layout)


class Table:
    """Rows of one kind. Any field of the layout is a column: `table.nlink`; so are the key and the place."""

    def __init__(self, batch: Any, rows: Array, at: Array, layout: Fixed[Any] | None, **columns: Array) -> None:
        """`rows`: the item of each row, rising; `at`: where its structure begins in the batch's buffer."""
        self.batch, self.rows, self.at, self.layout = batch, rows, at, layout
        self.columns: dict[str, Array] = columns
        self._whole: tuple[Table, Array] | None = None  # the table of which these rows are some, and which

    def __len__(self) -> int:
        return len(self.rows)

    def __getattr__(self, name: str) -> Any:
        found = self.columns.get(name)
        if found is None:
            found = self.columns[name] = self._column(name)
        return found

    def _column(self, name: str) -> Array:
        if self._whole is not None and self._whole[0].has(name):
            whole, chosen = self._whole
            return getattr(whole, name)[chosen]
        place = _PLACES.get(name)
        if place is not None:
            return place(self)
        assert self.layout is not None, f"{name} is a column of the table"
        found = self._structures
        for part in name.split("__"):
            found = found[part]
        return found.astype(U64) if found.dtype.kind == "u" else np.ascontiguousarray(found)

    def has(self, name: str) -> bool:
        """Whether a column is there already, here or in the table of which these are some rows."""
        return name in self.columns or (self._whole is not None and self._whole[0].has(name))

    @cached_property
    def _structures(self) -> Array:
        """The fixed part of each row's structure."""
        assert self.layout is not None, "the table has one"
        return gather(self.batch.buffer, self.at, np.dtype(f"V{self.layout.size}")).view(self.layout.dtype)

    def where(self, mask: Array) -> "Table":
        """The rows of a mask, with the columns that are there already."""
        if mask.all():
            return self
        chosen = np.flatnonzero(mask)
        found = Table(self.batch, self.rows[chosen], self.at[chosen], self.layout)
        found._whole = self, chosen
        return found

    def as_layout(self, layout: Fixed[Any]) -> "Table":
        """The same rows, read as another structure that begins at the same place."""
        found = Table(self.batch, self.rows, self.at, layout)
        found._whole = self, np.arange(len(self.rows))
        return found

    @cached_property
    def bounds(self) -> Array:
        """Where each leaf's rows begin, and where the last one's end."""
        return np.searchsorted(self.leaf, np.arange(len(self.batch) + 1))


_PLACES: dict[str, Callable[[Table], Array]] = {
    "leaf": lambda table: table.batch.block[table.rows],
    "slot": lambda table: table.batch.slot[table.rows],
    "key_objectid": lambda table: table.batch.objectid[table.rows],
    "key_offset": lambda table: table.batch.offset[table.rows],
    "item_size": lambda table: table.batch.size[table.rows].astype(U64),
    "item_end": lambda table: table.batch.data_at[table.rows] + table.batch.size[table.rows],
    "owner": lambda table: table.batch.header("owner")[table.leaf],
}
"""The columns that every table has, whatever its structure."""


def records(table: Table, lengths: Callable[[Array], Array]) -> Table:
    """The structures that follow each other in each item, a row each, in the items' order.

    `lengths(at)` gives the length of the structure at each position. A structure that ends after its item is left
    out, with all behind it.
    """
    rows, at, end = table.rows, table.at, table.item_end
    found_rows, found_at = [], []
    while len(rows):
        fits = at + table.layout.size <= end if table.layout is not None else at < end
        rows, at, end = rows[fits], at[fits], end[fits]
        behind = at + lengths(at)
        fits = behind <= end
        rows, at, end, behind = rows[fits], at[fits], end[fits], behind[fits]
        found_rows.append(rows)
        found_at.append(at)
        more = behind < end
        rows, at, end = rows[more], behind[more], end[more]
    if not found_rows:
        return table
    all_rows, all_at = np.concatenate(found_rows), np.concatenate(found_at)
    if len(found_rows) > 1:
        order = np.argsort(all_rows, kind="stable")
        all_rows, all_at = all_rows[order], all_at[order]
    return Table(table.batch, all_rows, all_at, table.layout)


class Lengths:
    """How long the structures at some positions are: a fixed part, and what its fields say of its tails."""

    def __init__(self, buffer: Array, layout: Fixed[Any], *tails: str) -> None:
        self._buffer, self._layout = buffer, layout
        self._tails = [field_of(layout, name) for name in tails]

    def __call__(self, at: Array) -> Array:
        length = np.full(len(at), self._layout.size, np.int64)
        for offset, dtype in self._tails:
            length += gather(self._buffer, at + offset, dtype).astype(np.int64)
        return length
