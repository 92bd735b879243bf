"""What the trees of an empty filesystem hold: a table of trees, and a function for the items of each.

The items of some trees depend on where the blocks of all trees are (root items, extent items, block groups, free
space). Each function therefore takes the `Layout` that the last round of building gave; `plan` repeats the round
until nothing moves.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pybtrfs.btree.bulk import BuiltTree
from pybtrfs.checksum import name_hash
from pybtrfs.mkfs.blockgroups import BlockGroup, used_on_device
from pybtrfs.mkfs.options import Options
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import (
    BLOCK_GROUP_ITEM,
    CHUNK,
    DEV_EXTENT,
    DEV_ITEM,
    DEV_STATS,
    BlockGroupItem,
    Chunk,
    DevExtent,
    DevItem,
    DevStats,
    Stripe,
)
from pybtrfs.ondisk.dir import DIR_ITEM, DirItem
from pybtrfs.ondisk.extent import EXTENT_ITEM, METADATA_ITEM, ExtentItem, InlineRef, TreeBlockInfo
from pybtrfs.ondisk.free_space import FREE_SPACE_INFO, FreeSpaceInfo
from pybtrfs.ondisk.inode import INODE_ITEM, INODE_REF, InodeItem, InodeRef, Timespec
from pybtrfs.ondisk.key import MIN_KEY, Key
from pybtrfs.ondisk.quota import QGROUP_INFO, QGROUP_LIMIT, QGROUP_STATUS, QgroupInfo, QgroupLimit, QgroupStatus
from pybtrfs.ondisk.root import ROOT_ITEM, RootItem
from pybtrfs.ondisk.uuid import NULL_UUID, SUBVOL_IDS, SubvolId, uuid_key

Item = tuple[Key, bytes]

_DIRECTORY_MODE = 0o40755
_NO_TIME = Timespec(0, 0)


class Member(NamedTuple):
    """A device of the filesystem."""

    devid: int
    size: int  # bytes of the device that the filesystem uses
    uuid: bytes


class Spec(NamedTuple):
    """All that is settled before a block has an address."""

    options: Options
    members: tuple[Member, ...]  # by devid
    groups: tuple[BlockGroup, ...]
    fsid: bytes
    chunk_tree_uuid: bytes
    subvolume_uuid: bytes  # of the top-level subvolume
    now: int  # seconds since 1970
    generation: int

    @property
    def size(self) -> int:
        """Bytes of all devices."""
        return sum(member.size for member in self.members)


class TreeBlock(NamedTuple):
    """Where a block of a tree is."""

    bytenr: int
    owner: int
    level: int
    first_key: Key


class Layout(NamedTuple):
    """Where all blocks are, by address, and where each tree begins."""

    blocks: tuple[TreeBlock, ...] = ()
    roots: tuple[tuple[int, BuiltTree], ...] = ()

    def used_in(self, group: BlockGroup, nodesize: int) -> int:
        """Bytes of a block group that blocks take."""
        return nodesize * sum(group.start <= block.bytenr < group.start + group.length for block in self.blocks)


class TreeRow(NamedTuple):
    """A tree: its items, the feature it belongs to, and whether it is a subvolume's."""

    id: int
    items: Callable[[Spec, Layout], Iterable[Item]]
    features: tuple[str, ...] = ()  # it is there with any of these; without a condition where there are none
    subvolume: bool = False


def trees_of(options: Options) -> list[TreeRow]:
    """The trees that such a filesystem has, in the order in which their blocks get addresses."""
    return [row for row in TREES if not row.features or any(map(options.features.has, row.features))]


def device_item(spec: Spec, member: Member) -> DevItem:
    """A device, as it stands in the chunk tree and in its own superblock."""
    align, used = spec.options.sectorsize, used_on_device(spec.groups, member.devid)
    numbers = (member.devid, member.size, used, align, align, align, 0, 0, 0, 0, 0, 0)
    return DevItem(*numbers, uuid=member.uuid, fsid=spec.fsid)


def chunk_items(spec: Spec, kinds: int = c.BLOCK_GROUP_TYPE_MASK) -> Iterator[Item]:
    """The chunks of the kinds asked for, by logical address."""
    for group in spec.groups:
        if group.flags & kinds:
            key = Key(c.FIRST_CHUNK_TREE_OBJECTID, c.CHUNK_ITEM_KEY, group.start)
            yield key, CHUNK.build(_chunk(spec, group))


def _chunk(spec: Spec, group: BlockGroup) -> Chunk:
    uuids = {member.devid: member.uuid for member in spec.members}
    return Chunk(
        length=group.length,
        owner=c.EXTENT_TREE_OBJECTID,
        stripe_len=c.STRIPE_LEN,
        type=group.flags,
        io_align=group.io_align,
        io_width=group.io_align,
        sector_size=spec.options.sectorsize,
        num_stripes=len(group.stripes),
        sub_stripes=group.sub_stripes,
        stripes=tuple(Stripe(place.devid, place.physical, uuids[place.devid]) for place in group.stripes),
    )


def _chunk_tree(spec: Spec, _: Layout) -> Iterator[Item]:
    for member in spec.members:
        yield Key(c.DEV_ITEMS_OBJECTID, c.DEV_ITEM_KEY, member.devid), DEV_ITEM.build(device_item(spec, member))
    yield from chunk_items(spec)


def _device_tree(spec: Spec, _: Layout) -> Iterator[Item]:
    for member in spec.members:
        yield Key(c.DEV_STATS_OBJECTID, c.PERSISTENT_ITEM_KEY, member.devid), DEV_STATS.build(DevStats(0, 0, 0, 0, 0))
    for place, group in sorted((place, owner) for owner in spec.groups for place in owner.stripes):
        ids = c.CHUNK_TREE_OBJECTID, c.FIRST_CHUNK_TREE_OBJECTID
        extent = DevExtent(*ids, group.start, group.stripe_length, spec.chunk_tree_uuid)
        yield Key(place.devid, c.DEV_EXTENT_KEY, place.physical), DEV_EXTENT.build(extent)


def _root_tree(spec: Spec, layout: Layout) -> list[Item]:
    """A root item for each tree that the superblock does not name, and the directory with the default subvolume."""
    items = [_root_item(spec, layout, row) for row in trees_of(spec.options) if row.id not in _NAMED_BY_SUPERBLOCK]
    top = Key(c.FS_TREE_OBJECTID, c.ROOT_ITEM_KEY, c.U64_MAX)
    default = DirItem.of(top, spec.generation, c.FT_DIR, b"default")
    key = Key(c.FS_TREE_OBJECTID, c.INODE_REF_KEY, c.ROOT_TREE_DIR_OBJECTID)
    items.append((key, INODE_REF.build(InodeRef.of(0, default.name))))
    key = Key(c.ROOT_TREE_DIR_OBJECTID, c.DIR_ITEM_KEY, name_hash(default.name))
    items.append((key, DIR_ITEM.build(default)))
    items += _directory(spec, c.ROOT_TREE_DIR_OBJECTID)
    return sorted(items)


def _root_item(spec: Spec, layout: Layout, row: TreeRow) -> Item:
    root = dict(layout.roots).get(row.id, BuiltTree(0, 0, 0))
    top = row.id == c.FS_TREE_OBJECTID
    time = Timespec(spec.now, 0) if top else _NO_TIME
    item = RootItem(
        inode=_template(spec, row),
        generation=spec.generation,
        root_dirid=c.FIRST_FREE_OBJECTID if row.subvolume else 0,
        bytenr=root.bytenr,
        byte_limit=0,
        bytes_used=root.blocks * spec.options.nodesize,
        last_snapshot=0,
        flags=0,
        refs=1,
        drop_progress=MIN_KEY,
        drop_level=0,
        level=root.level,
        generation_v2=spec.generation,
        uuid=spec.subvolume_uuid if top else NULL_UUID,
        parent_uuid=NULL_UUID,
        received_uuid=NULL_UUID,
        ctransid=0,
        otransid=0,
        stransid=0,
        rtransid=0,
        ctime=time,
        otime=time,
        stime=_NO_TIME,
        rtime=_NO_TIME,
        reserved=b"",
    )
    return Key(row.id, c.ROOT_ITEM_KEY, 0), ROOT_ITEM.build(item)


def _template(spec: Spec, row: TreeRow) -> InodeItem:
    """The inode in a root item, of which only the flags mean something; btrfs-progs leave three of them empty."""
    flags = c.INODE_ROOT_ITEM_INIT if row.subvolume else 0
    inode = _inode(spec, 1, _NO_TIME)._replace(size=3, flags=flags)
    if row.id in (c.QUOTA_TREE_OBJECTID, c.UUID_TREE_OBJECTID, c.DATA_RELOC_TREE_OBJECTID):
        return inode._replace(generation=0, size=0, nbytes=0, nlink=0, mode=0)
    return inode


def _subvolume(spec: Spec, _: Layout) -> list[Item]:
    return _directory(spec, c.FIRST_FREE_OBJECTID)


def _directory(spec: Spec, number: int) -> list[Item]:
    """An empty directory that is its own parent."""
    inode = _inode(spec, spec.generation, Timespec(spec.now, 0))
    return [
        (Key(number, c.INODE_ITEM_KEY, 0), INODE_ITEM.build(inode)),
        (Key(number, c.INODE_REF_KEY, number), INODE_REF.build(InodeRef.of(0, b".."))),
    ]


def _inode(spec: Spec, generation: int, time: Timespec) -> InodeItem:
    return InodeItem(
        generation=generation,
        transid=0,
        size=0,
        nbytes=spec.options.nodesize,
        block_group=0,
        nlink=1,
        uid=0,
        gid=0,
        mode=_DIRECTORY_MODE,
        rdev=0,
        flags=0,
        sequence=0,
        reserved=b"",
        atime=time,
        ctime=time,
        mtime=time,
        otime=time,
    )


def _uuid_tree(spec: Spec, _: Layout) -> list[Item]:
    return [(uuid_key(spec.subvolume_uuid), SUBVOL_IDS.build([SubvolId(c.FS_TREE_OBJECTID)]))]


def _quota_tree(spec: Spec, _: Layout) -> Iterator[Item]:
    """The account of the top-level subvolume, whose one block it holds, with no limit.

    btrfs-progs 7.3 leave the limit's bytes to chance, and the tree's root item without its size; here they are what
    the kernel makes of them. The leaf is as old as simple quotas are, so that it counts.
    """
    simple = spec.options.features.has("squota")
    flags = c.QGROUP_STATUS_FLAG_ON | (c.QGROUP_STATUS_FLAG_SIMPLE_MODE if simple else 0)
    since = spec.generation if simple else 0
    status = QgroupStatus(c.QGROUP_STATUS_VERSION, spec.generation, flags, rescan=0, enable_gen=since)
    yield Key(0, c.QGROUP_STATUS_KEY, 0), QGROUP_STATUS.build(status)
    held = spec.options.nodesize
    info = QgroupInfo(spec.generation, rfer=held, rfer_cmpr=held, excl=held, excl_cmpr=held)
    yield Key(0, c.QGROUP_INFO_KEY, c.FS_TREE_OBJECTID), QGROUP_INFO.build(info)
    yield Key(0, c.QGROUP_LIMIT_KEY, c.FS_TREE_OBJECTID), QGROUP_LIMIT.build(QgroupLimit(0, 0, 0, 0, 0))


def _nothing(_: Spec, __: Layout) -> list[Item]:
    return []


def _extent_tree(spec: Spec, layout: Layout) -> list[Item]:
    items = [_extent_item(spec, block) for block in layout.blocks]
    if not spec.options.features.has("block-group-tree"):
        items += _block_groups(spec, layout)
    return sorted(items)


def _extent_item(spec: Spec, block: TreeBlock) -> Item:
    ref = InlineRef(c.TREE_BLOCK_REF_KEY, block.owner)
    item = ExtentItem(1, spec.generation, c.EXTENT_FLAG_TREE_BLOCK, None, (ref,))
    if spec.options.features.has("skinny-metadata"):
        return Key(block.bytenr, c.METADATA_ITEM_KEY, block.level), METADATA_ITEM.build(item)
    item = item._replace(tree_block=TreeBlockInfo(block.first_key, block.level))
    return Key(block.bytenr, c.EXTENT_ITEM_KEY, spec.options.nodesize), EXTENT_ITEM.build(item)


def _block_groups(spec: Spec, layout: Layout) -> Iterator[Item]:
    for group in spec.groups:
        used = layout.used_in(group, spec.options.nodesize)
        item = BlockGroupItem(used, c.FIRST_CHUNK_TREE_OBJECTID, group.flags)
        yield Key(group.start, c.BLOCK_GROUP_ITEM_KEY, group.length), BLOCK_GROUP_ITEM.build(item)


def _free_space_tree(spec: Spec, layout: Layout) -> Iterator[Item]:
    for group in spec.groups:
        free = list(_free_ranges(spec, layout, group))
        key = Key(group.start, c.FREE_SPACE_INFO_KEY, group.length)
        yield key, FREE_SPACE_INFO.build(FreeSpaceInfo(len(free), 0))
        for start, length in free:
            yield Key(start, c.FREE_SPACE_EXTENT_KEY, length), b""


def _free_ranges(spec: Spec, layout: Layout, group: BlockGroup) -> Iterator[tuple[int, int]]:
    """Start and length of what no block takes; superblock copies in a stripe count as free, as in the kernel."""
    at, end = group.start, group.start + group.length
    for block in layout.blocks:
        if group.start <= block.bytenr < end:
            if block.bytenr > at:
                yield at, block.bytenr - at
            at = block.bytenr + spec.options.nodesize
    if at < end:
        yield at, end - at


TREES = (
    TreeRow(c.ROOT_TREE_OBJECTID, _root_tree),
    TreeRow(c.EXTENT_TREE_OBJECTID, _extent_tree),
    TreeRow(c.CHUNK_TREE_OBJECTID, _chunk_tree),
    TreeRow(c.DEV_TREE_OBJECTID, _device_tree),
    TreeRow(c.FS_TREE_OBJECTID, _subvolume, subvolume=True),
    TreeRow(c.CSUM_TREE_OBJECTID, _nothing),
    TreeRow(c.QUOTA_TREE_OBJECTID, _quota_tree, ("quota", "squota")),
    TreeRow(c.UUID_TREE_OBJECTID, _uuid_tree),
    TreeRow(c.FREE_SPACE_TREE_OBJECTID, _free_space_tree, ("free-space-tree",)),
    TreeRow(c.BLOCK_GROUP_TREE_OBJECTID, _block_groups, ("block-group-tree",)),
    TreeRow(c.DATA_RELOC_TREE_OBJECTID, _subvolume, subvolume=True),
)
_NAMED_BY_SUPERBLOCK = (c.ROOT_TREE_OBJECTID, c.CHUNK_TREE_OBJECTID)
