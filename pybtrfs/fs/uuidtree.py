"""The UUID tree: from a subvolume's UUID or received UUID to its ids.

A lookup reads one path of the tree, however many subvolumes there are. The tree is current where the
superblock's `uuid_tree_generation` equals its generation; otherwise the kernel rescans it when it mounts.

`verify` compares tree and root items both ways. A root item carries a UUID where it is a subvolume's, is not
being deleted, and its UUIDs count (the kernel's `btrfs_uuid_scan_kthread`, `btrfs_check_uuid_tree_entry`).
"""

from collections.abc import Iterator
from typing import NamedTuple

from pybtrfs.btree.block import Item
from pybtrfs.btree.search import Tree
from pybtrfs.errors import CorruptError, NotFoundError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.subvolume import is_subvolume_id
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.uuid import NULL_UUID, SUBVOL_IDS, uuid_key, uuid_of_key

_KINDS = {c.UUID_KEY_SUBVOL: False, c.UUID_KEY_RECEIVED_SUBVOL: True}
_WORDS = {False: "own UUID", True: "received UUID"}


class Entry(NamedTuple):
    """A UUID, whether it is a received one, and a subvolume that carries it."""

    uuid: bytes
    received: bool
    id: int


class UuidProblem(NamedTuple):
    """A difference between the UUID tree and the root items, or damage in the tree.

    `kind` is one of: missing (a subvolume's UUID is not in the tree), stale (the subvolume of an entry does not
    carry that UUID), wrong-kind (it does, but own and received are confused), doubled (an id stands twice under a
    UUID, or one own UUID leads to several subvolumes that carry it), malformed (`id` is 0: an item that cannot be
    read).
    """

    kind: str
    uuid: bytes
    received: bool
    id: int
    text: str


class UuidTree:
    """The UUID tree of one filesystem; `NotFoundError` where it has none."""

    def __init__(self, filesystem: Filesystem) -> None:
        found = filesystem.find_tree(c.UUID_TREE_OBJECTID)
        if found is None:
            raise NotFoundError("the filesystem has no UUID tree")
        self.tree: Tree = found
        self._filesystem = filesystem
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

    def verify(self) -> Iterator[UuidProblem]:
        """What the tree and the root items do not agree on; damaged blocks raise `CorruptError` on the way."""
        carried = _carried(self._filesystem)
        seen: set[Entry] = set()
        for item in self.tree.items():
            yield from _item_problems(item, carried, seen)
        for entry in sorted(carried - seen):
            yield _problem("missing", entry, "the tree has no entry for it")

    def _ids(self, uuid: bytes, *, received: bool) -> list[int]:
        item = self.tree.find(uuid_key(uuid, received=received))
        return [] if item is None else [subvol.id for subvol in item.read(SUBVOL_IDS)]


def _carried(filesystem: Filesystem) -> set[Entry]:
    """The entries that the tree should have."""
    newest = {key.objectid: root for key, root in filesystem.root_items() if is_subvolume_id(key.objectid)}
    entries = set()
    for number, root in newest.items():
        if root.has_uuids and root.refs:
            entries |= {Entry(root.uuid, False, number), Entry(root.received_uuid, True, number)}
    return {entry for entry in entries if entry.uuid != NULL_UUID}


def _item_problems(item: Item, carried: set[Entry], seen: set[Entry]) -> Iterator[UuidProblem]:
    """What is wrong with one item of the tree; the entries that are right are added to `seen`."""
    uuid, place = uuid_of_key(item.key), f"leaf {item.bytenr} slot {item.slot}"
    received = _KINDS.get(item.key.type)
    if received is None:
        about = f"item type {item.key.type} is no UUID's"
        yield UuidProblem("malformed", uuid, False, 0, f"{place}: {about}")
        return
    try:
        ids = [subvol.id for subvol in item.read(SUBVOL_IDS)]
    except CorruptError as error:
        yield UuidProblem("malformed", uuid, received, 0, str(error))
        return
    if not ids:
        yield UuidProblem("malformed", uuid, received, 0, f"{place}: the item is empty")
    for number, subvolume_id in enumerate(ids):
        entry, other = Entry(uuid, received, subvolume_id), Entry(uuid, not received, subvolume_id)
        if subvolume_id in ids[:number]:
            yield _problem("doubled", entry, f"{place}: the id stands there twice")
        elif entry in carried:
            if not received and any(Entry(uuid, False, earlier) in seen for earlier in ids[:number]):
                yield _problem("doubled", entry, f"{place}: another subvolume has the same UUID")
            seen.add(entry)
        elif other in carried:
            yield _problem("wrong-kind", entry, f"{place}: it is the subvolume's {_WORDS[not received]}")
        else:
            yield _problem("stale", entry, f"{place}: no such subvolume carries it")


def _problem(kind: str, entry: Entry, text: str) -> UuidProblem:
    return UuidProblem(kind, entry.uuid, entry.received, entry.id, text)
