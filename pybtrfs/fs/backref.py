"""Who refers to an extent: from an address back to trees, inodes and file offsets.

An extent item counts its references and names them, inline or as keyed items behind it. A reference names either
a tree, in which the extent is then to be looked for (TREE_BLOCK_REF, EXTENT_DATA_REF: the block that refers has
one owner, or had when it was written), or the tree block that refers to it (SHARED_BLOCK_REF, SHARED_DATA_REF:
that block is FULL_BACKREF, since its owner has moved on and left it to others). Both lead to a tree block, which
has references of its own; so the way goes up, level by level, to the roots of all trees that share it. (The
kernel's counterparts are `find_parent_nodes`, `btrfs_find_all_roots` and `iterate_extent_inodes`.)

Each step up must meet a block of the next level that points back, so lying references end after eight steps; the
roots of a block are found once and kept.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pybtrfs.btree.block import Block, Item
from pybtrfs.btree.check import Expected
from pybtrfs.btree.search import Tree
from pybtrfs.errors import CorruptError, NotFoundError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.extent import EXTENT_DATA_REF, EXTENT_ITEM, EXTENT_OWNER_REF, METADATA_ITEM, SHARED_DATA_REF
from pybtrfs.ondisk.file_extent import EXTENT_DATA, FileExtent
from pybtrfs.ondisk.key import MIN_KEY, Key

_EXTENT_KEYS = (c.EXTENT_ITEM_KEY, c.METADATA_ITEM_KEY)
_MOST_UNCOMPRESSED = 128 * 1024  # bytes that a compressed extent may hold
_OWNED_BY_NOBODY = c.TREE_RELOC_OBJECTID
NO_ROOTS: frozenset[int] = frozenset()


class Extent(NamedTuple):
    """An extent item: `bytenr` and `num_bytes` of space, and what the item says of it."""

    bytenr: int
    num_bytes: int
    refs: int  # how many references there are to be
    generation: int
    flags: int  # EXTENT_FLAG_*
    level: int | None  # of a tree block; None for data
    inline: tuple[Any, ...]  # references, as `ondisk.extent` declares them


class Reference(NamedTuple):
    """A reference to an extent; fields that its type does not have are 0."""

    type: int  # an item type, such as EXTENT_DATA_REF_KEY
    tree_id: int = 0  # of TREE_BLOCK_REF, EXTENT_DATA_REF, EXTENT_OWNER_REF
    parent: int = 0  # address of a tree block, of SHARED_BLOCK_REF and SHARED_DATA_REF
    ino: int = 0  # of EXTENT_DATA_REF
    offset: int = 0  # of EXTENT_DATA_REF: in the file, less the offset in the extent, modulo 2**64
    times: int = 1  # file extents that make it up


class Use(NamedTuple):
    """A file's use of a data extent, in one of the subvolumes that share the leaf in which it stands."""

    tree_id: int
    ino: int
    file_offset: int
    extent: FileExtent

    def offset_at(self, position: int) -> int | None:
        """The file offset of a byte of the extent; None where this use leaves the byte out.

        A compressed extent is used as a whole, as far as anyone can tell: its beginning stands for all.
        """
        if self.extent.compression or self.extent.encryption or self.extent.other_encoding:
            return self.file_offset
        into = position - self.extent.offset
        return self.file_offset + into if 0 <= into < self.extent.num_bytes else None


def _raise(text: str) -> None:
    raise CorruptError(text)


class Backrefs:
    """The references of a filesystem's extents.

    A reference that leads nowhere is told to `complain` and left out; without it, it raises `CorruptError`.
    """

    def __init__(self, filesystem: Filesystem, complain: Callable[[str], None] = _raise) -> None:
        self._filesystem, self._complain = filesystem, complain
        self._extent_tree = filesystem.tree(c.EXTENT_TREE_OBJECTID)
        self._trees: dict[int, tuple[Tree, Key]] = {}
        self._roots: dict[int, frozenset[int]] = {}
        self._sets: dict[frozenset[int], frozenset[int]] = {}

    def find_extent(self, logical: int) -> Extent | None:
        """The extent that holds a logical address; None where the space is free."""
        for item in self._extent_tree.items_backwards(Key(logical, 255, c.U64_MAX)):
            if item.key.type in _EXTENT_KEYS:
                extent = self._extent(item)
                return extent if logical < extent.bytenr + extent.num_bytes else None
        return None

    def references(self, extent: Extent) -> Iterator[Reference]:
        """All references of an extent, the inline ones first."""
        for ref in extent.inline:
            yield _INLINE[ref.type](ref)
        first = Key(extent.bytenr, c.EXTENT_OWNER_REF_KEY, 0)
        last = Key(extent.bytenr, c.SHARED_DATA_REF_KEY, c.U64_MAX)
        for item in self._extent_tree.items(first, last):
            if item.key.type in _KEYED:
                yield _KEYED[item.key.type](item)

    def roots(self, bytenr: int) -> frozenset[int]:
        """The ids of all trees that reach the tree block at an address; of a relocation tree, TREE_RELOC's."""
        return self._roots_of(self._filesystem.store.read(bytenr))

    def uses(self, extent: Extent) -> Iterator[Use]:
        """All uses of a data extent by files, in every subvolume that holds them."""
        for leaf in self._leaves(extent):
            roots = sorted(self._roots_of(leaf) - {_OWNED_BY_NOBODY})
            for key, file_extent in _file_extents(leaf, extent.bytenr):
                for tree_id in roots:
                    yield Use(tree_id, key.objectid, key.offset, file_extent)

    def _extent(self, item: Item) -> Extent:
        skinny = item.key.type == c.METADATA_ITEM_KEY
        value = item.read(METADATA_ITEM if skinny else EXTENT_ITEM)
        level = value.tree_block.level if value.tree_block else None
        return Extent(
            item.key.objectid,
            self._filesystem.nodesize if skinny else item.key.offset,
            value.refs,
            value.generation,
            value.flags,
            item.key.offset if skinny else level,
            value.inline_refs,
        )

    # -- upwards: from a tree block to the trees that reach it --

    def _roots_of(self, block: Block) -> frozenset[int]:
        found = self._roots.get(block.bytenr)
        if found is None:
            gathered: set[int] = set()
            for reference in self._block_references(block):
                try:
                    gathered |= self._roots_by(block, reference)
                except (CorruptError, NotFoundError) as error:
                    self._complain(f"tree block {block.bytenr}: {_text(reference)}: {error}")
            roots = frozenset(gathered)
            found = self._roots[block.bytenr] = self._sets.setdefault(roots, roots)
        return found

    def _block_references(self, block: Block) -> Iterator[Reference]:
        skinny = Key(block.bytenr, c.METADATA_ITEM_KEY, block.level)
        fat = Key(block.bytenr, c.EXTENT_ITEM_KEY, self._filesystem.nodesize)
        item = self._extent_tree.find(skinny) or self._extent_tree.find(fat)
        if item is None:
            self._complain(f"tree block {block.bytenr}: the extent tree has no item for it")
            return
        yield from self.references(self._extent(item))

    def _roots_by(self, block: Block, reference: Reference) -> frozenset[int]:
        """The trees that reach a block by one of its references."""
        if reference.type == c.SHARED_BLOCK_REF_KEY:
            if reference.parent == block.bytenr:  # the root of a relocation tree
                return frozenset((_OWNED_BY_NOBODY,))
            parent = self._filesystem.store.read(reference.parent, Expected(level=block.level + 1))
            if all(pointer.blockptr != block.bytenr for pointer in parent.key_ptrs):
                raise CorruptError("that block does not point at it")
            return self._roots_of(parent)
        if reference.type != c.TREE_BLOCK_REF_KEY:
            return NO_ROOTS
        tree, _ = self._tree(reference.tree_id)
        if tree.root.bytenr == block.bytenr:
            return frozenset((reference.tree_id,))
        node = tree.block_for(block.keys[0] if block.nritems else MIN_KEY, block.level + 1)
        if node.level != block.level + 1 or all(pointer.blockptr != block.bytenr for pointer in node.key_ptrs):
            raise CorruptError("that tree does not hold it")
        return self._roots_of(node)

    def _tree(self, tree_id: int) -> tuple[Tree, Key]:
        """A tree, and the key from which on it is whole: a subvolume that is being deleted goes from the left."""
        if tree_id not in self._trees:
            root = self._filesystem.find_root_item(tree_id)
            dying = root is not None and root[1].refs == 0
            self._trees[tree_id] = (
                self._filesystem.tree(tree_id),
                root[1].drop_progress if dying and root else MIN_KEY,
            )
        return self._trees[tree_id]

    # -- from a data extent to the leaves that refer to it --

    def _leaves(self, extent: Extent) -> Iterator[Block]:
        """The leaves with file extents that use a data extent, each once."""
        references = list(self.references(extent))
        shared = {reference.parent for reference in references if reference.type == c.SHARED_DATA_REF_KEY}
        met: set[int] = set()
        for reference in references:
            try:
                for leaf in self._leaves_by(extent, reference, shared):
                    if leaf.bytenr not in met:
                        met.add(leaf.bytenr)
                        yield leaf
            except (CorruptError, NotFoundError) as error:
                self._complain(f"extent {extent.bytenr}: {_text(reference)}: {error}")

    def _leaves_by(self, extent: Extent, reference: Reference, shared: set[int]) -> Iterator[Block]:
        if reference.type == c.SHARED_DATA_REF_KEY:
            leaf = self._filesystem.store.read(reference.parent, Expected(level=0))
            if not any(_file_extents(leaf, extent.bytenr)):
                raise CorruptError("that leaf does not refer to it")
            yield leaf
        elif reference.type == c.EXTENT_DATA_REF_KEY:
            yield from self._leaves_of_inode(extent, reference, shared)

    def _leaves_of_inode(self, extent: Extent, reference: Reference, shared: set[int]) -> Iterator[Block]:
        """The leaves that an EXTENT_DATA_REF counts: the tree's own, not those that have a SHARED_DATA_REF."""
        tree, whole_from = self._tree(reference.tree_id)
        wraps = reference.offset >> 63  # a negative difference
        end = reference.offset + max(extent.num_bytes, _MOST_UNCOMPRESSED) - (1 << 64 if wraps else 0)
        first = max(Key(reference.ino, c.EXTENT_DATA_KEY, 0 if wraps else reference.offset), whole_from)
        left = reference.times
        for leaf in tree.leaves(first, Key(reference.ino, c.EXTENT_DATA_KEY, max(0, end))):
            if leaf.bytenr in shared or leaf.header.owner != reference.tree_id:
                continue
            matching = sum(_belongs(reference, *found) for found in _file_extents(leaf, extent.bytenr))
            left -= matching
            if matching:
                yield leaf
            if left <= 0:
                return
        raise CorruptError(f"{left} of {reference.times} file extents are not there")


def _file_extents(leaf: Block, bytenr: int) -> Iterator[tuple[Key, FileExtent]]:
    """The file extents of a leaf that use the data extent at `bytenr`."""
    for slot, (_, kind, _) in enumerate(leaf.key_tuples):
        if kind == c.EXTENT_DATA_KEY:
            item = leaf.item(slot)
            value = item.read(EXTENT_DATA)
            if isinstance(value, FileExtent) and value.disk_bytenr == bytenr:
                yield item.key, value


def _belongs(reference: Reference, key: Key, extent: FileExtent) -> bool:
    """Whether a file extent is one of those that an EXTENT_DATA_REF counts."""
    return key.objectid == reference.ino and (key.offset - extent.offset) & c.U64_MAX == reference.offset


def _text(reference: Reference) -> str:
    """A reference for a message about it."""
    name = _NAMES[reference.type]
    if reference.parent:
        return f"{name} of block {reference.parent}"
    if reference.type == c.EXTENT_DATA_REF_KEY:
        return f"{name} of tree {reference.tree_id} inode {reference.ino} offset {reference.offset}"
    return f"{name} of tree {reference.tree_id}"


def _keyed_data_ref(item: Item) -> Reference:
    ref = item.read(EXTENT_DATA_REF)
    return Reference(item.key.type, ref.root, 0, ref.objectid, ref.offset, ref.ref_count)


_NAMES = {
    c.TREE_BLOCK_REF_KEY: "TREE_BLOCK_REF",
    c.SHARED_BLOCK_REF_KEY: "SHARED_BLOCK_REF",
    c.EXTENT_DATA_REF_KEY: "EXTENT_DATA_REF",
    c.SHARED_DATA_REF_KEY: "SHARED_DATA_REF",
    c.EXTENT_OWNER_REF_KEY: "EXTENT_OWNER_REF",
}
_INLINE: dict[int, Callable[[Any], Reference]] = {
    c.TREE_BLOCK_REF_KEY: lambda ref: Reference(ref.type, tree_id=ref.offset),
    c.SHARED_BLOCK_REF_KEY: lambda ref: Reference(ref.type, parent=ref.offset),
    c.EXTENT_DATA_REF_KEY: lambda ref: Reference(ref.type, ref.root, 0, ref.objectid, ref.offset, ref.ref_count),
    c.SHARED_DATA_REF_KEY: lambda ref: Reference(ref.type, parent=ref.offset, times=ref.ref_count),
    c.EXTENT_OWNER_REF_KEY: lambda ref: Reference(ref.type, tree_id=ref.offset, times=0),
}
_KEYED: dict[int, Callable[[Item], Reference]] = {
    c.TREE_BLOCK_REF_KEY: lambda item: Reference(item.key.type, tree_id=item.key.offset),
    c.SHARED_BLOCK_REF_KEY: lambda item: Reference(item.key.type, parent=item.key.offset),
    c.EXTENT_DATA_REF_KEY: _keyed_data_ref,
    c.SHARED_DATA_REF_KEY: lambda item: Reference(
        item.key.type, parent=item.key.offset, times=item.read(SHARED_DATA_REF).ref_count
    ),
    c.EXTENT_OWNER_REF_KEY: lambda item: Reference(item.key.type, tree_id=item.read(EXTENT_OWNER_REF).root_id, times=0),
}
