"""Subvolumes: every subvolume with its ids, times and UUIDs, and the path by which it is reached.

A subvolume's ROOT_BACKREF names the directory in its parent that holds it; from there INODE_REFs lead up to
the parent's top directory, and the parent's own ROOT_BACKREF goes on from that, up to the top level (id 5).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from pybtrfs.errors import CorruptError, NotFoundError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.names import LONGEST_PATH, directory_path
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.root import ROOT_REF, RootItem

TOP_LEVEL = c.FS_TREE_OBJECTID
DELETED = b"DELETED"
"""What stands for the path of a deleted subvolume, as btrfs-progs print it."""
UNKNOWN = b"???"
"""What stands for a directory whose name cannot be read."""


class Subvolume(NamedTuple):
    """A subvolume. `parent` is the id of the one that holds its name; None for the top level and a deleted one."""

    id: int
    root: RootItem
    parent: int | None
    name: bytes
    directory: bytes  # path of the directory that holds it, within the parent, with no slash at either end
    key_offset: int  # of its ROOT_ITEM: the transaction of a snapshot's creation, else 0

    @property
    def deleted(self) -> bool:
        """Whether only its remains are there, waiting to be cleaned up."""
        return self.root.refs == 0 and self.id != TOP_LEVEL

    @property
    def created(self) -> int:
        """The generation in which it was created; root items of the short form know a snapshot's alone."""
        return self.root.otransid or self.key_offset


class Subvolumes:
    """The subvolumes of a filesystem, read once when asked and kept."""

    def __init__(self, filesystem: Filesystem, complain: Callable[[str], None] | None = None) -> None:
        """`complain` is told, once, of damage that hides a directory, which is then called `UNKNOWN`; else an error."""
        self._filesystem, self._complain = filesystem, complain
        self._told: set[str] = set()
        self._known: dict[int, Subvolume] = {}

    def __iter__(self) -> Iterator[Subvolume]:
        """All subvolumes in the order of their ids, the top level first."""
        for key, root_item in self._filesystem.root_items():
            if is_subvolume_id(key.objectid):
                yield self._remember(key, root_item)

    def get(self, subvolume_id: int) -> Subvolume:
        """The subvolume with this id; `NotFoundError` where there is none."""
        if subvolume_id in self._known:
            return self._known[subvolume_id]
        found = self._filesystem.find_root_item(subvolume_id) if is_subvolume_id(subvolume_id) else None
        if found is None:
            raise NotFoundError(f"no subvolume with id {subvolume_id}")
        return self._remember(*found)

    def find_path(self, subvolume: Subvolume, start: int = TOP_LEVEL) -> bytes | None:
        """Its path with no leading slash: from the subvolume `start` where that is above it, else from the top level.

        Empty for the top level itself; None where no way leads to it, since it was deleted.
        """
        parts: list[bytes] = []
        seen: set[int] = set()
        length = 0
        while subvolume.parent is not None:
            if subvolume.id in seen:
                raise CorruptError(f"subvolume {subvolume.id}: is its own ancestor")
            seen.add(subvolume.id)
            parts += (subvolume.name, subvolume.directory)
            length += len(subvolume.name) + len(subvolume.directory)
            if length > LONGEST_PATH:
                raise CorruptError(f"subvolume {subvolume.id}: lies on a path of over {LONGEST_PATH} bytes")
            if subvolume.parent == start:
                return b"/".join(part for part in reversed(parts) if part)
            subvolume = self.get(subvolume.parent)
        return b"/".join(part for part in reversed(parts) if part) if subvolume.id == TOP_LEVEL else None

    def path(self, subvolume: Subvolume, start: int = TOP_LEVEL) -> bytes:
        """The same, with DELETED for what no way leads to."""
        found = self.find_path(subvolume, start)
        return DELETED if found is None else found

    def at_path(self, path: bytes) -> Subvolume:
        """The subvolume whose path from the top level is `path`; slashes at the ends do not count."""
        wanted = b"/".join(part for part in path.split(b"/") if part)
        for subvolume in self:
            if self.find_path(subvolume) == wanted:
                return subvolume
        raise NotFoundError(f"/{wanted.decode(errors='backslashreplace')}: no such subvolume")

    def snapshots_of(self, subvolume: Subvolume) -> Iterator[Subvolume]:
        """The subvolumes whose parent_uuid is this one's uuid."""
        return (other for other in self if any(subvolume.root.uuid) and other.root.parent_uuid == subvolume.root.uuid)

    def below(self, subvolume_id: int) -> Iterator[int]:
        """The ids of all subvolumes within a subvolume, and within those, each once."""
        seen, left = {subvolume_id}, [subvolume_id]
        while left:
            parent = left.pop()
            first, last = Key(parent, c.ROOT_REF_KEY, 0), Key(parent, c.ROOT_REF_KEY, c.U64_MAX)
            found = [item.key.offset for item in self._filesystem.root_tree.items(first, last)]
            new = [number for number in found if number not in seen]
            seen.update(new)
            left += new
            yield from new

    def _remember(self, key: Key, root_item: RootItem) -> Subvolume:
        subvolume = self._known.get(key.objectid)
        if subvolume is None:
            parent, name, directory = self._whereabouts(key.objectid)
            subvolume = Subvolume(key.objectid, root_item, parent, name, directory, key.offset)
            self._known[key.objectid] = subvolume
        return subvolume

    def _whereabouts(self, subvolume_id: int) -> tuple[int | None, bytes, bytes]:
        first = Key(subvolume_id, c.ROOT_BACKREF_KEY, 0)
        last = Key(subvolume_id, c.ROOT_BACKREF_KEY, c.U64_MAX)
        for item in self._filesystem.root_tree.items(first, last):
            ref = item.read(ROOT_REF)
            return item.key.offset, ref.name, self._directory(item.key.offset, ref.dirid)
        return None, b"", b""

    def _directory(self, parent: int, dirid: int) -> bytes:
        tree = self._filesystem.find_tree(parent)
        try:
            if tree is None:
                raise CorruptError(f"subvolume {parent}: has no root item, yet it holds a subvolume's name")
            return directory_path(tree, dirid)
        except CorruptError as error:
            if self._complain is None:
                raise
            if str(error) not in self._told:
                self._told.add(str(error))
                self._complain(str(error))
            return UNKNOWN


def is_subvolume_id(tree_id: int) -> bool:
    """Whether a tree with this id is a subvolume: the top level, or an id from 256 on that is not reserved."""
    return tree_id == TOP_LEVEL or c.FIRST_FREE_OBJECTID <= tree_id <= c.LAST_FREE_OBJECTID
