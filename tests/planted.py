"""Faults planted on purpose: one item of one tree changed, all copies written, checksums and parents' keys mended.

    with Planted(image) as p:                      # an image of one device
        p.set(5, (257, INODE_ITEM_KEY, 0), "nlink", 7)
    with applied(image, p.patch()): …

Trees are named by their ids, or handed in as a `Tree`; keys may have None for what does not matter. Everything is
collected first and becomes one `Patch`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from damage import Patch, places_of

from pybtrfs.btree.block import Block, Item
from pybtrfs.btree.search import Tree
from pybtrfs.check.engine import Check
from pybtrfs.check.findings import Finding
from pybtrfs.checksum import seal
from pybtrfs.fs.filesystem import Filesystem, open_filesystem
from pybtrfs.fs.logtree import log_trees
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.header import HEADER, ITEM, KEY_PTR, ItemHeader, leaf_data_size
from pybtrfs.ondisk.key import KEY, Key
from pybtrfs.ondisk.layout import Fixed, Many
from pybtrfs.ondisk.superblock import SUPERBLOCK
from pybtrfs.volume.opening import Where

Wanted = Sequence[int | None]
"""A key, with None for what may be anything."""


def findings(image: Path | str, devices: tuple[str, ...] = (), *, data_csums: bool = False) -> list[Finding]:
    """All that the check finds in an image."""
    found: list[Finding] = []
    with open_filesystem(str(image), Where(devices=devices)) as filesystem:
        Check(filesystem, found.append, data_csums=data_csums).run()
    return found


class Planted(contextlib.AbstractContextManager["Planted"]):
    """An image of one device, and what is to be changed in it."""

    def __init__(self, image: Path) -> None:
        self.filesystem: Filesystem = open_filesystem(str(image))
        self.superblocks: dict[int, bytearray] = {}
        self._blocks: dict[int, bytearray] = {}
        self._raw: list[tuple[int, bytes]] = []
        self._image = image

    def __exit__(self, *error: object) -> None:
        self.filesystem.close()

    # -- finding ---------------------------------------------------------------------------------------

    def tree(self, tree: int | Tree) -> Tree:
        return self.filesystem.tree(tree) if isinstance(tree, int) else tree

    def log_tree(self, subvolume: int = 5) -> Tree:
        return next(log.tree for log in log_trees(self.filesystem) if log.subvolume_id == subvolume)

    def items(self, tree: int | Tree, key: Wanted) -> Iterator[Item]:
        for leaf in self.tree(tree).leaves():
            edited = self._blocks.get(leaf.bytenr)
            yield from self._matching(leaf if edited is None else Block(bytes(edited), leaf.bytenr), key)

    def _matching(self, leaf: Block, key: Wanted) -> Iterator[Item]:
        for item in leaf.items():
            if all(wanted is None or wanted == found for wanted, found in zip(key, item.key, strict=True)):
                yield item

    def item(self, tree: int | Tree, key: Wanted, number: int = 0) -> Item:
        return list(self.items(tree, key))[number]

    # -- changing --------------------------------------------------------------------------------------

    def set(
        self, tree: int | Tree, key: Wanted, field: str, value: Any, layout: Fixed[Any] | None = None, at: int = 0
    ) -> None:
        """Change a field, by its declared name, of the structure at byte `at` of an item."""
        item = self.item(tree, key)
        if layout is None:
            codec = getattr(item.item_type, "codec", None)
            layout = codec.element if isinstance(codec, Many) else codec
        assert isinstance(layout, Fixed), "an item without a declared structure"
        start, size = layout.offset_of(field), _size_of(layout, field)
        data = value if isinstance(value, bytes) else (value % (1 << 8 * size)).to_bytes(size, "little")
        self.write(tree, item.key, at + start, data)

    def write(self, tree: int | Tree, key: Wanted, at: int, data: bytes) -> None:
        """Write over bytes of an item."""
        item = self.item(tree, key)
        new = bytearray(item.data)
        new[at : at + len(data)] = data
        assert len(new) == len(item.data), "an item keeps its length"
        self.replace(tree, item.key, bytes(new))

    def replace(self, tree: int | Tree, key: Wanted, data: bytes) -> None:
        """Other bytes for an item, of any length for which the leaf has room."""
        item = self.item(tree, key)
        self._edit(tree, item.bytenr, lambda items: [(k, data if k == item.key else d) for k, d in items])

    def rekey(self, tree: int | Tree, key: Wanted, **changes: int) -> None:
        """Give an item another key; it moves within its leaf."""
        item = self.item(tree, key)
        new = item.key._replace(**changes)
        self._edit(tree, item.bytenr, lambda items: sorted((new if k == item.key else k, d) for k, d in items))

    def delete(self, tree: int | Tree, key: Wanted) -> None:
        item = self.item(tree, key)
        self._edit(tree, item.bytenr, lambda items: [(k, d) for k, d in items if k != item.key])

    def insert(self, tree: int | Tree, key: tuple[int, int, int], data: bytes) -> None:
        """A new item, in the leaf where it belongs."""
        new = Key(*key)
        leaves = list(self.tree(tree).leaves())
        leaf = next((leaf for leaf in reversed(leaves) if leaf.keys and leaf.keys[0] <= new), leaves[0])
        self._edit(tree, leaf.bytenr, lambda items: sorted([*items, (new, data)]))

    def header(self, bytenr: int, field: str, value: int) -> None:
        """A field of a block's header."""
        size = _size_of(HEADER, field)
        at = HEADER.offset_of(field)
        self._block(bytenr)[at : at + size] = value.to_bytes(size, "little")

    def pointer(self, bytenr: int, slot: int, field: str, value: int) -> None:
        """A field of a node's key pointer."""
        at, size = HEADER.size + slot * KEY_PTR.size + KEY_PTR.offset_of(field), _size_of(KEY_PTR, field)
        self._block(bytenr)[at : at + size] = value.to_bytes(size, "little")

    def item_header(self, bytenr: int, slot: int, field: str, value: int) -> None:
        at, size = HEADER.size + slot * ITEM.size + ITEM.offset_of(field), _size_of(ITEM, field)
        self._block(bytenr)[at : at + size] = value.to_bytes(size, "little")

    def superblock(self, copies: Sequence[int] = (0, 1), **fields: Any) -> None:
        """Fields of some copies of the superblock; a dotted name is written with two underscores."""
        for number in copies:
            raw = self.superblocks.setdefault(number, bytearray(self._read_super(number)))
            for name, value in fields.items():
                at, size = SUPERBLOCK.offset_of(name.replace("__", ".")), _size_of(SUPERBLOCK, name.replace("__", "."))
                raw[at : at + size] = value if isinstance(value, bytes) else value.to_bytes(size, "little")

    def raw(self, bytenr: int, at: int, data: bytes, copies: slice = slice(None)) -> None:
        """Bytes of some copies of a block, whose checksum then does not hold."""
        block = bytearray(self.filesystem.store.read(bytenr).data)
        block[at : at + len(data)] = data
        self._raw += [(place, bytes(block)) for place in places_of(self.filesystem, bytenr)[copies]]

    def data(self, logical: int, data: bytes, copy: int = 0) -> None:
        """Bytes of one copy of data."""
        [piece] = self.filesystem.volume.chunks.pieces(logical, len(data))
        self._raw.append((piece.copies[copy].physical, data))

    def patch(self) -> Patch:
        """All changes, with checksums."""
        writes = list(self._raw)
        for bytenr, block in self._blocks.items():
            seal(self.filesystem.csum_type, block)
            writes += [(at, bytes(block)) for at in places_of(self.filesystem, bytenr)]
        for number, raw in self.superblocks.items():
            seal(self.filesystem.csum_type, raw)
            writes.append((c.SUPER_OFFSETS[number], bytes(raw)))
        return Patch("planted", tuple(writes))

    def _read_super(self, number: int) -> bytes:
        with self._image.open("rb") as file:
            file.seek(c.SUPER_OFFSETS[number])
            return file.read(SUPERBLOCK.size)

    def _block(self, bytenr: int) -> bytearray:
        if bytenr not in self._blocks:
            self._blocks[bytenr] = bytearray(self.filesystem.store.read(bytenr).data)
        return self._blocks[bytenr]

    def _edit(self, tree: int | Tree, bytenr: int, change: Any) -> None:
        block = self._block(bytenr)
        before = [(item.key, item.data) for item in Block(bytes(block), bytenr).items()]
        after = change(before)
        _fill(block, after)
        if before and after and before[0][0] != after[0][0]:
            self._mend_parents(self.tree(tree), before[0][0], after[0][0])

    def _mend_parents(self, tree: Tree, old: Key, new: Key) -> None:
        for node, slot in tree.path_to(old, 1):
            if node.keys[slot] == old:
                at = HEADER.size + slot * KEY_PTR.size
                self._block(node.bytenr)[at : at + KEY.size] = KEY.pack(new)


def _fill(block: bytearray, items: Sequence[tuple[Key, bytes]]) -> None:
    """Make a leaf hold exactly these items."""
    end = leaf_data_size(len(block))
    headers = b""
    body = b""
    for key, data in items:
        end -= len(data)
        headers += ITEM.pack(ItemHeader(key, end, len(data)))
        body = data + body
    assert len(headers) <= end, "the leaf has room"
    block[HEADER.size :] = headers + bytes(end - len(headers)) + body
    at = HEADER.offset_of("nritems")
    block[at : at + 4] = len(items).to_bytes(4, "little")


def _size_of(layout: Fixed[Any], name: str) -> int:
    head, _, rest = name.partition(".")
    field = next(field for field in layout.fields if field.name == head)
    return _size_of(field.layout, rest) if rest and field.layout else field.size
