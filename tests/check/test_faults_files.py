"""Faults in file trees: inodes, names, attributes, file extents, and the items that hold them."""

import pytest
from faults import Fault, Sick, rows, unsound
from planted import Planted, findings

from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.dir import DIR_ITEM
from pybtrfs.ondisk.file_extent import FILE_EXTENT, INLINE_EXTENT

pytestmark = pytest.mark.kernel
TOP, INLINE, BLOCK, LARGE, SYMLINK = 256, 258, 260, 261, 265  # inodes of the image `default`
INODE, REF, XATTR, DIR, INDEX, DATA = (
    c.INODE_ITEM_KEY, c.INODE_REF_KEY, c.XATTR_ITEM_KEY, c.DIR_ITEM_KEY, c.DIR_INDEX_KEY, c.EXTENT_DATA_KEY
)  # fmt: skip


def inode(ino: int, field: str, value: int) -> object:
    return lambda p: p.set(5, (ino, INODE, 0), field, value)


def extent(ino: int, field: str, value: int, start: int = 0) -> object:
    return lambda p: p.set(5, (ino, DATA, start), field, value, FILE_EXTENT)


def entry(field: str, value: int, index: int = 2) -> object:
    return lambda p: p.set(5, (TOP, INDEX, index), field, value)


def longer_entry(p: Planted) -> None:
    item = p.item(5, (TOP, INDEX, 2))
    value = item.parse()[0]
    p.replace(5, item.key, DIR_ITEM.build(value._replace(data_len=1, data=b"x")))


def longer_hash_entry(p: Planted) -> None:
    item = p.item(5, (TOP, DIR, None))
    value = item.parse()[0]
    p.replace(5, item.key, DIR_ITEM.build(value._replace(data_len=1, data=b"x")))


def leads_to_tree_7(p: Planted) -> None:
    p.set(5, (TOP, INDEX, 3), "location.objectid", 7)
    p.set(5, (TOP, INDEX, 3), "location.type", c.ROOT_ITEM_KEY)


def wrong_type_in_both(p: Planted) -> None:
    name = p.item(5, (TOP, INDEX, 2)).parse()[0].name
    p.set(5, (TOP, INDEX, 2), "type", c.FT_FIFO)
    for item in p.items(5, (TOP, DIR, None)):
        if item.parse()[0].name == name:
            p.set(5, item.key, "type", c.FT_FIFO)


def slash_in_a_name(p: Planted) -> None:
    p.write(5, (TOP, INDEX, 2), DIR_ITEM.size, b"/")


def inline_at_a_block(p: Planted) -> None:
    p.rekey(5, (INLINE, DATA, 0), offset=4096)


def lose_a_hole(p: Planted) -> None:
    hole = next(item for item in p.items(5, (None, DATA, None)) if _is_hole(item.data))
    p.delete(5, hole.key)


def fill_a_hole(p: Planted) -> None:
    hole = next(item for item in p.items(5, (None, DATA, None)) if _is_hole(item.data))
    p.set(5, hole.key, "disk_num_bytes", 4096, FILE_EXTENT)


def _is_hole(data: bytes) -> bool:
    return len(data) == FILE_EXTENT.size and FILE_EXTENT.unpack_from(data).disk_bytenr == 0


def compressed_too_long(p: Planted) -> None:
    item = next(i for i in p.items(5, (None, DATA, None)) if len(i.data) == FILE_EXTENT.size and i.parse().compression)
    p.set(5, item.key, "ram_bytes", 1 << 20, FILE_EXTENT)


FAULTS = [
    Fault("an inode item is gone", "default", "INO-001", lambda p: p.delete(5, (BLOCK, INODE, 0))),
    Fault("nlink too high", "default", "INO-002", inode(INLINE, "nlink", 3)),
    Fault("nlink with its top bit", "default", "INO-002", inode(INLINE, "nlink", 2 | 1 << 31)),
    Fault("size of a directory", "default", "INO-003", inode(TOP, "size", 148)),
    Fault("nbytes", "default", "INO-004", inode(LARGE, "nbytes", 4096)),
    Fault("nbytes with its top bit", "default", "INO-004", inode(LARGE, "nbytes", 3145728 | 1 << 63)),
    Fault("mode of no type", "default", "INO-005", inode(LARGE, "mode", 0o644)),
    Fault("inode of the future", "default", "INO-006", inode(LARGE, "transid", 1 << 40)),
    Fault("unknown inode flag", "default", "INO-007", inode(LARGE, "flags", 1 << 40)),
    Fault("a directory with two links", "default", "INO-008 INO-002", inode(TOP, "nlink", 2)),
    Fault("an immutable symlink", "default", "INO-009", inode(SYMLINK, "flags", c.INODE_IMMUTABLE)),
    Fault("too many nanoseconds", "default", "INO-010", inode(LARGE, "mtime.nsec", 10**9)),
    Fault("a device number of a file", "default", "INO-011", inode(LARGE, "rdev", 5)),
    Fault("no name and no orphan item", "default", "INO-012 INO-002", inode(LARGE, "nlink", 0)),
    Fault("a name at the inode is gone", "default", "NAM-001 INO-002", lambda p: p.delete(5, (LARGE, REF, TOP))),
    Fault("an entry by index is gone", "default", "NAM-001 NAM-002", lambda p: p.delete(5, (TOP, INDEX, 2))),
    Fault("an entry by hash is gone", "default", "NAM-002", lambda p: p.delete(5, (TOP, DIR, None))),
    Fault("another index at the inode", "default", "NAM-001", lambda p: p.set(5, (LARGE, REF, TOP), "dir_index", 77)),
    Fault("entries of another type", "default", "NAM-003", wrong_type_in_both),
    Fault("an entry under another hash", "default", "NAM-004",
          lambda p: p.rekey(5, (TOP, DIR, None), offset=p.item(5, (TOP, DIR, None)).key.offset + 1)),
    Fault("an extref under another hash", "hard-links", "NAM-005",
          lambda p: p.rekey(5, (None, c.INODE_EXTREF_KEY, None), offset=7)),
    Fault("an entry with data", "default", "NAM-006", longer_entry),
    Fault("an entry by hash with data", "default", "ITM-006", longer_hash_entry),
    Fault("an entry that leads to an extent", "default", "NAM-007", entry("location.type", DATA)),
    Fault("an entry that leads elsewhere", "default", "NAM-001 NAM-002", entry("location.objectid", 259)),
    Fault("an entry that leads to tree 7", "default", "ITM-007", leads_to_tree_7),
    Fault("an index below two", "default", "NAM-008", lambda p: p.rekey(5, (TOP, INDEX, 2), offset=1)),
    Fault("an entry of no type", "default", "NAM-009", entry("type", 0)),
    Fault("an entry of an unknown type", "default", "NAM-009", entry("type", 12)),
    Fault("a slash in a name", "default", "NAM-010", slash_in_a_name),
    Fault("an entry of the future", "default", "NAM-011", entry("transid", 1 << 50)),
    Fault("a top directory with an index", "default", "NAM-012", lambda p: p.set(5, (TOP, REF, TOP), "dir_index", 4)),
    Fault("a file that is its own name", "default", "NAM-012", lambda p: p.rekey(5, (LARGE, REF, TOP), offset=LARGE)),
    Fault("a file larger than its extents", "old", "FIL-013", inode(LARGE, "size", 1 << 30)),
    Fault("an attribute under another hash", "default", "XAT-001",
          lambda p: p.rekey(5, (INLINE, XATTR, None), offset=5)),
    Fault("an attribute that is a file", "default", "XAT-002", lambda p: p.set(5, (INLINE, XATTR, None), "type", 1)),
    Fault("an unknown compression", "default", "FIL-001", extent(BLOCK, "compression", 9)),
    Fault("an encrypted extent", "default", "FIL-001", extent(BLOCK, "encryption", 1)),
    Fault("an unknown file extent type", "default", "FIL-001", extent(BLOCK, "type", 3)),
    Fault("a file extent of the future", "default", "FIL-002", extent(BLOCK, "generation", 1 << 40)),
    Fault("an extent off its sector", "default", "FIL-003 EXT-001",
          lambda p: p.set(5, (BLOCK, DATA, 0), "disk_bytenr",
                          p.item(5, (BLOCK, DATA, 0)).parse().disk_bytenr + 512, FILE_EXTENT)),
    Fault("a range of the extent that it does not have", "default", "FIL-004", extent(LARGE, "offset", 1 << 30)),
    Fault("a file extent of no bytes", "default", "FIL-004", extent(BLOCK, "num_bytes", 0)),
    Fault("too much in a compressed extent", "compressed", "FIL-005", compressed_too_long),
    Fault("a hole that has a length on disk", "old", "FIL-006", fill_a_hole),
    Fault("an inline extent behind the beginning", "default", "FIL-007", inline_at_a_block),
    Fault("an inline extent of another length", "default", "FIL-008",
          lambda p: p.set(5, (INLINE, DATA, 0), "ram_bytes", 99, INLINE_EXTENT)),
    Fault("ram_bytes", "default", "FIL-009", extent(BLOCK, "ram_bytes", 8192)),
    Fault("file extents that overlap", "default", "FIL-010", extent(LARGE, "num_bytes", 2 << 20)),
    Fault("a fifo with extents", "default", "FIL-011", inode(BLOCK, "mode", 0o10644)),
    Fault("a gap where holes are explicit", "old", "FIL-012", lose_a_hole),
    Fault("an item type of another tree", "default", "ITM-001",
          lambda p: p.insert(5, (LARGE, c.CHUNK_ITEM_KEY, 0), bytes(80))),
    Fault("an item of an unknown type", "default", "ITM-001", lambda p: p.insert(5, (LARGE, 222, 0), b"")),
    Fault("an inode item that is too short", "default", "ITM-002",
          lambda p: p.replace(5, (LARGE, INODE, 0), p.item(5, (LARGE, INODE, 0)).data[:-1])),
    Fault("an entry longer than its item", "default", "ITM-003", entry("name_len", 200)),
    Fault("an entry shorter than its item", "default", "ITM-003", entry("name_len", 2)),
    Fault("a reference longer than its item", "default", "ITM-003",
          lambda p: p.set(5, (LARGE, REF, TOP), "name_len", 200)),
    Fault("an attribute longer than its item", "default", "ITM-003",
          lambda p: p.set(5, (INLINE, XATTR, None), "data_len", 9999)),
    Fault("an attribute with a byte too much", "default", "ITM-003",
          lambda p: p.replace(5, (INLINE, XATTR, None), p.item(5, (INLINE, XATTR, None)).data + b"!")),
    Fault("an inode number below the first", "default", "ITM-004", lambda p: p.insert(5, (99, XATTR, 1), bytes(30))),
    Fault("an inode item with an offset", "default", "ITM-004", lambda p: p.rekey(5, (266 - 1, INODE, 0), offset=1)),
    Fault("an orphan item of no orphan", "default", "ITM-004",
          lambda p: p.insert(5, (LARGE, c.ORPHAN_ITEM_KEY, 5), b"")),
    Fault("a file extent that is too long", "default", "ITM-005",
          lambda p: p.replace(5, (BLOCK, DATA, 0), p.item(5, (BLOCK, DATA, 0)).data + b"!")),
]  # fmt: skip


@rows(FAULTS)
def test_a_fault_in_a_file_tree_is_found(fault: Fault, sick: Sick) -> None:
    sick.judge(fault)


@pytest.mark.parametrize("name", sorted({fault.image for fault in FAULTS}))
def test_nothing_is_found_in_the_neighbours(name: str, sick: Sick) -> None:
    assert unsound(findings(sick.copy(name))) == []
