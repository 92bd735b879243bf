"""The UUID tree: from a subvolume's UUID or received UUID to its ids.

A lookup reads one path of the tree, however many subvolumes there are. The tree is current where the
superblock's `uuid_tree_generation` equals its generation; otherwise the kernel rescans it when it mounts.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pybtrfs.btree.search import Tree
from pybtrfs.errors import CorruptError, NotFoundError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.uuid import SUBVOL_IDS, uuid_key, uuid_of_key

_KINDS = {c.UUID_KEY_SUBVOL: False, c.UUID_KEY_RECEIVED_SUBVOL: True}


class Entry(NamedTuple):
    """A UUID, whether it is a received one, and a subvolume that carries it."""

    uuid: bytes
    received: bool
    id: int


class UuidTree:
    """The UUID tree of one filesystem; `NotFoundError` where it has none."""

    def __init__(self, filesystem: Filesystem) -> None:
        found = filesystem.find_tree(c.UUID_TREE_OBJECTID)
        if found is None:
            raise NotFoundError("the filesystem has no UUID tree")
        self.tree: Tree = found
        sb = filesystem.superblock
        self.current = sb.uuid_tree_generation == sb.generation

    def find(self, uuid: bytes) -> list[int]:
        """Ids of the subvolumes whose own UUID this is."""
        return self._ids(uuid, received=False)

    def find_received(self, uuid: bytes) -> list[int]:
        """Ids of the subvolumes that were received with this UUID."""
        return self._ids(uuid, received=True)

    def entries(self) -> Iterator[Entry]:
        """All entries in the tree's order."""
        for item in self.tree.items():
            received = _KINDS.get(item.key.type)
            if received is None:
                raise CorruptError(f"leaf {item.bytenr} slot {item.slot}: item type {item.key.type} in the UUID tree")
            for subvol in item.read(SUBVOL_IDS):
                yield Entry(uuid_of_key(item.key), received, subvol.id)

    def _ids(self, uuid: bytes, *, received: bool) -> list[int]:
        item = self.tree.find(uuid_key(uuid, received=received))
        return [] if item is None else [subvol.id for subvol in item.read(SUBVOL_IDS)]
