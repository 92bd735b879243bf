"""Where space goes: devices, chunks with their block groups, and sums by type and profile.

A device's DEV_ITEM stands in the chunk tree; a block group, in the extent tree or in a tree of its own, says
how much of its chunk is used.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pybtrfs.btree.search import Tree
from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import BLOCK_GROUP_ITEM, DEV_ITEM, Chunk, DevItem
from pybtrfs.ondisk.key import Key
from pybtrfs.volume.profiles import find_profile


class Usage(NamedTuple):
    """All block groups of one type and profile: logical bytes."""

    flags: int  # as the chunks have them
    total: int
    used: int


class Extent(NamedTuple):
    """What a chunk takes on one device (twice on the same one for DUP): `length` bytes from `start`."""

    devid: int
    start: int
    length: int
    logical: int  # of the chunk
    chunk: Chunk
    used: int  # of the chunk's logical bytes


def devices(filesystem: Filesystem) -> list[DevItem]:
    """The filesystem's devices in the order of their ids, those that are missing included."""
    first = Key(c.DEV_ITEMS_OBJECTID, c.DEV_ITEM_KEY, 0)
    last = first._replace(offset=c.U64_MAX)
    return [item.read(DEV_ITEM) for item in filesystem.chunk_tree.items(first, last)]


def extents(filesystem: Filesystem, complain: Callable[[str], None] | None = None) -> Iterator[Extent]:
    """Each stripe of each chunk, in the order of the chunks' logical addresses.

    Where the block groups cannot be read, `CorruptError`; or, with `complain`, a line about each place that is
    damaged, and extents of which nothing is used.
    """
    used_of = _used_by_chunk(filesystem)
    told: set[str] = set()
    for start, chunk in filesystem.volume.chunks:
        used = 0
        try:
            used = used_of(start, chunk.length)
        except CorruptError as error:
            if complain is None:
                raise
            if str(error) not in told:
                told.add(str(error))
                complain(str(error))
        for stripe in chunk.stripes:
            yield Extent(stripe.devid, stripe.offset, stripe_length(chunk), start, chunk, used)


def _used_by_chunk(filesystem: Filesystem) -> Callable[[int, int], int]:
    """What finds how many bytes of the chunk at an address are used; the tree is looked for when it is first called."""
    tree: Tree | None = None

    def used(start: int, length: int) -> int:
        nonlocal tree
        if tree is None:
            tree = filesystem.find_tree(c.BLOCK_GROUP_TREE_OBJECTID) or filesystem.tree(c.EXTENT_TREE_OBJECTID)
        item = tree.find(Key(start, c.BLOCK_GROUP_ITEM_KEY, length))
        return item.read(BLOCK_GROUP_ITEM).used if item else 0

    return used


def stripe_length(chunk: Chunk) -> int:
    """How many bytes a chunk takes on a device for each of its stripes."""
    profile = find_profile(chunk.type)
    assert profile is not None, "the chunk map lets none through"
    if profile.whole:
        return chunk.length
    return chunk.length // max(1, (chunk.num_stripes - profile.parity) // profile.sub_stripes)


def usages(found: Iterable[Extent]) -> list[Usage]:
    """Sums by type and profile, in the order in which the kernel lists them."""
    sums: dict[int, Usage] = {}
    for extent in {extent.logical: extent for extent in found}.values():
        flags, length = extent.chunk.type, extent.chunk.length
        _, total, used = sums.get(flags, Usage(flags, 0, 0))
        sums[flags] = Usage(flags, total + length, used + extent.used)
    return sorted(sums.values(), key=lambda usage: by_type(usage.flags))


def raw_sizes(found: Iterable[Extent]) -> dict[int, int]:
    """The bytes on all devices that block groups take, by their flags."""
    sums: dict[int, int] = {}
    for extent in found:
        sums[extent.chunk.type] = sums.get(extent.chunk.type, 0) + extent.length
    return sums


def by_type(flags: int) -> tuple[int, int]:
    """The order of block groups: by type, then by profile."""
    return flags & c.BLOCK_GROUP_TYPE_MASK, flags & c.BLOCK_GROUP_PROFILE_MASK


def global_reserve(filesystem: Filesystem) -> int:
    """Bytes that the kernel sets aside for its own metadata when it mounts (`btrfs_update_global_block_rsv`)."""
    sb = filesystem.superblock
    trees = [c.EXTENT_TREE_OBJECTID, c.CSUM_TREE_OBJECTID, c.FREE_SPACE_TREE_OBJECTID, c.BLOCK_GROUP_TREE_OBJECTID]
    found = [root[1] for root in map(filesystem.find_root_item, trees) if root]
    insertion = filesystem.nodesize * _MAX_LEVEL * 2
    delayed = _UNLINK_UNITS * (2 if sb.compat_ro_flags & c.COMPAT_RO_FREE_SPACE_TREE else 1)
    least = insertion * (1 + len(found) + _UNLINK_UNITS + delayed)
    return min(max(sum(root.bytes_used for root in found), least), _MOST_RESERVED)


_MAX_LEVEL, _UNLINK_UNITS, _MOST_RESERVED = 8, 6, 512 << 20
