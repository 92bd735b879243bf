"""From a path to an inode: names are looked up in directories, subvolumes are crossed like directories.

A DIR_ITEM stands under the hash of its name; several names may share one. An entry that leads to a ROOT_ITEM
is a subvolume where the root tree has the ROOT_REF that belongs to it; in a snapshot, which does not take the
subvolumes below with it, such an entry is left over, and the kernel shows an empty directory there.
"""

from typing import NamedTuple

from pybtrfs.btree.search import Tree
from pybtrfs.checksum import name_hash
from pybtrfs.errors import CorruptError, NotFoundError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.dir import DIR_ITEM, DirItem
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.layout import Many
from pybtrfs.ondisk.root import ROOT_REF

_ENTRIES = Many(DIR_ITEM)


class Place(NamedTuple):
    """An inode, in the subvolume that it belongs to."""

    subvolume_id: int
    ino: int


TOP = Place(c.FS_TREE_OBJECTID, c.FIRST_FREE_OBJECTID)


def resolve(filesystem: Filesystem, path: bytes, start: Place = TOP) -> Place:
    """What stands at `path`, seen from `start`; symbolic links are not followed.

    Raises `NotFoundError` that names the first part which does not exist.
    """
    way = [start]
    trees: dict[int, Tree] = {}
    for number, name in enumerate(names := [part for part in path.split(b"/") if part not in (b"", b".")], 1):
        if name == b"..":
            way = way[:-1] or way
            continue
        place = way[-1]
        if place.subvolume_id not in trees:
            trees[place.subvolume_id] = filesystem.tree(place.subvolume_id)
        entry = find_entry(trees[place.subvolume_id], place.ino, name)
        if entry is None:
            shown = b"/".join(names[:number]).decode(errors="backslashreplace")
            raise NotFoundError(f"/{shown}: no such file or directory")
        way.append(_target(filesystem, place, entry))
    return way[-1]


def find_entry(tree: Tree, directory: int, name: bytes) -> DirItem | None:
    """The entry `name` of a directory, found by the hash of the name."""
    item = tree.find(Key(directory, c.DIR_ITEM_KEY, name_hash(name)))
    entries = item.read(_ENTRIES) if item else ()
    return next((entry for entry in entries if entry.name == name), None)


def default_subvolume_id(filesystem: Filesystem) -> int:
    """The subvolume that is mounted where none is named; `NotFoundError` where the root tree does not say."""
    entry = find_entry(filesystem.root_tree, filesystem.superblock.root_dir_objectid, b"default")
    if entry is None:
        raise NotFoundError("the root tree does not say which subvolume is the default")
    return entry.location.objectid


def _target(filesystem: Filesystem, place: Place, entry: DirItem) -> Place:
    kind, number = entry.location.type, entry.location.objectid
    if kind == c.INODE_ITEM_KEY:
        return Place(place.subvolume_id, number)
    if kind != c.ROOT_ITEM_KEY:
        raise CorruptError(f"subvolume {place.subvolume_id} directory {place.ino}: an entry leads to item type {kind}")
    item = filesystem.root_tree.find(Key(place.subvolume_id, c.ROOT_REF_KEY, number))
    ref = item.read(ROOT_REF) if item else None
    if ref is None or (ref.dirid, ref.name) != (place.ino, entry.name):
        return Place(place.subvolume_id, c.EMPTY_SUBVOL_DIR_OBJECTID)
    return Place(number, c.FIRST_FREE_OBJECTID)
