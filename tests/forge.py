"""Images with any contents: fs trees, root tree links and data extents as the caller says, all around them in step.

    made = Forge()
    made.top.file(b"hello", b"inline bytes")
    folder = made.top.folder(b"folder")
    at = made.data(b"x" * 8192)                                     # a data extent, with its checksums
    made.top.extent(made.top.file(b"large", parent=folder), 0, at, 8192)
    made.top.items[Key(300, 1, 0)] = b"whatever bytes"              # and anything else
    made.write(path)

What is made with the methods alone is a sound filesystem: `btrfs check` and the kernel find nothing wrong with it
(compat/test_forge.py). Extent, csum, UUID, free-space and block-group trees follow from what the fs trees hold. The
lies are the caller's: `items` overrides whatever stands at a key. No kernel and no root is needed, and the same calls
give the same bytes.
"""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from pybtrfs.btree.bulk import BlockForm, build_tree
from pybtrfs.checksum import digests, extent_data_ref_hash, name_hash
from pybtrfs.errors import CorruptError
from pybtrfs.fs.inode import FILE_TYPES
from pybtrfs.mkfs import plan as planning
from pybtrfs.mkfs import trees
from pybtrfs.mkfs.blockgroups import BlockGroup
from pybtrfs.mkfs.options import Request, resolve
from pybtrfs.mkfs.trees import Item, Layout, Spec, TreeRow
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import BLOCK_GROUP_ITEM, BlockGroupItem
from pybtrfs.ondisk.dir import DIR_ITEM, DirItem
from pybtrfs.ondisk.extent import EXTENT_ITEM, ExtentItem, InlineExtentDataRef
from pybtrfs.ondisk.file_extent import EXTENT_DATA, FileExtent, InlineExtent
from pybtrfs.ondisk.free_space import FREE_SPACE_INFO, FreeSpaceInfo
from pybtrfs.ondisk.inode import INODE_ITEM, INODE_REF, InodeItem, InodeRef, Timespec
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.root import ROOT_ITEM, ROOT_REF, RootRef
from pybtrfs.ondisk.uuid import SUBVOL_IDS, SubvolId, uuid_key

SECTOR = 4096
SIZE = 1 << 30
NOW = Timespec(1_700_000_000, 123_456_789)
ROOT = c.FIRST_FREE_OBJECTID
_CSUMS_AN_ITEM = 64


class Extent(NamedTuple):
    """A data extent: where it is, its bytes, and whether they have checksums."""

    bytenr: int
    content: bytes
    summed: bool


class Subvolume:
    """An fs tree in the making. `inodes` and `entries` become items when the image is written; `items` come last."""

    def __init__(self, tree_id: int) -> None:
        self.id = tree_id
        self.inodes: dict[int, InodeItem] = {}
        self.items: dict[Key, bytes | None] = {}  # bytes, or None for an item that must not be there
        self._listed: list[Item] = []
        self._hashed: dict[Key, bytes] = {}
        self._indexes: Counter[int] = Counter()
        self._numbers = count(ROOT + 1)
        self.inode(stat.S_IFDIR | 0o755, ino=ROOT, nlink=1)
        self._listed.append((Key(ROOT, c.INODE_REF_KEY, ROOT), INODE_REF.build(InodeRef.of(0, b".."))))

    def inode(self, mode: int, *, ino: int | None = None, **fields: Any) -> int:
        """A new inode without a name; its number."""
        ino = next(self._numbers) if ino is None else ino
        self.inodes[ino] = InodeItem(
            generation=planning.GENERATION,
            transid=planning.GENERATION,
            size=0,
            nbytes=0,
            block_group=0,
            nlink=0,
            uid=0,
            gid=0,
            mode=mode,
            rdev=0,
            flags=0,
            sequence=0,
            reserved=b"",
            atime=NOW,
            ctime=NOW,
            mtime=NOW,
            otime=NOW,
        )._replace(**fields)
        return ino

    def change(self, ino: int, **fields: Any) -> int:
        """Other values in an inode item; the inode's number."""
        self.inodes[ino] = self.inodes[ino]._replace(**fields)
        return ino

    def entry(self, name: bytes, ino: int, *, parent: int = ROOT, kind: int | None = None) -> int:
        """A name for an inode: both entries and the inode's ref. `kind`: FT_* that the entries say, by default the
        truth."""
        inode = self.inodes[ino]
        said = FILE_TYPES[stat.S_IFMT(inode.mode)] if kind is None else kind
        index = self.listing(name, Key(ino, c.INODE_ITEM_KEY, 0), said, parent=parent)
        key, ref = Key(ino, c.INODE_REF_KEY, parent), INODE_REF.build(InodeRef.of(index, name))
        self._hashed[key] = self._hashed.get(key, b"") + ref
        self.change(ino, nlink=1 if stat.S_ISDIR(inode.mode) else inode.nlink + 1)
        return ino

    def listing(self, name: bytes, location: Key, kind: int, *, parent: int = ROOT) -> int:
        """The two entries of a name in its directory, whatever they lead to; their index."""
        self._indexes[parent] += 1
        index = self._indexes[parent] + 1
        entry = DIR_ITEM.build(DirItem.of(location, planning.GENERATION, kind, name))
        self._listed.append((Key(parent, c.DIR_INDEX_KEY, index), entry))
        hashed = Key(parent, c.DIR_ITEM_KEY, name_hash(name))
        self._hashed[hashed] = self._hashed.get(hashed, b"") + entry
        self.change(parent, size=self.inodes[parent].size + 2 * len(name))
        return index

    def folder(self, name: bytes, *, parent: int = ROOT, mode: int = 0o755, **fields: Any) -> int:
        return self.entry(name, self.inode(stat.S_IFDIR | mode, **fields), parent=parent)

    def file(self, name: bytes, content: bytes = b"", *, parent: int = ROOT, mode: int = 0o644, **fields: Any) -> int:
        """A regular file; its content, which must be short, stands in the tree."""
        ino = self.inode(stat.S_IFREG | mode)
        if content:
            self.inline(ino, content)
        return self.entry(name, self.change(ino, **fields), parent=parent)

    def symlink(self, name: bytes, target: bytes, *, parent: int = ROOT) -> int:
        ino = self.inode(stat.S_IFLNK | 0o777)
        self.inline(ino, target)
        return self.entry(name, ino, parent=parent)

    def node(self, name: bytes, mode: int, rdev: int = 0, *, parent: int = ROOT) -> int:
        """A device node, fifo or socket; mode with its type, rdev as the kernel has it: major << 20 | minor."""
        return self.entry(name, self.inode(mode, rdev=rdev), parent=parent)

    def xattr(self, ino: int, name: bytes, value: bytes) -> None:
        key = Key(ino, c.XATTR_ITEM_KEY, name_hash(name))
        item = DIR_ITEM.build(DirItem.xattr(planning.GENERATION, name, value))
        self._hashed[key] = self._hashed.get(key, b"") + item

    def inline(self, ino: int, stored: bytes, *, ram_bytes: int | None = None, compression: int = 0) -> None:
        """An inline extent; `ram_bytes`, by default as many as are stored, becomes the size."""
        size = len(stored) if ram_bytes is None else ram_bytes
        value = InlineExtent(planning.GENERATION, size, compression, 0, 0, c.FILE_EXTENT_INLINE, stored)
        self._listed.append((Key(ino, c.EXTENT_DATA_KEY, 0), EXTENT_DATA.build(value)))
        self.change(ino, size=size, nbytes=size)

    def extent(self, ino: int, file_offset: int, bytenr: int, disk_num_bytes: int, **fields: Any) -> None:
        """A use of a data extent, by default of all of it and not compressed; the file's size and bytes follow."""
        wish = {"ram_bytes": disk_num_bytes, "compression": 0, "offset": 0, "type": c.FILE_EXTENT_REG, **fields}
        wish.setdefault("num_bytes", wish["ram_bytes"] - wish["offset"])
        value = FileExtent(
            generation=planning.GENERATION,
            encryption=0,
            other_encoding=0,
            disk_bytenr=bytenr,
            disk_num_bytes=disk_num_bytes,
            **wish,
        )
        self._listed.append((Key(ino, c.EXTENT_DATA_KEY, file_offset), EXTENT_DATA.build(value)))
        inode = self.inodes[ino]
        size = max(inode.size, file_offset + value.num_bytes)
        self.change(ino, size=size, nbytes=inode.nbytes + (value.num_bytes if bytenr else 0))

    def all_items(self) -> list[Item]:
        """The tree's items by key."""
        found: dict[Key, bytes | None] = {
            Key(ino, c.INODE_ITEM_KEY, 0): INODE_ITEM.build(inode) for ino, inode in self.inodes.items()
        }
        found.update(self._hashed)
        found.update(self._listed)
        found.update(self.items)
        return sorted((key, data) for key, data in found.items() if data is not None)


class Forge:
    """An image in the making. Keywords are fields of `mkfs.options.Request`."""

    def __init__(self, **request: Any) -> None:
        numbers = count(1)
        options = resolve(Request(**{"data": "single", **request}))
        self.spec: Spec = planning.plan(
            options, [SIZE], lambda: NOW.sec, lambda: next(numbers).to_bytes(16, "big")
        ).spec
        self.subvolumes = {c.FS_TREE_OBJECTID: Subvolume(c.FS_TREE_OBJECTID)}
        self.top = self.subvolumes[c.FS_TREE_OBJECTID]
        self.root_items: dict[Key, bytes] = {}  # what stands in the root tree besides root items
        self.extents: list[Extent] = []
        [self._data_group] = (group for group in self.spec.groups if group.flags & c.BLOCK_GROUP_DATA)

    def subvolume(self, name: bytes, *, inside: Subvolume | None = None, parent: int = ROOT) -> Subvolume:
        """A new subvolume with a name in a directory of another."""
        made = Subvolume(ROOT + len(self.subvolumes) - 1)
        self.subvolumes[made.id] = made
        self.hang(made.id, name, inside=self.top if inside is None else inside, parent=parent)
        return made

    def hang(self, tree_id: int, name: bytes, *, inside: Subvolume, parent: int = ROOT) -> None:
        """A name for a subvolume, with ROOT_REF and ROOT_BACKREF: a second one is a lie."""
        index = inside.listing(name, Key(tree_id, c.ROOT_ITEM_KEY, c.U64_MAX), c.FT_DIR, parent=parent)
        ref = ROOT_REF.build(RootRef.of(parent, index, name))
        self.root_items[Key(inside.id, c.ROOT_REF_KEY, tree_id)] = ref
        self.root_items[Key(tree_id, c.ROOT_BACKREF_KEY, inside.id)] = ref

    def data(self, content: bytes, *, summed: bool = True) -> int:
        """A data extent with these bytes, filled up to whole sectors; its address."""
        at = self._data_group.start
        if self.extents:
            at = self.extents[-1].bytenr + len(self.extents[-1].content)
        content = content.ljust(-(-len(content) // SECTOR) * SECTOR, b"\0")
        assert at + len(content) <= self._data_group.start + self._data_group.length, "the data fits its block group"
        self.extents.append(Extent(at, content, summed))
        return at

    def write(self, path: Path) -> Path:
        """Write the image."""
        layout, blocks = self._built()
        superblock = planning._superblock(self.spec, layout)
        used = superblock.bytes_used + sum(len(extent.content) for extent in self.extents)
        plan = planning.Plan(self.spec, layout, blocks, superblock._replace(bytes_used=used))
        [stripe] = self._data_group.stripes
        with path.open("wb") as file:
            file.truncate(SIZE)
            for extent in self.extents:
                file.seek(stripe.physical + extent.bytenr - self._data_group.start)
                file.write(extent.content)
            for _, offset, data in plan.writes():
                file.seek(offset)
                file.write(data)
            for offset, data in plan.superblocks():
                file.seek(offset)
                file.write(data)
        return path

    # -- all that follows from it ---------------------------------------------------------------------

    def _built(self) -> tuple[Layout, tuple[tuple[int, bytes], ...]]:
        layout = Layout()
        while True:
            built, blocks = self._build(layout)
            if built == layout:
                return layout, blocks
            layout = built

    def _build(self, before: Layout) -> tuple[Layout, tuple[tuple[int, bytes], ...]]:
        spec, blocks, roots = self.spec, dict[int, bytes](), []
        kinds = c.BLOCK_GROUP_SYSTEM, c.BLOCK_GROUP_METADATA
        addresses = {kind: planning._drawing(planning._addresses(spec, kind)) for kind in kinds}
        form = BlockForm(
            spec.options.nodesize, spec.fsid, spec.chunk_tree_uuid, spec.generation, spec.options.csum_type
        )
        for row in self._rows():
            kind = c.BLOCK_GROUP_SYSTEM if row.id == c.CHUNK_TREE_OBJECTID else c.BLOCK_GROUP_METADATA
            items = sorted(row.items(spec, before))
            roots.append((row.id, build_tree(form, row.id, items, addresses[kind], blocks.__setitem__)))
        written = tuple(sorted(blocks.items()))
        return Layout(tuple(planning._tree_block(*block) for block in written), tuple(roots)), written

    def _rows(self) -> list[TreeRow]:
        ours = {
            c.ROOT_TREE_OBJECTID: self._root_tree,
            c.EXTENT_TREE_OBJECTID: self._extent_tree,
            c.FS_TREE_OBJECTID: lambda spec, layout: self.top.all_items(),
            c.CSUM_TREE_OBJECTID: self._csum_tree,
            c.UUID_TREE_OBJECTID: self._uuid_tree,
            c.FREE_SPACE_TREE_OBJECTID: self._free_space_tree,
            c.BLOCK_GROUP_TREE_OBJECTID: self._block_groups,
        }
        rows = [row._replace(items=ours.get(row.id, row.items)) for row in trees.trees_of(self.spec.options)]
        return rows + self._subvolume_rows()

    def _subvolume_rows(self) -> list[TreeRow]:
        return [
            TreeRow(tree_id, lambda spec, layout, made=made: made.all_items(), subvolume=True)
            for tree_id, made in self.subvolumes.items()
            if made is not self.top
        ]

    def _root_tree(self, spec: Spec, layout: Layout) -> Iterable[Item]:
        yield from trees._root_tree(spec, layout)
        for row in self._subvolume_rows():
            key, data = trees._root_item(spec, layout, row)
            item = ROOT_ITEM.parse(data)._replace(uuid=self._uuid(row.id), otransid=spec.generation)
            yield key, ROOT_ITEM.build(item._replace(ctransid=spec.generation))
        yield from self.root_items.items()

    def _uuid(self, tree_id: int) -> bytes:
        return self.spec.subvolume_uuid if tree_id == self.top.id else tree_id.to_bytes(16, "big")

    def _uuid_tree(self, spec: Spec, layout: Layout) -> Iterable[Item]:
        for tree_id in self.subvolumes:
            yield uuid_key(self._uuid(tree_id)), SUBVOL_IDS.build([SubvolId(tree_id)])

    def _csum_tree(self, spec: Spec, layout: Layout) -> Iterable[Item]:
        size, length = spec.options.csum_type.size, _CSUMS_AN_ITEM * SECTOR
        for extent in self.extents:
            for at in range(0, len(extent.content) if extent.summed else 0, length):
                sums = digests(spec.options.csum_type, extent.content[at : at + length], SECTOR)
                assert len(sums) % size == 0, "whole checksums"
                yield Key(c.EXTENT_CSUM_OBJECTID, c.EXTENT_CSUM_KEY, extent.bytenr + at), sums

    def _extent_tree(self, spec: Spec, layout: Layout) -> Iterable[Item]:
        yield from (trees._extent_item(spec, block) for block in layout.blocks)
        if not spec.options.features.has("block-group-tree"):
            yield from self._block_groups(spec, layout)
        uses = self._uses()
        for extent in self.extents:
            refs = sorted(
                (use for use in uses if use[0] == extent.bytenr), key=lambda use: -extent_data_ref_hash(*use[1:])
            )
            inline = tuple(InlineExtentDataRef(c.EXTENT_DATA_REF_KEY, *use[1:], uses[use]) for use in refs)
            item = ExtentItem(sum(uses[use] for use in refs), spec.generation, c.EXTENT_FLAG_DATA, None, inline)
            yield Key(extent.bytenr, c.EXTENT_ITEM_KEY, len(extent.content)), EXTENT_ITEM.build(item)

    def _uses(self) -> Counter[tuple[int, int, int, int]]:
        """How many file extents refer to an extent by (address, subvolume, inode, offset)."""
        uses: Counter[tuple[int, int, int, int]] = Counter()
        for made in self.subvolumes.values():
            for key, data in made.all_items():
                if key.type == c.EXTENT_DATA_KEY:
                    value = _file_extent(data)
                    if value is not None and value.disk_bytenr:
                        uses[value.disk_bytenr, made.id, key.objectid, (key.offset - value.offset) % 2**64] += 1
        return uses

    def _block_groups(self, spec: Spec, layout: Layout) -> Iterable[Item]:
        for group in spec.groups:
            used = sum(length for _, length in self._taken(layout, group))
            item = BlockGroupItem(used, c.FIRST_CHUNK_TREE_OBJECTID, group.flags)
            yield Key(group.start, c.BLOCK_GROUP_ITEM_KEY, group.length), BLOCK_GROUP_ITEM.build(item)

    def _free_space_tree(self, spec: Spec, layout: Layout) -> Iterable[Item]:
        for group in spec.groups:
            at, free = group.start, []
            for begin, length in [*self._taken(layout, group), (group.start + group.length, 0)]:
                if begin > at:
                    free.append((at, begin - at))
                at = begin + length
            key = Key(group.start, c.FREE_SPACE_INFO_KEY, group.length)
            yield key, FREE_SPACE_INFO.build(FreeSpaceInfo(len(free), 0))
            yield from ((Key(begin, c.FREE_SPACE_EXTENT_KEY, length), b"") for begin, length in free)

    def _taken(self, layout: Layout, group: BlockGroup) -> Iterator[tuple[int, int]]:
        for block in layout.blocks:
            if group.start <= block.bytenr < group.start + group.length:
                yield block.bytenr, self.spec.options.nodesize
        if group is self._data_group:
            yield from ((extent.bytenr, len(extent.content)) for extent in self.extents)


def _file_extent(data: bytes) -> FileExtent | None:
    try:
        value = EXTENT_DATA.parse(data)
    except CorruptError:
        return None
    return value if isinstance(value, FileExtent) else None
