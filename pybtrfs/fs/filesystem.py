"""An open filesystem: the chunk tree taken in, every other tree by its id.

A tree's root stands in the root tree as a ROOT_ITEM; the root tree and the chunk tree themselves, and the
tree of log trees, stand in the superblock.
"""

from collections.abc import Callable, Iterator
from types import TracebackType

from pybtrfs.btree.block import Item
from pybtrfs.btree.check import Expected
from pybtrfs.btree.search import Root, Tree
from pybtrfs.btree.store import BlockStore
from pybtrfs.checksum import CsumType
from pybtrfs.errors import CorruptError, NotFoundError, PybtrfsError, RefusedError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import DEV_ITEM, DevItem
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.root import ROOT_ITEM, RootItem, effective
from pybtrfs.ondisk.superblock import Superblock
from pybtrfs.ondisk.uuid import uuid_text
from pybtrfs.volume.device import Device
from pybtrfs.volume.opening import ANYWHERE, Where, name_of, open_volume
from pybtrfs.volume.volume import Volume, unknown_compat_ro

_MOST_NOTICES = 10
_MOST_TREES = 64  # kept: each remembers the leaf that it found last
LOG_WAITS = "a tree log waits to be replayed; what is shown is the state without it"


def open_filesystem(
    image: str | Device, where: Where = ANYWHERE, notice: Callable[[str], None] = lambda text: None
) -> "Filesystem":
    """The filesystem in an image, for reading: a file or block device by its path, a URL that fsspec knows, a device.

    A device that is given is closed with the filesystem.

    `notice` takes lines that a user should see: a mirror superblock in use, a partition chosen, a log that
    waits, an image that the kernel holds. Raises `DeviceError`, `NotBtrfsError`, `UnsupportedError`, `CorruptError`.
    """
    path, volume = name_of(image), open_volume(image, where, notice)
    try:
        filesystem = Filesystem(volume)
        filesystem.refuse_strangers()
    except BaseException as error:
        volume.close()
        if isinstance(error, PybtrfsError) and not str(error).startswith((path, *map(name_of, where.devices))):
            raise type(error)(f"{path}: {error}") from None
        raise
    for problem in (*filesystem.chunk_problems[:_MOST_NOTICES], *_under_way(filesystem.superblock)):
        notice(f"{path}: {problem}")
    for devid, item in filesystem.missing_devices():
        seed = "" if item.fsid == filesystem.superblock.block_fsid else f", of the seed {uuid_text(item.fsid)}"
        notice(f"{path}: devid {devid} (uuid {uuid_text(item.uuid)}{seed}) is missing")
    for name in unknown_compat_ro(volume.superblock):
        notice(f"{path}: read-only: {name}")
    if volume.superblock.log_root:
        notice(f"{path}: {LOG_WAITS}")
    return filesystem


def _mismatches(ours: Superblock, known: DevItem, main: Superblock) -> Iterator[str]:
    """Where a member's superblock is not what the chunk tree knows of the device."""
    uuid, devid = ours.dev_item.uuid, known.devid
    if (ours.fsid, ours.metadata_uuid) != (main.fsid, main.metadata_uuid):  # it is a seed
        if (ours.block_fsid, uuid) != (known.fsid, known.uuid):
            theirs = f"devid {devid} is of {uuid_text(known.fsid)} (uuid {uuid_text(known.uuid)})"
            yield f"is of another filesystem: a seed, fsid {uuid_text(ours.fsid)} (uuid {uuid_text(uuid)}), {theirs}"
        elif ours.generation != known.generation:
            yield f"is a seed of generation {ours.generation}, the filesystem was grown on it at {known.generation}"
    if uuid != known.uuid:
        yield f"devid {devid} has uuid {uuid_text(uuid)}, the filesystem knows {uuid_text(known.uuid)}"


def _under_way(superblock: Superblock) -> Iterator[str]:
    """What btrfstune began and did not finish; some of what is read may then look damaged."""
    for name in c.flag_names(superblock.flags, c.SUPER_FLAG_NAMES):
        if name.startswith("CHANGING_"):
            yield f"a change is under way and was not finished: {name}"


class Filesystem:
    """Trees of one volume. Use as a context manager, or call `close`."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self.superblock: Superblock = volume.superblock
        self.nodesize, self.sectorsize = volume.nodesize, volume.sectorsize
        self.csum_type: CsumType = volume.csum_type
        self.store = BlockStore(volume)
        self.chunk_problems: list[str] = []
        self._trees: dict[int, Tree] = {}
        sb = volume.superblock
        self.chunk_tree = self._tree(
            c.CHUNK_TREE_OBJECTID, sb.chunk_root, sb.chunk_root_level, sb.chunk_root_generation
        )
        self.root_tree = self._tree(c.ROOT_TREE_OBJECTID, sb.root, sb.root_level, sb.generation)
        first, last = Key(c.FIRST_CHUNK_TREE_OBJECTID, c.CHUNK_ITEM_KEY, 0), Key(c.U64_MAX, 255, c.U64_MAX)
        for item in self.chunk_tree.items(first, last):
            if item.key.type == c.CHUNK_ITEM_KEY:
                self._add_chunk(item)
        devices = Key(c.DEV_ITEMS_OBJECTID, c.DEV_ITEM_KEY, 0), Key(c.DEV_ITEMS_OBJECTID, c.DEV_ITEM_KEY, c.U64_MAX)
        self.device_items = {item.key.offset: item.read(DEV_ITEM) for item in self.chunk_tree.items(*devices)}
        self.volume.accept_seeds(item.fsid for item in self.device_items.values())

    def _add_chunk(self, item: Item) -> None:
        try:
            self.volume.add_chunk(item.key, item.data)
        except CorruptError as error:
            self.chunk_problems.append(f"leaf {item.bytenr} slot {item.slot}: {error}; its addresses cannot be read")

    def __enter__(self) -> "Filesystem":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.volume.close()

    def missing_devices(self) -> list[tuple[int, DevItem]]:
        """The devices, by devid, that the chunk tree knows and nobody gave."""
        return [(devid, item) for devid, item in self.device_items.items() if devid not in self.volume.devices]

    def refuse_strangers(self) -> None:
        """`RefusedError` where a device is not the one that the chunk tree knows under its devid."""
        for devid, device in self.volume.devices.items():
            known, ours = self.device_items.get(devid), self.volume.superblocks.get(devid)
            if known is None:
                raise RefusedError(f"{device.name}: is devid {devid}, which the filesystem does not have")
            for problem in _mismatches(ours, known, self.superblock) if ours else ():
                raise RefusedError(f"{device.name}: {problem}")

    @property
    def begins_elsewhere(self) -> bool:
        """Whether an older state is looked at, of which the superblock on the devices says nothing."""
        return self.superblock is not self.volume.superblock

    def begin_at(self, bytenr: int) -> None:
        """Take the block at `bytenr` for the root of the root tree: an older state, where its blocks still stand.

        Raises `CorruptError` where no block of a root tree is there.
        """
        block = self.store.read(bytenr, Expected(owner=c.ROOT_TREE_OBJECTID))
        self.root_tree = self._tree(c.ROOT_TREE_OBJECTID, bytenr, block.level, block.header.generation)
        self.superblock = self.superblock._replace(
            root=bytenr, root_level=block.level, generation=block.header.generation, log_root=0
        )
        self._trees.clear()

    def begin_at_backup(self) -> None:
        """Take the newest backup root that is older than the current one and can be read."""
        older = [root for root in self.superblock.super_roots if 0 < root.tree_root_gen < self.superblock.generation]
        problems = []
        for backup in sorted(older, key=lambda root: -root.tree_root_gen):
            try:
                self.begin_at(backup.tree_root)
            except CorruptError as error:
                problems.append(str(error))
                continue
            self.superblock = self.superblock._replace(bytes_used=backup.bytes_used)
            return
        raise CorruptError(f"no backup root can be read: {'; '.join(problems) or 'there is none'}")

    @property
    def log_root_tree(self) -> Tree | None:
        """The tree that holds a root item for each log tree; None where no log waits."""
        sb = self.superblock
        if not sb.log_root:
            return None
        return self._tree(c.TREE_LOG_OBJECTID, sb.log_root, sb.log_root_level, sb.generation + 1)

    def find_root_item(self, tree_id: int) -> tuple[Key, RootItem] | None:
        """The root item of a tree with its key; the newest where a tree has several."""
        first, last = Key(tree_id, c.ROOT_ITEM_KEY, 0), Key(tree_id, c.ROOT_ITEM_KEY, c.U64_MAX)
        for item in self.root_tree.items_backwards(last, first):
            return item.key, effective(item.read(ROOT_ITEM))
        return None

    def root_items(self) -> Iterator[tuple[Key, RootItem]]:
        """The root item of each tree, in the order of their ids; the newest where a tree has several."""
        newest: Item | None = None
        for item in self.root_tree.items():
            if item.key.type == c.ROOT_ITEM_KEY:
                if newest is not None and newest.key.objectid != item.key.objectid:
                    yield newest.key, effective(newest.read(ROOT_ITEM))
                newest = item
        if newest is not None:
            yield newest.key, effective(newest.read(ROOT_ITEM))

    def find_tree(self, tree_id: int) -> Tree | None:
        """The tree with this id; None where the filesystem has none."""
        if tree_id in self._trees:
            return self._trees[tree_id]
        special = {c.ROOT_TREE_OBJECTID: self.root_tree, c.CHUNK_TREE_OBJECTID: self.chunk_tree}
        if tree_id in special:
            return special[tree_id]
        if tree_id == c.TREE_LOG_OBJECTID:
            return self.log_root_tree
        found = self.find_root_item(tree_id)
        if found is None:
            return None
        while len(self._trees) >= _MOST_TREES:
            del self._trees[next(iter(self._trees))]
        return self._trees.setdefault(tree_id, self.tree_of(tree_id, found[1]))

    def tree(self, tree_id: int) -> Tree:
        """The tree with this id; `NotFoundError` where the filesystem has none."""
        found = self.find_tree(tree_id)
        if found is None:
            raise NotFoundError(f"no tree with id {tree_id}")
        return found

    def tree_of(self, tree_id: int, root_item: RootItem) -> Tree:
        """The tree that a root item describes."""
        return self._tree(tree_id, root_item.bytenr, root_item.level, root_item.generation)

    def _tree(self, tree_id: int, bytenr: int, level: int, generation: int) -> Tree:
        return Tree(self.store, Root(tree_id, bytenr, level, generation))
