"""A view of one tree block. It never changes; building and editing are other rooms' work.

A leaf's items are reached by slot: the key, where its data lies, the data. A node's key pointers likewise.
The bytes are taken as they are; whether they can be trusted is for `btree.check` to say.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pybtrfs.errors import CorruptError
from pybtrfs.ondisk.header import HEADER, ITEM, KEY_PTR, Header, KeyPtr
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.layout import Codec, maker

if TYPE_CHECKING:
    import numpy as np

    from pybtrfs.ondisk.registry import ItemType

T = TypeVar("T")

_FEW = 4  # items that are sooner made one by one
_KEY = maker(Key)
_KEY_FIELDS = [f"key.{name}" for name in Key._fields]


class Item(NamedTuple):
    """One item of a leaf: its key, its bytes, and where it stands."""

    key: Key
    data: bytes
    bytenr: int  # of the leaf
    slot: int

    @property
    def item_type(self) -> "ItemType | None":
        """The registry's row for it; None for a type that the format does not have."""
        from pybtrfs.ondisk.registry import find_item_type  # noqa: PLC0415  start-up: it imports all of ondisk

        return find_item_type(self.key)

    def parse(self) -> Any:
        """The structure in its data; raw bytes for an unknown type; `CorruptError` names the place."""
        row = self.item_type
        return self.data if row is None else self.read(row.codec)

    def read(self, codec: Codec[T]) -> T:
        """The structure in its data, by a codec that the caller knows; `CorruptError` names the place."""
        try:
            return codec.parse(self.data)
        except CorruptError as error:
            raise CorruptError(f"leaf {self.bytenr} slot {self.slot}: {error}") from None


class Block:
    """A tree block as it was read: `data` is all of it, `bytenr` where it was asked for."""

    __slots__ = ("__dict__", "bytenr", "data", "header")

    def __init__(self, data: bytes, bytenr: int) -> None:
        self.data, self.bytenr = data, bytenr
        self.header: Header = HEADER.unpack_from(data)

    @property
    def level(self) -> int:
        return self.header.level

    @property
    def is_leaf(self) -> bool:
        return self.header.level == 0

    @property
    def nritems(self) -> int:
        return self.header.nritems

    @property
    def kind(self) -> str:
        return "leaf" if self.is_leaf else "node"

    @cached_property
    def _entries(self) -> list[int]:
        """All fields of the item headers or key pointers, flat; as many entries as fit where nritems lies."""
        layout = ITEM if self.is_leaf else KEY_PTR
        fit = min(self.nritems, (len(self.data) - HEADER.size) // layout.size)
        return layout.unpack_many(self.data, HEADER.size, fit)

    @cached_property
    def key_tuples(self) -> list[tuple[int, int, int]]:
        """The keys as plain tuples, which compare as keys do and cost a fifth."""
        layout, flat = (ITEM if self.is_leaf else KEY_PTR), self._entries
        return list(zip(*(layout.pick(flat, name) for name in _KEY_FIELDS), strict=True))

    @cached_property
    def keys(self) -> list[Key]:
        """The keys of a leaf's items or of a node's children, in slot order."""
        return list(map(_KEY, self.key_tuples))

    @cached_property
    def offsets(self) -> Sequence[int]:
        """Of a leaf: where each item's data begins, from the end of the block header."""
        return ITEM.pick(self._entries, "offset")

    @cached_property
    def sizes(self) -> Sequence[int]:
        """Of a leaf: how many bytes of data each item has."""
        return ITEM.pick(self._entries, "size")

    @cached_property
    def key_ptrs(self) -> list[KeyPtr]:
        """Of a node: all key pointers."""
        fields = (KEY_PTR.pick(self._entries, name) for name in ("blockptr", "generation"))
        return list(map(KeyPtr, self.keys, *fields))

    def item(self, slot: int) -> Item:
        start = HEADER.size + self.offsets[slot]
        return Item(self.keys[slot], self.data[start : start + self.sizes[slot]], self.bytenr, slot)

    def items(self, first: int = 0, stop: int | None = None) -> Iterator[Item]:
        """The items of a leaf from slot `first` up to, but without, slot `stop`."""
        if stop is not None and stop - first < _FEW:
            return map(self.item, range(first, stop))
        return self._items(first, stop)

    def _items(self, first: int, stop: int | None) -> Iterator[Item]:
        data, bytenr, base = self.data, self.bytenr, HEADER.size
        part = slice(first, stop)
        rows = zip(self.keys[part], self.offsets[part], self.sizes[part], strict=True)
        for slot, (key, offset, size) in enumerate(rows, first):
            start = base + offset
            yield Item(key, data[start : start + size], bytenr, slot)

    def columns(self) -> "np.ndarray[Any, Any]":
        """The item headers of a leaf as a numpy array of ITEM.dtype, without a copy."""
        import numpy as np  # noqa: PLC0415  start-up

        return np.frombuffer(self.data, ITEM.dtype, self.nritems, HEADER.size)
