"""The plan of a filesystem: whatever the options and the size, its parts fit together."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sparse import SparseDevice

from pybtrfs.errors import DeviceError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.mkfs.blockgroups import BlockGroup, Place, block_addresses, least_size, place_block_groups
from pybtrfs.mkfs.options import Options, Request, resolve
from pybtrfs.mkfs.plan import Plan, plan
from pybtrfs.mkfs.trees import TREES
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.superblock import SUPERBLOCK
from pybtrfs.volume.superblocks import read_copies
from pybtrfs.volume.volume import Volume

MIB, GIB = 1024**2, 1024**3
BLOCK_SIZES = st.sampled_from([4096, 8192, 16384, 32768, 65536])
READ, ALL = ["single", "dup"], ["single", "dup", "raid0"]
"""Profiles: those that this version reads, and those that one device can have."""
CHANGED = st.sets(
    st.sampled_from(
        ["^extref", "^skinny-metadata", "^no-holes", "^free-space-tree", "^block-group-tree", "quota", "squota"]
    )
)


@st.composite
def options(draw: st.DrawFn, profiles: list[str] = ALL) -> Options:
    mixed, data, metadata = draw(st.booleans()), *(draw(st.sampled_from(profiles)) for _ in range(2))
    sectorsize, nodesize = sorted([draw(BLOCK_SIZES), draw(BLOCK_SIZES)])
    request = Request(
        label=draw(st.binary(max_size=255)).replace(b"\0", b"").replace(b"\n", b""),
        nodesize=sectorsize if mixed else nodesize,
        sectorsize=sectorsize,
        data=data,
        metadata=data if mixed else metadata,
        mixed=mixed,
        csum=draw(st.sampled_from(["crc32c", "xxhash", "sha256", "blake2"])),
        features=tuple(draw(CHANGED)),
    )
    return resolve(request)


@st.composite
def plans(draw: st.DrawFn, profiles: list[str] = ALL) -> Plan:
    chosen = draw(options(profiles))
    least = least_size(chosen)
    size = draw(st.one_of(st.integers(least, least + 64 * MIB), st.integers(least, 1024 * GIB), st.just(least)))
    return plan(chosen, [size], lambda: 1_700_000_000, uuids())


def uuids() -> Callable[[], bytes]:
    numbers = count(1)
    return lambda: next(numbers).to_bytes(16, "big")


def opened(made: Plan) -> Filesystem:
    device = SparseDevice(made.spec.size)
    for offset, data in (*(write[1:] for write in made.writes()), *made.superblocks()):
        device.write(offset, data)
    return Filesystem(Volume(read_copies(device)[0].superblock, {1: device}))


@given(plans())
def test_no_two_chunks_share_an_address_or_a_byte_of_the_device(made: Plan) -> None:
    logical = sorted((group.start, group.length) for group in made.spec.groups)
    physical = sorted((place.physical, group.stripe_length) for group in made.spec.groups for place in group.stripes)
    for spans in (logical, physical):
        assert all(start + length <= following for (start, length), (following, _) in pairwise(spans))
        assert all(start % c.STRIPE_LEN == 0 and length % c.STRIPE_LEN == 0 for start, length in spans)
    assert physical[0][0] >= c.RESERVED_AT_START
    assert sum(physical[-1]) <= made.spec.size
    assert made.superblock.dev_item.bytes_used == sum(length for _, length in physical)


@given(plans())
def test_tree_blocks_lie_apart_and_never_where_a_superblock_is(made: Plan) -> None:
    nodesize = made.spec.options.nodesize
    spans = sorted((write.offset, write.offset + len(write.data)) for write in made.writes())
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    for offset in c.SUPER_OFFSETS:
        assert not any(start < offset + SUPERBLOCK.size and offset < end for start, end in spans)
    for bytenr, block in made.blocks:
        assert len(block) == nodesize
        assert bytenr % nodesize == 0 or nodesize > 16 * 1024  # chunks are aligned to 64 KiB from 1 MiB on
        owner = next(row.owner for row in made.layout.blocks if row.bytenr == bytenr)
        kind = c.BLOCK_GROUP_SYSTEM if owner == c.CHUNK_TREE_OBJECTID else c.BLOCK_GROUP_METADATA
        group = next(group for group in made.spec.groups if group.start <= bytenr < group.start + group.length)
        assert group.flags & kind


@given(plans(READ))
def test_extents_and_free_space_tile_every_block_group(made: Plan) -> None:
    filesystem, nodesize = opened(made), made.spec.options.nodesize
    extents = filesystem.tree(c.EXTENT_TREE_OBJECTID)
    kinds = {c.METADATA_ITEM_KEY, c.EXTENT_ITEM_KEY}
    spans = [(item.key.objectid, nodesize) for item in extents.items() if item.key.type in kinds]
    assert [bytenr for bytenr, _ in spans] == [bytenr for bytenr, _ in made.blocks]
    free = filesystem.find_tree(c.FREE_SPACE_TREE_OBJECTID)
    assert (free is not None) == made.spec.options.features.has("free-space-tree")
    if free is None:
        return
    free_items = list(free.items())
    spans += [(i.key.objectid, i.key.offset) for i in free_items if i.key.type == c.FREE_SPACE_EXTENT_KEY]
    for group in made.spec.groups:
        inside = sorted(span for span in spans if group.start <= span[0] < group.start + group.length)
        assert inside[0][0] == group.start
        assert all(start + length == following for (start, length), (following, _) in pairwise(inside))
        assert sum(inside[-1]) == group.start + group.length
    infos = {i.key.objectid: i.parse().extent_count for i in free_items if i.key.type == c.FREE_SPACE_INFO_KEY}
    assert set(infos) == {group.start for group in made.spec.groups}
    assert sum(infos.values()) == sum(i.key.type == c.FREE_SPACE_EXTENT_KEY for i in free_items)


@given(plans(READ))
def test_counters_add_up(made: Plan) -> None:
    filesystem, nodesize = opened(made), made.spec.options.nodesize
    separate = made.spec.options.features.has("block-group-tree")
    tree = filesystem.tree(c.BLOCK_GROUP_TREE_OBJECTID if separate else c.EXTENT_TREE_OBJECTID)
    items = [item for item in tree.items() if item.key.type == c.BLOCK_GROUP_ITEM_KEY]
    assert [(i.key.objectid, i.key.offset) for i in items] == [(g.start, g.length) for g in made.spec.groups]
    assert sum(item.parse().used for item in items) == len(made.blocks) * nodesize
    assert made.superblock.bytes_used == len(made.blocks) * nodesize
    roots = sum(item.bytes_used for _, item in filesystem.root_items())
    unnamed = sum(b.owner in (c.ROOT_TREE_OBJECTID, c.CHUNK_TREE_OBJECTID) for b in made.layout.blocks)
    assert roots + unnamed * nodesize == made.superblock.bytes_used


@given(plans(READ))
def test_every_block_is_sound_and_every_tree_is_read_back(made: Plan) -> None:
    filesystem = opened(made)
    owners = [row.owner for row in made.layout.blocks]
    for row in TREES:
        tree = filesystem.find_tree(row.id)
        assert (tree is not None) == (row.id in owners)
        if tree is not None:
            keys = [item.key for item in tree.items()]
            assert keys == sorted(keys)
    assert len(filesystem.volume.chunks) == len(made.spec.groups)


@given(options(), st.integers(0, 2**32))
def test_the_same_input_gives_the_same_bytes(chosen: Options, now: int) -> None:
    first, second = (plan(chosen, [GIB], lambda: now, uuids()) for _ in range(2))
    assert first == second
    assert first.superblocks() == second.superblocks()


@given(options())
def test_one_byte_less_than_the_smallest_size_is_refused_with_that_size(chosen: Options) -> None:
    least = least_size(chosen)
    place_block_groups(chosen, [least])
    with pytest.raises(DeviceError, match=f"needs {least} "):
        plan(chosen, [least - 1], lambda: 0, uuids())


def test_the_uuid_tree_holds_the_top_level_subvolume() -> None:
    made = plan(resolve(Request()), [GIB], lambda: 0, uuids())
    filesystem = opened(made)
    found = filesystem.find_root_item(c.FS_TREE_OBJECTID)
    assert found is not None
    (item,) = filesystem.tree(c.UUID_TREE_OBJECTID).items()
    assert item.key.type == c.UUID_KEY_SUBVOL
    assert (item.key.objectid, item.key.offset) == tuple(
        int.from_bytes(found[1].uuid[half : half + 8], "little") for half in (0, 8)
    )
    assert [entry.id for entry in item.parse()] == [c.FS_TREE_OBJECTID]


@pytest.mark.parametrize(("size", "copies"), [(109 * MIB, 2), (256 * GIB, 2), (256 * GIB + 4096, 3), (GIB, 2)])
def test_every_superblock_copy_that_fits_is_written_with_its_own_address(size: int, copies: int) -> None:
    made = plan(resolve(Request()), [size], lambda: 0, uuids())
    written = made.superblocks()
    assert [offset for offset, _ in written] == list(c.SUPER_OFFSETS[:copies])
    assert all(SUPERBLOCK.unpack_from(data).bytenr == offset for offset, data in written)


@pytest.mark.parametrize("nodesize", [4096, 16384, 65536])
def test_no_block_is_put_into_the_64_kib_around_a_superblock_copy(nodesize: int) -> None:
    """The second stripe begins 64 KiB below the mirror at 64 MiB, where no size of today's rules puts one."""
    stripes = (Place(1, 32 * MIB), Place(1, 64 * MIB - 65536))
    group = BlockGroup(5 * MIB, MIB, c.BLOCK_GROUP_METADATA | c.BLOCK_GROUP_DUP, stripes, c.STRIPE_LEN, 1)
    addresses = list(block_addresses(group, nodesize))
    assert len(addresses) == 15 * (65536 // nodesize)
    assert not any(5 * MIB + 65536 <= bytenr < 5 * MIB + 2 * 65536 for bytenr in addresses)


def test_given_uuids_are_used_and_no_others_are_asked_for_in_their_place() -> None:
    asked = uuids()
    made = plan(resolve(Request(fsid=b"F" * 16, device_uuid=b"D" * 16)), [GIB], lambda: 0, asked)
    assert (made.superblock.fsid, made.superblock.dev_item.uuid) == (b"F" * 16, b"D" * 16)
    assert int.from_bytes(asked(), "big") == 3  # two were drawn: of the chunk tree and of the subvolume
