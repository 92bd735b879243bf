"""Tree blocks as text: what btrfs-progs print, and lines instead of exceptions where the bytes are damaged.

The expected texts here are what `btrfs inspect-internal dump-tree` 7.3 printed for these very items; whole
images are compared in compat/test_dump_equals_c.py.
"""

import random

import pytest
from build import FORM, FSID

from pybtrfs.btree.block import Block
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import BLOCK_GROUP_ITEM, CHUNK, DEV_STATS, BlockGroupItem, Chunk, DevStats, Stripe
from pybtrfs.ondisk.dir import DIR_ITEM, DirItem
from pybtrfs.ondisk.extent import EXTENT_ITEM, ExtentItem, InlineExtentDataRef, InlineRef, TreeBlockInfo
from pybtrfs.ondisk.file_extent import EXTENT_DATA, FileExtent, InlineExtent
from pybtrfs.ondisk.header import HEADER, ITEM, KEY_PTR, Header, ItemHeader, KeyPtr
from pybtrfs.ondisk.inode import INODE_EXTREF, INODE_ITEM, INODE_REF, InodeExtref, InodeItem, InodeRef, Timespec
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.quota import QGROUP_STATUS, QgroupStatus
from pybtrfs.ondisk.registry import ITEM_TYPES
from pybtrfs.ondisk.root import ROOT_REF, RootRef
from pybtrfs.render.items import ITEM_TEXT
from pybtrfs.render.options import Options
from pybtrfs.render.tree_text import block_text

NODESIZE = FORM.nodesize
PLAIN = Options()
HEAD = Header(bytes(range(32)), FSID, 1 << 20, 1 | 1 << 56, bytes(16), 7, c.FS_TREE_OBJECTID, 0, 0)


def leaf(*items: tuple[Key, bytes]) -> Block:
    """A leaf that holds the items, as they are."""
    block, end = bytearray(NODESIZE), NODESIZE - HEADER.size
    block[: HEADER.size] = HEADER.pack(HEAD._replace(nritems=len(items)))
    for slot, (key, data) in enumerate(items):
        end -= len(data)
        at = HEADER.size + slot * ITEM.size
        block[at : at + ITEM.size] = ITEM.pack(ItemHeader(key, end, len(data)))
        block[HEADER.size + end : HEADER.size + end + len(data)] = data
    return Block(bytes(block), 1 << 20)


def shown(block: Block, options: Options = PLAIN) -> tuple[list[str], list[str]]:
    """The lines of a block, and the complaints."""
    complaints: list[str] = []
    text = block_text(block, options, complaints.append)
    assert text.endswith("\n")
    return text.splitlines(), complaints


def body(key: Key, data: bytes, options: Options = PLAIN) -> list[str]:
    """The lines below an item's first one."""
    lines, complaints = shown(leaf((key, data)), options)
    assert not complaints
    return [line.removeprefix("\t\t") for line in lines[5:]]


def test_a_leaf_begins_with_where_it_stands_and_who_owns_it() -> None:
    lines, complaints = shown(leaf((Key(c.ORPHAN_OBJECTID, c.ORPHAN_ITEM_KEY, 300), b"")))
    assert lines == [
        "leaf 1048576 items 1 free space 3970 generation 7 owner FS_TREE",
        "leaf 1048576 flags 0x1(WRITTEN) backref revision 1",
        "fs uuid 00010203-0405-0607-0809-0a0b0c0d0e0f",
        "chunk uuid 00000000-0000-0000-0000-000000000000",
        "\titem 0 key (ORPHAN ORPHAN_ITEM 300) itemoff 3995 itemsize 0",
        "\t\torphan item",
    ]
    assert not complaints


def test_the_checksum_of_a_header_is_shown_on_request() -> None:
    lines, _ = shown(leaf(), Options(csum_headers=True, csum_size=8))
    assert lines[1].endswith("backref revision 1 csum 0x0001020304050607")


def test_a_node_shows_its_key_pointers() -> None:
    block = bytearray(NODESIZE)
    block[: HEADER.size] = HEADER.pack(HEAD._replace(nritems=2, level=1))
    pointers = [KeyPtr(Key(256, c.INODE_ITEM_KEY, 0), 4096, 5), KeyPtr(Key(c.U64_MAX, 255, c.U64_MAX), 8192, 6)]
    block[HEADER.size : HEADER.size + 2 * KEY_PTR.size] = b"".join(map(KEY_PTR.pack, pointers))
    lines, _ = shown(Block(bytes(block), 1 << 20))
    assert lines[0] == "node 1048576 level 1 items 2 free space 119 generation 7 owner FS_TREE"
    assert lines[4:] == ["\tkey (256 INODE_ITEM 0) block 4096 gen 5", "\tkey (-1 UNKNOWN.255 -1) block 8192 gen 6"]


def test_an_inode_has_its_flags_by_name_and_its_times_as_on_disk() -> None:
    times = (Timespec(0, 5), Timespec(86400, 0), Timespec(-1, 0), Timespec(1 << 62, 1))
    flags = c.INODE_NODATASUM | 1 << 12 | 1 << 40
    inode = InodeItem(1, 2, 3, 4, 5, 1, 1000, 100, 0o100644, 0, flags, 9, bytes(32), *times)
    lines = body(Key(257, c.INODE_ITEM_KEY, 0), INODE_ITEM.pack(inode))
    assert lines[:3] == [
        "generation 1 transid 2 size 3 nbytes 4",
        "block group 5 mode 100644 links 1 uid 1000 gid 100 rdev 0",
        "sequence 9 flags 0x10000001001(NODATASUM|ENCRYPT|UNKNOWN: 0x10000000000)",
    ]
    assert [line.split(" (")[0] for line in lines[3:]] == [
        "atime 0.5",
        "ctime 86400.0",
        "mtime 18446744073709551615.0",
        "otime 4611686018427387904.1",
    ]
    assert lines[6].endswith("(out of range)")


def test_names_are_escaped_and_can_be_hidden() -> None:
    name, key = b"a b\n\x1b[31m\xc3\xa9\\", Key(257, c.INODE_REF_KEY, 256)
    data = INODE_REF.pack(InodeRef.of(2, name)) + INODE_REF.pack(InodeRef.of(3, b"x"))
    assert body(key, data) == [
        r"index 2 namelen 12 name: a\ b\n\e[31m\303\251\\",
        "index 3 namelen 1 name: x",
    ]
    assert body(key, data, Options(hide_names=True))[0] == "index 2 namelen 12 name: HIDDEN"
    extref = INODE_EXTREF.pack(InodeExtref.of(256, 4, b"y"))
    assert body(Key(257, c.INODE_EXTREF_KEY, 99), extref) == ["index 4 parent 256 namelen 1 name: y"]


def test_directory_entries_and_attributes() -> None:
    entry = DIR_ITEM.pack(DirItem.of(Key(258, c.INODE_ITEM_KEY, 0), 7, c.FT_DIR, b"sub"))
    odd = DIR_ITEM.pack(DirItem.of(Key(300, c.ROOT_ITEM_KEY, c.U64_MAX), 7, 77, b"odd"))
    assert body(Key(256, c.DIR_ITEM_KEY, 1), entry + odd) == [
        "location key (258 INODE_ITEM 0) type DIR",
        "transid 7 data_len 0 name_len 3",
        "name: sub",
        "location key (300 ROOT_ITEM 18446744073709551615) type DIR_ITEM.77",
        "transid 7 data_len 0 name_len 3",
        "name: odd",
    ]
    attribute = DIR_ITEM.pack(DirItem.xattr(7, b"user.a", b"v" * 300))
    assert body(Key(257, c.XATTR_ITEM_KEY, 1), attribute)[3] == "data " + "v" * 255
    assert body(Key(257, c.XATTR_ITEM_KEY, 1), attribute, Options(hide_names=True))[2:] == [
        "name: HIDDEN",
        "data HIDDEN",
    ]


@pytest.mark.parametrize(
    ("extent", "lines"),
    [
        (
            InlineExtent(7, 5, 1, 0, 0, c.FILE_EXTENT_INLINE, b"hello"),
            ["type 0 (inline)", "inline extent data size 5 ram_bytes 5 compression 1 (zlib) encryption 0"],
        ),
        (
            FileExtent(7, 4096, 0, 0, 0, c.FILE_EXTENT_PREALLOC, 1 << 20, 4096, 0, 4096),
            ["type 2 (prealloc)", "prealloc data disk byte 1048576 nr 4096", "prealloc data offset 0 nr 4096"],
        ),
        (
            FileExtent(7, 8192, 9, 2, 0, c.FILE_EXTENT_REG, 1 << 20, 4096, 0, 8192),
            [
                "type 1 (regular)",
                "extent data disk byte 1048576 nr 4096",
                "extent data offset 0 nr 8192 ram 8192",
                "extent compression 9 (UNKNOWN.9)",
                "extent encryption 2",
            ],
        ),
    ],
    ids=["inline", "prealloc", "regular"],
)
def test_file_extents(extent: InlineExtent | FileExtent, lines: list[str]) -> None:
    found = body(Key(257, c.EXTENT_DATA_KEY, 0), EXTENT_DATA.build(extent))
    assert found == [f"generation 7 {lines[0]}", *lines[1:]]


def test_extents_and_those_who_refer_to_them() -> None:
    info = TreeBlockInfo(Key(256, c.INODE_ITEM_KEY, 0), 1)
    block = ExtentItem(1, 7, c.EXTENT_FLAG_TREE_BLOCK | c.BLOCK_FLAG_FULL_BACKREF, info, ())
    assert body(Key(1 << 20, c.EXTENT_ITEM_KEY, 4096), EXTENT_ITEM.build(block)) == [
        "refs 1 gen 7 flags TREE_BLOCK|FULL_BACKREF",
        "tree block key (256 INODE_ITEM 0) level 1",
    ]
    skinny = ExtentItem(1, 7, c.EXTENT_FLAG_TREE_BLOCK, None, (InlineRef(c.TREE_BLOCK_REF_KEY, 5),))
    assert body(Key(1 << 20, c.METADATA_ITEM_KEY, 0), EXTENT_ITEM.build(skinny))[1:] == [
        "tree block skinny level 0",
        "(176 0x5) tree block backref root FS_TREE",
    ]
    data = ExtentItem(2, 7, c.EXTENT_FLAG_DATA, None, (InlineExtentDataRef(c.EXTENT_DATA_REF_KEY, 5, 476, 0, 1),))
    assert body(Key(1 << 20, c.EXTENT_ITEM_KEY, 4096), EXTENT_ITEM.build(data)) == [
        "refs 2 gen 7 flags DATA",
        "(178 0xdfb591fea6fd463) extent data backref root FS_TREE objectid 476 offset 0 count 1",
    ]


def test_checksums_stand_several_to_a_line() -> None:
    key, data = Key(c.EXTENT_CSUM_OBJECTID, c.EXTENT_CSUM_KEY, 1 << 20), bytes(range(20))
    assert body(key, data) == ["range start 1048576 end 1069056 length 20480"]
    assert body(key, data, Options(csum_items=True))[1:] == [
        "[1048576] 0x00010203 [1052672] 0x04050607 [1056768] 0x08090a0b [1060864] 0x0c0d0e0f",
        "[1064960] 0x10111213",
    ]
    assert body(key, bytes(64), Options(csum_items=True, csum_size=32))[2].startswith("[1052672] 0x00")


def test_chunks_and_block_groups() -> None:
    flags = c.BLOCK_GROUP_METADATA | c.BLOCK_GROUP_DUP
    chunk = Chunk(8 << 20, 2, 65536, flags, 65536, 65536, 4096, 1, 1, (Stripe(1, 1 << 20, FSID),))
    assert body(Key(256, c.CHUNK_ITEM_KEY, 1 << 20), CHUNK.pack(chunk)) == [
        "length 8388608 owner 2 stripe_len 65536 type METADATA|DUP",
        "io_align 65536 io_width 65536 sector_size 4096",
        "num_stripes 1 sub_stripes 1",
        "\tstripe 0 devid 1 offset 1048576",
        "\tdev_uuid 00010203-0405-0607-0809-0a0b0c0d0e0f",
    ]
    group = BLOCK_GROUP_ITEM.pack(BlockGroupItem(4096, 256, c.BLOCK_GROUP_DATA))
    assert body(Key(1 << 20, c.BLOCK_GROUP_ITEM_KEY, 8 << 20), group) == [
        "block group used 4096 chunk_objectid 256 flags DATA|single"
    ]


def test_a_subvolume_name_with_control_bytes_cannot_reach_the_terminal() -> None:
    key = Key(5, c.ROOT_REF_KEY, 256)
    lines = body(key, ROOT_REF.pack(RootRef.of(256, 2, "é my sub\\".encode())))
    assert lines == ["root ref key dirid 256 sequence 2 name é my sub\\"]
    lines = body(key, ROOT_REF.pack(RootRef.of(256, 2, b"\x1b[31m\xff\xc2\x9b")))
    assert lines == [r"root ref key dirid 256 sequence 2 name \033[31m\377\302\233"]
    assert body(Key(1, c.STRING_ITEM_KEY, 0), b"a\rb\0c") == [r"item data a\015b"]


def test_quota_status_shows_when_simple_quotas_were_enabled() -> None:
    key, data = Key(0, c.QGROUP_STATUS_KEY, 0), QGROUP_STATUS.pack(QgroupStatus(1, 7, 1 | 8 | 64, 0, 5))
    assert body(key, data) == ["version 1 generation 7 flags ON|SIMPLE_MODE|UNKNOWN(0x40) scan 0"]
    assert body(key, data, Options(simple_quota=True))[0].endswith("scan 0 enable_gen 5")
    assert body(key, data[:32])[0].startswith("version 1 generation 7 ")


def test_device_counters_of_a_newer_kernel_are_shown_by_number() -> None:
    key, data = Key(c.DEV_STATS_OBJECTID, c.PERSISTENT_ITEM_KEY, 1), DEV_STATS.pack(DevStats(1, 2, 3, 4, 5))
    lines = body(key, data)
    assert lines == [
        "persistent item objectid DEV_STATS offset 1",
        "device stats",
        "write_errs 1 read_errs 2 flush_errs 3 corruption_errs 4 generation 5",
    ]
    more = body(key, data + bytes([6]).ljust(8, b"\0"))
    assert more[3:] == ["unknown stats item bytes 8\t\tunknown item 5 offset 40 value 6"]


# -- damage ------------------------------------------------------------------------------------------


def test_an_item_too_short_for_its_structure_is_named_in_its_place() -> None:
    good = (Key(300, c.ORPHAN_ITEM_KEY, 0), b"")
    lines, complaints = shown(leaf((Key(257, c.INODE_ITEM_KEY, 0), b"short"), good))
    assert lines[5].startswith("\t\tcorrupt item of 5 bytes: ")
    assert lines[7] == "\t\torphan item"
    assert not complaints


def test_a_name_longer_than_its_item_is_named_in_its_place() -> None:
    data = INODE_REF.pack(InodeRef.of(2, b"long name"))[:-2]
    lines, _ = shown(leaf((Key(257, c.INODE_REF_KEY, 256), data)))
    assert lines[5] == "\t\tcorrupt item of 17 bytes: 9 bytes at byte 10 of an item of 17"


def test_an_item_that_lies_outside_of_its_leaf_ends_the_leaf_with_a_complaint() -> None:
    block = bytearray(leaf((Key(300, c.ORPHAN_ITEM_KEY, 0), b""), (Key(301, c.ORPHAN_ITEM_KEY, 0), b"")).data)
    at = HEADER.size + ITEM.size + ITEM.offset_of("offset")
    block[at : at + 4] = (NODESIZE).to_bytes(4, "little")
    lines, complaints = shown(Block(bytes(block), 1 << 20))
    assert lines[-1] == "\t\torphan item"
    assert complaints == [
        "leaf 1048576 slot 1 pointer invalid, offset 4096 size 0 leaf data limit 3995",
        "skip remaining slots",
    ]


@pytest.mark.parametrize("level", [0, 1])
def test_more_items_than_fit_are_a_complaint(level: int) -> None:
    block = HEADER.pack(HEAD._replace(nritems=(1 << 32) - 1, level=level)).ljust(NODESIZE, b"\0")
    lines, complaints = shown(Block(block, 1 << 20))
    assert len(complaints) == 1
    assert str((1 << 32) - 1) in complaints[0]
    assert len(lines) <= 4 + 2 * NODESIZE // ITEM.size


def test_every_item_type_has_text_or_none_and_takes_any_bytes(seed: int) -> None:
    rng = random.Random(seed)
    silent = {c.VERITY_DESC_ITEM_KEY, c.VERITY_MERKLE_ITEM_KEY, c.QGROUP_RELATION_KEY, c.IDENTITY_REMAP_KEY}
    assert set(ITEM_TYPES) - set(ITEM_TEXT) == silent
    special = [0, 1, *c.OBJECTID_NAMES]
    for number in range(256):
        for _ in range(20):
            data = rng.randbytes(rng.choice((0, 1, 8, 24, 53, 160, 439, 500)))
            key = Key(rng.choice(special), number, rng.choice((0, 3, c.U64_MAX)))
            lines, complaints = shown(leaf((key, data)), Options(csum_items=True, simple_quota=True))
            assert not complaints
            assert all(line.isprintable() for line in (line.replace("\t", "") for line in lines))


def test_a_block_of_any_bytes_is_shown(seed: int) -> None:
    rng = random.Random(seed)
    sound = leaf(*((Key(256 + number, c.INODE_ITEM_KEY, 0), bytes(160)) for number in range(20))).data
    for _ in range(300):
        block = bytearray(sound)
        for _ in range(rng.randrange(1, 8)):
            block[rng.choice((rng.randrange(HEADER.size + 20 * ITEM.size), rng.randrange(NODESIZE)))] = rng.randrange(
                256
            )
        block_text(Block(bytes(block), 1 << 20), Options(csum_items=True, csum_headers=True), lambda line: None)
