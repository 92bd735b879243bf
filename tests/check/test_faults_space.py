"""Faults in tree blocks, extents, space, devices, chunks and superblocks."""

import pytest
from faults import Fault, Sick, rows, unsound
from planted import Planted, findings

from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import CHUNK, STRIPE
from pybtrfs.ondisk.extent import (
    EXTENT_HEAD,
    EXTENT_ITEM,
    INLINE_EXTENT_DATA_REF,
    INLINE_REF,
    TREE_BLOCK_INFO,
    ExtentItem,
)  # fmt: skip
from pybtrfs.ondisk.file_extent import FILE_EXTENT
from pybtrfs.ondisk.header import leaf_data_size

pytestmark = pytest.mark.kernel
EXTENT, METADATA, GROUP, CSUM = c.EXTENT_ITEM_KEY, c.METADATA_ITEM_KEY, c.BLOCK_GROUP_ITEM_KEY, c.EXTENT_CSUM_KEY
INFO, FREE, CHUNK_ITEM, DEVICE = c.FREE_SPACE_INFO_KEY, c.FREE_SPACE_EXTENT_KEY, c.CHUNK_ITEM_KEY, c.DEV_ITEM_KEY
FREES, GROUPS = c.FREE_SPACE_TREE_OBJECTID, c.BLOCK_GROUP_TREE_OBJECTID
EXTENTS, CHUNKS, DEVICES, CSUMS = (
    c.EXTENT_TREE_OBJECTID,
    c.CHUNK_TREE_OBJECTID,
    c.DEV_TREE_OBJECTID,
    c.CSUM_TREE_OBJECTID,
)
DATA = (None, EXTENT, None)  # the first extent item of `default` is of data


def leaf(p: Planted, tree: int, number: int = 0) -> int:
    return list(p.tree(tree).leaves())[number].bytenr


def root(p: Planted, tree: int) -> int:
    return p.tree(tree).root.bytenr


def head(key: tuple[int | None, ...], field: str, value: int) -> object:
    return lambda p: p.set(EXTENTS, key, field, value, EXTENT_HEAD)


def inline(field: str, value: int) -> object:
    """A field of the first backref, of data, in an extent item."""
    return lambda p: p.set(EXTENTS, DATA, field, value, INLINE_EXTENT_DATA_REF, EXTENT_HEAD.size)


def empty_leaf(p: Planted) -> None:
    p.header(leaf(p, 256, 1), "nritems", 0)


def keys_that_fall(p: Planted) -> None:
    """The last key of a leaf behind the first one of the next."""
    first, second = list(p.tree(256).leaves())[:2]
    last, behind = first.keys[-1], second.keys[1]
    p.rekey(256, last, objectid=behind.objectid, type=behind.type + 100, offset=behind.offset)


def first_extent(p: Planted) -> int:
    return p.item(EXTENTS, DATA).key.objectid


def overlapping_extent(p: Planted) -> None:
    item = p.item(EXTENTS, (None, EXTENT, 614400))
    p.insert(EXTENTS, (item.key.objectid + 4096, EXTENT, 4096), item.data)


def extent_outside(p: Planted) -> None:
    p.insert(EXTENTS, (1 << 40, EXTENT, 4096), p.item(EXTENTS, DATA).data)


def edited(p: Planted, key: tuple[int | None, ...], change: object) -> None:
    """An extent item whose inline backrefs are changed by a function from tuple to tuple."""
    item = p.item(EXTENTS, key)
    value: ExtentItem = EXTENT_ITEM.parse(item.data)
    p.replace(EXTENTS, item.key, EXTENT_ITEM.build(value._replace(inline_refs=change(value.inline_refs))))  # type: ignore[operator]


def keyed_elsewhere(p: Planted) -> None:
    item = p.item(EXTENTS, (None, c.EXTENT_DATA_REF_KEY, None))
    p.rekey(EXTENTS, item.key, offset=item.key.offset - 1)


def of_group(field: str, value: int, which: int = 0) -> object:
    return lambda p: p.set(GROUPS, p.item(GROUPS, (None, GROUP, None), which).key, field, value)


def lose_free_space(p: Planted) -> None:
    p.delete(FREES, (None, FREE, None))


def move_free_space(p: Planted) -> None:
    item = p.item(FREES, (None, FREE, None))
    p.rekey(FREES, item.key, objectid=item.key.objectid - 4096)


def overlap_free_space(p: Planted) -> None:
    item = p.item(FREES, (None, FREE, None))
    p.insert(FREES, (item.key.objectid + 4096, FREE, 4096), b"")


def split_free_space(p: Planted) -> None:
    item = p.item(FREES, (None, FREE, None))
    p.insert(FREES, (item.key.objectid + 4096, FREE, item.key.offset - 4096), b"")
    p.rekey(FREES, item.key, offset=4096)


def bits_that_are_none(p: Planted) -> None:
    p.set(FREES, (None, INFO, None), "flags", c.FREE_SPACE_USING_BITMAPS)


def of_chunk(field: str, value: int) -> object:
    return lambda p: p.set(CHUNKS, (None, CHUNK_ITEM, None), field, value)


def of_stripe(field: str, value: int | bytes, number: int = 0) -> object:
    return lambda p: p.set(CHUNKS, (None, CHUNK_ITEM, None), field, value, STRIPE, CHUNK.size + number * STRIPE.size)


def of_device(field: str, value: int | bytes) -> object:
    return lambda p: p.set(CHUNKS, (None, DEVICE, None), field, value)


def of_super(copies: tuple[int, ...] = (0, 1), **fields: int | bytes) -> object:
    return lambda p: p.superblock(copies, **fields)


def flag(name: str, bits: int) -> object:
    return lambda p: p.superblock(**{name: getattr(p.filesystem.superblock, name) | bits})


def without(name: str, bits: int) -> object:
    return lambda p: p.superblock(**{name: getattr(p.filesystem.superblock, name) & ~bits})


def two_stripes_in_one_place(p: Planted) -> None:
    item = next(i for i in p.items(CHUNKS, (None, CHUNK_ITEM, None)) if i.parse().num_stripes == 2)
    offset = item.parse().stripes[0].offset
    p.set(CHUNKS, item.key, "offset", offset, STRIPE, CHUNK.size + STRIPE.size)


def system_chunk_of_the_array(field: str, value: int) -> object:
    def plant(p: Planted) -> None:
        size = p.filesystem.superblock.sys_chunk_array_size
        array = bytearray(p.filesystem.superblock.sys_chunk_array)
        at = 17 + CHUNK.offset_of(field)
        array[at : at + 4] = value.to_bytes(4, "little")
        assert size > at
        p.superblock(sys_chunk_array=bytes(array))

    return plant


def a_system_chunk_more(p: Planted) -> None:
    item = p.item(CHUNKS, (None, CHUNK_ITEM, None))
    p.set(CHUNKS, item.key, "type", c.BLOCK_GROUP_SYSTEM)


def backup_root(field: str, value: int) -> object:
    def plant(p: Planted) -> None:
        number = next(n for n, b in enumerate(p.filesystem.superblock.super_roots) if b.tree_root)
        p.superblock(super_roots=_with_backup(p, number, field, value))

    return plant


def _with_backup(p: Planted, number: int, field: str, value: int) -> bytes:
    from pybtrfs.ondisk.superblock import ROOT_BACKUP

    backups = list(p.filesystem.superblock.super_roots)
    backups[number] = backups[number]._replace(**{field: value})
    return b"".join(map(ROOT_BACKUP.pack, backups))


def newest_backup(p: Planted) -> None:
    sb = p.filesystem.superblock
    number = next(n for n, b in enumerate(sb.super_roots) if b.tree_root_gen == sb.generation)
    p.superblock(super_roots=_with_backup(p, number, "tree_root", sb.root + 16384))


def other_fsid(p: Planted) -> None:
    p.superblock((1,), fsid=b"o" * 16, dev_item__fsid=b"o" * 16)


def crossing_block(p: Planted) -> None:
    item = p.item(EXTENTS, (None, METADATA, 0))
    free = p.filesystem.volume.chunks.find(item.key.objectid)
    assert free is not None
    p.insert(EXTENTS, (free[0] + (1 << 20) - 4096, METADATA, 0), item.data)


BLOCKS = [
    Fault("a block whose checksum fails", "default", "BLK-001", lambda p: p.raw(leaf(p, 256), 5000, b"damage")),
    Fault("the root tree is lost", "default", "BLK-001 BLK-009", lambda p: p.raw(root(p, 1), 5000, b"damage")),
    Fault("one copy of a block", "default", "BLK-002", lambda p: p.raw(leaf(p, 256), 5000, b"damage", slice(1))),
    Fault("the other copy of a block", "default", "BLK-002",
          lambda p: p.raw(leaf(p, 256), 5000, b"damage", slice(1, 2))),
    Fault("a block that says another address", "default", "BLK-001", lambda p: p.header(leaf(p, 256), "bytenr", 4096)),
    Fault("a block of another level", "default", "BLK-001", lambda p: p.header(leaf(p, 256), "level", 1)),
    Fault("a block never written", "default", "BLK-001", lambda p: p.header(leaf(p, 256), "flags", 1 << 56)),
    Fault("an item that ends outside", "default", "BLK-001", lambda p: p.item_header(leaf(p, 256), 0, "size", 9999)),
    Fault("more items than fit", "default", "BLK-001",
          lambda p: p.header(leaf(p, 256), "nritems", leaf_data_size(p.filesystem.nodesize))),
    Fault("a block of a relocation", "default", "BLK-010", lambda p: p.header(leaf(p, 9), "flags", 3 | 1 << 56)),
    Fault("a node of another backref revision", "default", "BLK-010", lambda p: p.header(root(p, 256), "flags", 1)),
    Fault("a pointer with another generation", "default", "BLK-003",
          lambda p: p.pointer(root(p, 256), 1, "generation", 3)),
    Fault("a pointer with another key", "default", "BLK-004",
          lambda p: p.pointer(root(p, 256), 1, "key.offset", p.tree(256).root_block().keys[1].offset - 1)),
    Fault("an empty leaf", "default", "BLK-005", empty_leaf),
    Fault("a leaf of another tree", "default", "BLK-006", lambda p: p.header(root(p, CSUMS), "owner", 5)),
    Fault("keys that fall between leaves", "default", "BLK-007", keys_that_fall),
    Fault("a pointer to nowhere", "default", "BLK-001", lambda p: p.pointer(root(p, 256), 1, "blockptr", 1 << 40)),
]  # fmt: skip

EXTENT_FAULTS = [
    Fault("a backref of another tree", "default", "EXT-001", inline("root", 256)),
    Fault("a backref of another inode", "default", "EXT-001", inline("objectid", 300)),
    Fault("a backref that counts too much", "default", "EXT-001 EXT-002", inline("ref_count", 2)),
    Fault("an extent item is gone", "default", "EXT-001 SPC-005", lambda p: p.delete(EXTENTS, DATA)),
    Fault("an item of a tree block is gone", "default", "EXT-001 EXT-011",
          lambda p: p.delete(EXTENTS, (None, METADATA, 0))),
    Fault("a count of references", "default", "EXT-002", head(DATA, "refs", 2)),
    Fault("a length in a file extent", "default", "EXT-003",
          lambda p: p.set(5, (260, c.EXTENT_DATA_KEY, 0), "disk_num_bytes", 8192, FILE_EXTENT)),
    Fault("extents that overlap", "default", "EXT-005", overlapping_extent),
    Fault("an extent off its sector", "default", "EXT-006", lambda p: p.rekey(EXTENTS, DATA, offset=4097)),
    Fault("an extent of no kind", "default", "EXT-007", head(DATA, "flags", 0)),
    Fault("an extent with unknown flags", "default", "EXT-007", head(DATA, "flags", 1 | 1 << 20)),
    Fault("an extent of the future", "default", "EXT-008", head(DATA, "generation", 1 << 40)),
    Fault("a tree block of another length", "old", "EXT-009",
          lambda p: p.rekey(EXTENTS, p.item(EXTENTS, (None, EXTENT, 16384)).key, offset=4096)),
    Fault("a tree block over a boundary", "default", "EXT-010", crossing_block),
    Fault("a level in a skinny item", "default", "EXT-011", lambda p: p.rekey(EXTENTS, (None, METADATA, 1), offset=2)),
    Fault("a level in a fat item", "old", "EXT-011",
          lambda p: p.set(EXTENTS, (None, EXTENT, 16384), "level", 3, TREE_BLOCK_INFO, EXTENT_HEAD.size)),
    Fault("a generation in an item", "default", "EXT-012", head((None, METADATA, 0), "generation", 3)),
    Fault("an unknown backref", "default", "EXI-001", inline("type", 77)),
    Fault("half a backref", "default", "EXI-001",
          lambda p: p.replace(EXTENTS, DATA, p.item(EXTENTS, DATA).data + b"\xb2\0\0")),
    Fault("backrefs out of order", "reflinks", "EXI-002", lambda p: edited(p, DATA, lambda refs: refs[::-1])),
    Fault("a backref of a block on data", "default", "EXI-003",
          lambda p: edited(p, DATA, lambda refs: (INLINE_REF.cls(c.TREE_BLOCK_REF_KEY, 5),))),
    Fault("a backref of data on a block", "default", "EXI-003",
          lambda p: p.write(EXTENTS, (None, METADATA, 0), EXTENT_HEAD.size, bytes([c.EXTENT_OWNER_REF_KEY]))),
    Fault("a backref of no subvolume", "default", "EXI-004", inline("root", 7)),
    Fault("a backref of no inode", "default", "EXI-004", inline("objectid", 3)),
    Fault("a backref off its sector", "default", "EXI-004", inline("offset", 17)),
    Fault("a backref that counts nothing", "default", "EXI-004", inline("ref_count", 0)),
    Fault("a keyed backref under another hash", "reflinks", "EXI-005", keyed_elsewhere),
    Fault("an extent nobody refers to", "default", "EXI-006", head(DATA, "refs", 0)),
    Fault("a level that no tree has", "default", "EXI-006", lambda p: p.rekey(EXTENTS, (None, METADATA, 1), offset=9)),
    Fault("checksums are gone", "default", "CSM-001", lambda p: p.delete(CSUMS, (None, CSUM, None))),
    Fault("checksums that should not be", "default", "CSM-002",
          lambda p: p.set(5, (260, c.INODE_ITEM_KEY, 0), "flags", c.INODE_NODATASUM)),
    Fault("checksums of free space", "default", "CSM-003",
          lambda p: p.insert(CSUMS, (c.EXTENT_CSUM_OBJECTID, CSUM, 1 << 40), bytes(4))),
    Fault("half a checksum", "default", "CSM-004",
          lambda p: p.replace(CSUMS, (None, CSUM, None), p.item(CSUMS, (None, CSUM, None)).data + b"!")),
    Fault("checksums that overlap", "default", "CSM-005",
          lambda p: p.replace(CSUMS, (None, CSUM, None), bytes(4 * 200))),
    Fault("checksums under another objectid", "default", "ITM-004",
          lambda p: p.rekey(CSUMS, (None, CSUM, None), objectid=5)),
]  # fmt: skip

SPACE = [
    Fault("a block group is gone", "default", "SPC-001", lambda p: p.delete(GROUPS, (None, GROUP, None))),
    Fault("a block group without a chunk", "default", "SPC-001",
          lambda p: p.insert(GROUPS, (1 << 40, GROUP, 1 << 20), p.item(GROUPS, (None, GROUP, None)).data)),
    Fault("a block group of another type", "default", "SPC-002 SPC-008", of_group("flags", c.BLOCK_GROUP_METADATA)),
    Fault("a block group of another length", "default", "SPC-002",
          lambda p: p.rekey(GROUPS, (None, GROUP, None), offset=4 << 20)),
    Fault("a block group of another chunk tree", "default", "SPC-003", of_group("chunk_objectid", 5)),
    Fault("more used than there is", "default", "SPC-004 SPC-005", of_group("used", 1 << 40)),
    Fault("another sum of what is used", "default", "SPC-005 SPC-006", of_group("used", 4096)),
    Fault("bytes_used of the superblock", "default", "SPC-006", of_super(bytes_used=1 << 30)),
    Fault("an extent in no block group", "default", "SPC-007", extent_outside),
    Fault("free space info is gone", "default", "SPC-010", lambda p: p.delete(FREES, (None, INFO, None))),
    Fault("free space info of another length", "default", "SPC-010",
          lambda p: p.rekey(FREES, (None, INFO, None), offset=4096)),
    Fault("free space that overlaps", "default", "SPC-011", overlap_free_space),
    Fault("free space is gone", "default", "SPC-012 SPC-015", lose_free_space),
    Fault("free space where an extent lies", "default", "SPC-013", move_free_space),
    Fault("free space in two pieces", "default", "SPC-014", split_free_space),
    Fault("a count of free ranges", "default", "SPC-015",
          lambda p: p.set(FREES, (None, INFO, None), "extent_count", 9)),
    Fault("extents where there should be bitmaps", "default", "SPC-016", bits_that_are_none),
    Fault("free space behind its block group", "default", "SPC-017",
          lambda p: p.rekey(FREES, p.item(FREES, (None, FREE, None), -1).key, offset=1 << 40)),
    Fault("a block group of an unknown flag", "default", "SPC-002", of_group("flags", 1 | 1 << 23)),
    Fault("a block of a subvolume of another", "default", "BLK-008", lambda p: p.header(leaf(p, 256, 1), "owner", 300)),
    Fault("a device extent is gone", "default", "DEV-002", lambda p: p.delete(DEVICES, (None, c.DEV_EXTENT_KEY, None))),
    Fault("a device extent of another chunk", "default", "DEV-001 DEV-002",
          lambda p: p.set(DEVICES, (None, c.DEV_EXTENT_KEY, None), "chunk_offset", 4096)),
    Fault("a device extent of another tree", "default", "DEV-003",
          lambda p: p.set(DEVICES, (None, c.DEV_EXTENT_KEY, None), "chunk_tree", 9)),
    Fault("device extents that overlap", "default", "DEV-004 DEV-005",
          lambda p: p.set(DEVICES, (None, c.DEV_EXTENT_KEY, None), "length", 1 << 25)),
    Fault("a device extent behind the end", "default", "DEV-006", of_device("total_bytes", 1 << 25)),
    Fault("a device that is too short", "default", "DEV-007 SUP-004", of_device("total_bytes", 1 << 40)),
    Fault("a device extent of no device", "default", "DEV-008",
          lambda p: p.rekey(DEVICES, p.item(DEVICES, (None, c.DEV_EXTENT_KEY, None), 5).key, objectid=7)),
    Fault("a device extent off its sector", "default", "ITM-008",
          lambda p: p.set(DEVICES, (None, c.DEV_EXTENT_KEY, None), "length", 4095)),
    Fault("used bytes of a device", "default", "DEV-005", of_device("bytes_used", 4096)),
]  # fmt: skip

CHUNK_FAULTS = [
    Fault("a chunk that is cut off", "default", "CHK-001", of_chunk("num_stripes", 200)),
    Fault("a chunk of stripes of another length", "default", "CHK-002", of_chunk("stripe_len", 4096)),
    Fault("a chunk of another owner", "default", "CHK-003", of_chunk("owner", 5)),
    Fault("a chunk of another alignment", "default", "CHK-004", of_chunk("io_align", 77)),
    Fault("a chunk on a device that is not there", "default", "CHK-005", of_stripe("devid", 9)),
    Fault("a chunk on a device of another uuid", "default", "CHK-006", of_stripe("dev_uuid", bytes(16))),
    Fault("chunks that overlap", "default", "CHK-007", of_chunk("length", 16 << 20)),
    Fault("both stripes in one place", "default", "CHK-008", two_stripes_in_one_place),
    Fault("a device under another number", "default", "CHK-009", of_device("devid", 9)),
    Fault("a device that uses more than it has", "default", "CHK-010", of_device("bytes_used", 1 << 50)),
    Fault("a device of another filesystem", "default", "SUP-008", of_device("fsid", bytes(16))),
    Fault("a device of other sectors", "default", "CHK-012", of_device("sector_size", 512)),
    Fault("a device of half a sector more", "default", "CHK-013", of_device("total_bytes", (256 << 20) + 512)),
    Fault("a damaged primary", "default", "SUP-001", lambda p: p._raw.append((c.SUPER_OFFSETS[0] + 700, b"damage"))),
    Fault("a damaged mirror", "default", "SUP-002", lambda p: p._raw.append((c.SUPER_OFFSETS[1] + 700, b"damage"))),
    Fault("a mirror of another filesystem", "default", "SUP-003", other_fsid),
    Fault("devices in all", "default", "SUP-004", of_super(total_bytes=1 << 40)),
    Fault("a number of devices", "default", "SUP-005", of_super(num_devices=2)),
    Fault("an older mirror", "default", "SUP-006", of_super((1,), generation=5)),
    Fault("a mirror with another label", "default", "SUP-007", of_super((1,), label=b"other".ljust(256, b"\0"))),
    Fault("another size of the device", "default", "SUP-008", of_super(dev_item__total_bytes=4096)),
    Fault("a change of the fsid", "default", "SUP-009", flag("flags", c.SUPER_FLAG_CHANGING_FSID_V2)),
    Fault("a change of the checksums", "default", "SUP-009", flag("flags", c.SUPER_FLAG_CHANGING_DATA_CSUM)),
    Fault("a dump of metadata", "default", "SUP-010", flag("flags", c.SUPER_FLAG_METADUMP_V2)),
    Fault("an error was met", "default", "SUP-011", flag("flags", c.SUPER_FLAG_ERROR)),
    Fault("unknown superblock flags", "default", "SUP-012", flag("flags", 1 << 60)),
    Fault("unknown compat_ro bits", "default", "SUP-013", flag("compat_ro_flags", 1 << 60)),
    Fault("a block group tree without holes", "default", "SUP-014", without("incompat_flags", c.INCOMPAT_NO_HOLES)),
    Fault("mixed groups of unlike sizes", "default", "SUP-014", flag("incompat_flags", c.INCOMPAT_MIXED_GROUPS)),
    Fault("a free-space tree that is not there", "old", "SUP-015",
          flag("compat_ro_flags", c.COMPAT_RO_FREE_SPACE_TREE)),
    Fault("a label without an end", "default", "SUP-016", of_super(label=b"x" * 256)),
    Fault("a cache of the future", "default", "SUP-017", of_super(cache_generation=1 << 40)),
    Fault("another directory of the root tree", "default", "SUP-018", of_super(root_dir_objectid=7)),
    Fault("a system chunk that differs", "default", "SUP-019", system_chunk_of_the_array("io_align", 77)),
    Fault("a system chunk that is not listed", "default", "SUP-020", a_system_chunk_more),
    Fault("a backup that no block can be", "default", "SUP-021", backup_root("fs_root", 77)),
    Fault("a backup of the future", "default", "SUP-021", backup_root("dev_root_gen", 1 << 40)),
    Fault("a backup that is not the present", "default", "SUP-022", newest_backup),
]  # fmt: skip


FAULTS = [*BLOCKS, *EXTENT_FAULTS, *SPACE, *CHUNK_FAULTS]


@rows(FAULTS)
def test_a_fault_in_space_is_found(fault: Fault, sick: Sick) -> None:
    sick.judge(fault)


@pytest.mark.parametrize("name", sorted({fault.image for fault in FAULTS}))
def test_nothing_is_found_in_the_neighbours(name: str, sick: Sick) -> None:
    assert unsound(findings(sick.copy(name))) == []
