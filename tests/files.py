"""Filesystems in memory whose inodes, names, extents and checksums a test puts down one by one, sound or not.

`Files` collects items and data; `open` packs the trees and gives what the `fs` floor needs of a filesystem. Data
has two mirrors, as tree blocks have; `spoil` overwrites a sector of one or both.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from types import SimpleNamespace

from build import FORM, MemoryVolume

from pybtrfs.btree.bulk import BuiltTree, build_tree
from pybtrfs.btree.search import Root, Tree
from pybtrfs.btree.store import BlockStore
from pybtrfs.checksum import CSUM_TYPES, CsumType, name_hash
from pybtrfs.errors import CorruptError, NotFoundError
from pybtrfs.fs.inode import FILE_TYPES, Place
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.dir import DIR_ITEM, DirItem
from pybtrfs.ondisk.file_extent import EXTENT_DATA, FileExtent, InlineExtent
from pybtrfs.ondisk.inode import INODE_ITEM, InodeItem
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.root import ROOT_REF, RootRef

SECTOR = 4096
DATA = 1 << 40  # where data begins; tree blocks are below
DATA_END = DATA + (1 << 30)
TOP = Place(5, 256)


class DataVolume(MemoryVolume):
    """Tree blocks by their address, and data sector by sector; each mirror may have other bytes, or none."""

    def __init__(self, csum_type: CsumType) -> None:
        super().__init__(FORM._replace(csum_type=csum_type))
        self.sectors: tuple[dict[int, bytes], dict[int, bytes]] = ({}, {})
        self.reads: list[tuple[int, int]] = []

    def copies(self, logical: int, length: int) -> Iterator[tuple[str, bytes | None]]:
        if logical < DATA:
            yield from super().copies(logical, length)
            return
        for number, mirror in enumerate(self.sectors, 1):
            parts = [mirror.get(at) for at in range(logical, logical + length, SECTOR)]
            yield f"mirror {number}", None if None in parts else b"".join(parts)  # type: ignore[arg-type]

    def holds(self, logical: int) -> bool:
        return logical < DATA_END

    def read_first(self, logical: int, length: int) -> tuple[bytes, list[tuple[int, int]]]:
        """A sector that the first mirror lacks cannot be read."""
        self.reads.append((logical, length))
        if logical >= DATA_END:
            raise CorruptError(f"no chunk holds address {logical}")
        at = range(logical, logical + length, SECTOR)
        parts = [self.sectors[0].get(sector) for sector in at]
        unread = [(sector, SECTOR) for sector, part in zip(at, parts, strict=True) if part is None]
        return b"".join(part or bytes(SECTOR) for part in parts), unread


class Files:
    """A filesystem that is being put together. The top-level subvolume has its top directory."""

    def __init__(self, csum_type: CsumType = CSUM_TYPES[0]) -> None:
        self.csum_type = csum_type
        self.volume = DataVolume(csum_type)
        self.items: dict[int, dict[Key, bytes]] = {1: {}, 5: {}, 7: {}}
        self.built: dict[int, BuiltTree] = {}
        self._next_data = DATA
        self._indexes: dict[Place, int] = {}
        self.directory(TOP)

    def put(self, key: Key, data: bytes, tree: int = 5) -> None:
        """An item as it is; one with the same key goes on where the first ends."""
        items = self.items.setdefault(tree, {})
        items[key] = items.get(key, b"") + data

    def inode(self, place: Place, mode: int, **fields: int) -> None:
        empty = INODE_ITEM.unpack_from(bytes(INODE_ITEM.size))
        item: InodeItem = empty._replace(mode=mode, nlink=1, **fields)
        self.put(Key(place.ino, c.INODE_ITEM_KEY, 0), INODE_ITEM.pack(item), place.subvolume_id)

    def directory(self, place: Place) -> Place:
        self.inode(place, stat.S_IFDIR | 0o755)
        return place

    def file(self, place: Place, size: int, **fields: int) -> Place:
        self.inode(place, stat.S_IFREG | 0o644, size=size, **fields)
        return place

    def link(self, place: Place, target: bytes) -> Place:
        self.inode(place, stat.S_IFLNK | 0o777, size=len(target))
        self.inline(place, target)
        return place

    def name(
        self, directory: Place, name: bytes, to: Place | Key, mode: int = stat.S_IFREG, *, indexed: bool = True
    ) -> None:
        """An entry: DIR_ITEM and, where `indexed`, DIR_INDEX."""
        location = to if isinstance(to, Key) else Key(to.ino, c.INODE_ITEM_KEY, 0)
        entry = DIR_ITEM.build(DirItem.of(location, 1, FILE_TYPES[mode], name))
        index = self._indexes[directory] = self._indexes.get(directory, 1) + 1
        self.put(Key(directory.ino, c.DIR_ITEM_KEY, name_hash(name)), entry, directory.subvolume_id)
        if indexed:
            self.put(Key(directory.ino, c.DIR_INDEX_KEY, index), entry, directory.subvolume_id)

    def subvolume(self, directory: Place, name: bytes, number: int, *, ref: bool = True) -> Place:
        """A subvolume with its top directory, and its name; without `ref` as a snapshot has it."""
        self.name(directory, name, Key(number, c.ROOT_ITEM_KEY, 0), stat.S_IFDIR)
        if ref:
            found = ROOT_REF.build(RootRef.of(directory.ino, self._indexes[directory], name))
            self.put(Key(directory.subvolume_id, c.ROOT_REF_KEY, number), found, 1)
        top = Place(number, 256)
        return top if number in self.items else self.directory(top)

    def inline(self, place: Place, data: bytes, ram_bytes: int | None = None, compression: int = 0) -> None:
        size = len(data) if ram_bytes is None else ram_bytes
        extent = InlineExtent(1, size, compression, 0, 0, c.FILE_EXTENT_INLINE, data)
        self.put(Key(place.ino, c.EXTENT_DATA_KEY, 0), EXTENT_DATA.build(extent), place.subvolume_id)

    def extent(self, place: Place, file_offset: int, extent: FileExtent) -> None:
        self.put(Key(place.ino, c.EXTENT_DATA_KEY, file_offset), EXTENT_DATA.build(extent), place.subvolume_id)

    def data(self, data: bytes, *, csums: bool = True) -> int:
        """Data on both mirrors, padded to whole sectors, and its checksums; the address."""
        data = data.ljust(-(-len(data) // SECTOR) * SECTOR, b"\0")
        at = self._next_data
        parts = [data[begin : begin + SECTOR] for begin in range(0, len(data), SECTOR)]
        for mirror in self.volume.sectors:
            mirror.update({at + number * SECTOR: part for number, part in enumerate(parts)})
        self._next_data += len(data) + SECTOR
        if csums:
            self.csums(at, b"".join(map(self.csum_type.digest, parts)))
        return at

    def csums(self, bytenr: int, stored: bytes) -> None:
        """Checksums from a sector on, in items that a leaf takes."""
        many = 1024 // self.csum_type.size * self.csum_type.size
        for begin in range(0, len(stored), many):
            at = bytenr + begin // self.csum_type.size * SECTOR
            self.put(Key(c.EXTENT_CSUM_OBJECTID, c.EXTENT_CSUM_KEY, at), stored[begin : begin + many], 7)

    def spoil(self, bytenr: int, mirrors: Iterable[int] = (0, 1), data: bytes | None = b"spoilt") -> None:
        """Other bytes in a sector; None where it cannot be read any more."""
        for number in mirrors:
            if data is None:
                del self.volume.sectors[number][bytenr]
            else:
                self.volume.sectors[number][bytenr] = data.ljust(SECTOR, b"!")

    def open(self) -> Opened:
        form = FORM._replace(csum_type=self.csum_type)
        for number, (tree, items) in enumerate(self.items.items(), 1):
            addresses = iter(range(number << 30, DATA, form.nodesize))
            self.built[tree] = build_tree(
                form, tree, sorted(items.items()), lambda level, at=addresses: next(at), self.volume.write
            )
        return Opened(self)


class Opened:
    """What the `fs` floor needs of a filesystem."""

    def __init__(self, files: Files) -> None:
        self.volume, self.csum_type = files.volume, files.csum_type
        self.sectorsize, self.nodesize = SECTOR, FORM.nodesize
        self.superblock = SimpleNamespace(root_dir_objectid=6)
        self.store = BlockStore(files.volume)
        self._trees = {
            number: Tree(self.store, Root(number, built.bytenr, built.level, FORM.generation))
            for number, built in files.built.items()
        }
        self.root_tree = self._trees[1]

    def find_tree(self, tree_id: int) -> Tree | None:
        return self._trees.get(tree_id)

    def tree(self, tree_id: int) -> Tree:
        if tree_id not in self._trees:
            raise NotFoundError(f"no tree with id {tree_id}")
        return self._trees[tree_id]

    def break_leaf(self, tree_id: int, kind: int, which: int = 0) -> int:
        """Break both mirrors of a leaf that has items of one type only; its address."""
        leaves = [leaf for leaf in self._trees[tree_id].leaves() if {key.type for key in leaf.keys} == {kind}]
        bytenr = leaves[which].bytenr
        self.volume.patch(bytenr, 200, b"broken", mend=False)
        self.store._cache.clear()
        for tree in self._trees.values():
            tree._last = None
        return bytenr


def regular(disk_bytenr: int, size: int, *, offset: int = 0, num_bytes: int | None = None, **fields: int) -> FileExtent:
    """A file extent of a data extent of `size` bytes; by default all of it."""
    length = size - offset if num_bytes is None else num_bytes
    sound = FileExtent(1, size, 0, 0, 0, c.FILE_EXTENT_REG, disk_bytenr, size, offset, length)
    return sound._replace(**fields)
