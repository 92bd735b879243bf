"""Directories: their entries in order, one entry by its name, and what an entry leads to.

Each name stands twice: as a DIR_INDEX, in the order of creation, and as a DIR_ITEM under the hash of the name,
where several names may share one. Listing reads the first and looking up the second; where blocks of the first
cannot be read, names that the second still has are listed after it.

An entry that leads to a ROOT_ITEM is a subvolume where the root tree has the ROOT_REF that belongs to it. In a
snapshot, which does not take the subvolumes below with it, such an entry is left over.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pybtrfs.btree.block import Item
from pybtrfs.btree.search import Tree, Trouble
from pybtrfs.checksum import name_hash
from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.inode import Place
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.dir import DIR_ITEM, DirItem
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.layout import Many
from pybtrfs.ondisk.root import ROOT_REF

_ENTRIES = Many(DIR_ITEM)


class Entry(NamedTuple):
    """A name in a directory, and what it leads to."""

    name: bytes
    place: Place
    type: int  # FT_*, as the entry says
    is_subvolume: bool


def entries(filesystem: Filesystem, directory: Place, trouble: Trouble | None = None) -> Iterator[Entry]:
    """The entries of a directory in the order of their indexes.

    Damage raises `CorruptError`; where there is `trouble`, it is told instead, and all other entries come.
    """
    if directory.is_left_over:
        return
    tree, lost = filesystem.tree(directory.subvolume_id), set[str]()

    def told(error: CorruptError) -> None:
        if trouble is None:
            raise error
        if str(error) not in lost:  # a node above both kinds of items is met twice
            lost.add(str(error))
            trouble(error)

    told_or_raised = None if trouble is None else told
    seen: set[bytes] = set()
    for item in _items(tree, directory, c.DIR_INDEX_KEY, told_or_raised):
        for entry in _sound(filesystem, directory, item, told):
            if trouble is not None:
                if entry.name in seen:  # who writes both would write the second through the first
                    told(CorruptError(f"{directory}: two entries are called {entry.name!r}; only the first is read"))
                    continue
                seen.add(entry.name)
            yield entry
    if lost:
        for item in _items(tree, directory, c.DIR_ITEM_KEY, told_or_raised):
            yield from (e for e in _sound(filesystem, directory, item, told) if e.name not in seen)


def find_entry(filesystem: Filesystem, directory: Place, name: bytes) -> Entry | None:
    """The entry `name` of a directory, found by the hash of the name."""
    if directory.is_left_over:
        return None
    found = find_dir_item(filesystem.tree(directory.subvolume_id), directory.ino, name)
    return None if found is None else _entry(filesystem, directory, found)


def find_dir_item(tree: Tree, ino: int, name: bytes) -> DirItem | None:
    """The DIR_ITEM of `name` in directory `ino` of a tree."""
    item = tree.find(Key(ino, c.DIR_ITEM_KEY, name_hash(name)))
    return next((entry for entry in item.read(_ENTRIES) if entry.name == name), None) if item else None


def name_problem(name: bytes) -> str | None:
    """Why bytes of an image cannot be a file's name; None where they can."""
    if not 0 < len(name) <= c.NAME_MAX:
        return f"a name of {len(name)} bytes, expected 1 to {c.NAME_MAX}"
    if name in (b".", b"..") or b"/" in name or b"\0" in name:
        return f"{name!r} cannot be a name"
    return None


def _items(tree: Tree, directory: Place, kind: int, trouble: Trouble | None) -> Iterator[Item]:
    return tree.items(Key(directory.ino, kind, 0), Key(directory.ino, kind, c.U64_MAX), trouble)


def _sound(filesystem: Filesystem, directory: Place, item: Item, told: Trouble) -> list[Entry]:
    """The entries of an item that can be used; `told` hears of the others."""
    sound: list[Entry] = []
    try:
        found = item.read(_ENTRIES)
    except CorruptError as error:
        told(error)
        return sound
    for entry in found:
        problem = name_problem(entry.name)
        try:
            if problem is not None:
                raise CorruptError(f"{directory}: leaf {item.bytenr} slot {item.slot}: {problem}")
            made = _entry(filesystem, directory, entry)
        except CorruptError as error:
            told(error)
            continue
        sound.append(made)
    return sound


def _entry(filesystem: Filesystem, directory: Place, entry: DirItem) -> Entry:
    location, kind = entry.location, entry.type
    if location.type == c.INODE_ITEM_KEY:
        return Entry(entry.name, Place(directory.subvolume_id, location.objectid), kind, False)
    if location.type != c.ROOT_ITEM_KEY:
        raise CorruptError(f"{directory}: entry {entry.name!r} leads to item type {location.type}")
    if _is_root_ref(filesystem, directory, entry):
        return Entry(entry.name, Place(location.objectid, c.FIRST_FREE_OBJECTID), kind, True)
    return Entry(entry.name, Place(directory.subvolume_id, c.EMPTY_SUBVOL_DIR_OBJECTID), kind, False)


def _is_root_ref(filesystem: Filesystem, directory: Place, entry: DirItem) -> bool:
    key = Key(directory.subvolume_id, c.ROOT_REF_KEY, entry.location.objectid)
    item = filesystem.root_tree.find(key)
    ref = item.read(ROOT_REF) if item else None
    return ref is not None and (ref.dirid, ref.name) == (directory.ino, entry.name)
