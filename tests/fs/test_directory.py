"""Directories: order, lookup by a hash that names share, entries that lie, and what is left where blocks are lost."""

import stat

import pytest
from files import TOP, Files

from pybtrfs.checksum import name_hash
from pybtrfs.errors import CorruptError
from pybtrfs.fs.directory import Entry, entries, find_entry
from pybtrfs.fs.inode import Place, get_inode
from pybtrfs.fs.xattr import xattrs
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.dir import DIR_ITEM, DirItem
from pybtrfs.ondisk.key import Key

COLLIDING = (b"hngminivn", b"tahuwmvdy", b"xdxrohsij")  # one crc32c


def names(found: list[Entry]) -> list[bytes]:
    return [entry.name for entry in found]


def crowded(count: int) -> Files:
    files = Files()
    for number in range(count):
        files.name(TOP, b"name-%d" % number, files.file(Place(5, 1000 + number), number))
    return files


def test_entries_come_in_the_order_in_which_they_were_made() -> None:
    opened = crowded(300).open()
    assert names(list(entries(opened, TOP))) == [b"name-%d" % number for number in range(300)]


def test_a_name_hash_shared_by_several_entries_finds_the_right_one() -> None:
    files = Files()
    assert len({name_hash(name) for name in COLLIDING}) == 1
    for number, name in enumerate(COLLIDING[:2]):
        files.name(TOP, name, files.file(Place(5, 300 + number), 0))
    opened = files.open()
    found = [find_entry(opened, TOP, name) for name in COLLIDING]
    assert [entry and entry.place.ino for entry in found] == [300, 301, None]
    assert names(list(entries(opened, TOP))) == list(COLLIDING[:2])


def test_the_longest_name_and_one_of_any_bytes_are_found() -> None:
    files = Files()
    for number, name in enumerate((b"l" * 255, b"\xff\x1b[31m\n", b"..."), 300):
        files.name(TOP, name, files.file(Place(5, number), 0))
        opened = files.open()
        assert find_entry(opened, TOP, name) == Entry(name, Place(5, number), c.FT_REG_FILE, False)


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"a\0b", b"n" * 256, b"/"])
def test_a_name_that_cannot_be_is_told_and_the_others_still_come(name: bytes) -> None:
    files, told = crowded(3), []
    files.name(TOP, name, Place(5, 1000))
    opened = files.open()
    assert len(list(entries(opened, TOP, told.append))) == 3
    assert ("cannot be a name" in str(told[0])) or ("expected 1 to 255" in str(told[0]))
    with pytest.raises(CorruptError, match=r"subvolume 5 inode 256: leaf \d+ slot \d+: "):
        list(entries(opened, TOP))


def test_an_entry_that_leads_to_neither_inode_nor_root_is_told() -> None:
    files, told = crowded(2), []
    files.name(TOP, b"odd", Key(1000, c.EXTENT_DATA_KEY, 0))
    assert len(list(entries(files.open(), TOP, told.append))) == 2
    assert "leads to item type 108" in str(told[0])


def test_where_a_leaf_of_the_index_is_lost_its_names_come_by_their_hashes() -> None:
    opened, told = crowded(300).open(), []
    bytenr = opened.break_leaf(5, c.DIR_INDEX_KEY, 1)
    with pytest.raises(CorruptError, match=f"tree block {bytenr}"):
        list(entries(opened, TOP))
    found = names(list(entries(opened, TOP, told.append)))
    assert len(found) == len(set(found)) == 300
    assert [f"tree block {bytenr}" in str(error) for error in told] == [True]
    assert find_entry(opened, TOP, b"name-150") is not None


def test_where_a_leaf_of_the_hashes_is_lost_listing_does_not_notice() -> None:
    opened = crowded(300).open()
    opened.break_leaf(5, c.DIR_ITEM_KEY)
    assert len(list(entries(opened, TOP))) == 300


def test_a_name_that_stands_only_under_its_hash_is_listed_where_the_index_is_damaged() -> None:
    files, told = crowded(300), []
    files.name(TOP, b"hidden", Place(5, 1000), indexed=False)
    opened = files.open()
    assert b"hidden" not in names(list(entries(opened, TOP, told.append)))
    opened.break_leaf(5, c.DIR_INDEX_KEY)
    assert b"hidden" in names(list(entries(opened, TOP, told.append)))


def test_a_subvolume_is_one_where_the_root_tree_says_so_and_else_left_over() -> None:
    files = Files()
    files.subvolume(TOP, b"subvolume", 300)
    files.subvolume(TOP, b"left over", 301, ref=False)
    opened = files.open()
    there, left_over = entries(opened, TOP)
    assert there == Entry(b"subvolume", Place(300, 256), c.FT_DIR, True)
    assert left_over == Entry(b"left over", Place(5, c.EMPTY_SUBVOL_DIR_OBJECTID), c.FT_DIR, False)
    assert list(entries(opened, left_over.place)) == []
    assert find_entry(opened, left_over.place, b"x") is None
    assert stat.S_ISDIR(get_inode(opened, left_over.place).mode)


def test_a_root_ref_of_another_name_or_directory_is_none() -> None:
    files = Files()
    files.subvolume(TOP, b"real", 300)
    files.name(TOP, b"false", Key(300, c.ROOT_ITEM_KEY, 0), stat.S_IFDIR)
    assert [entry.is_subvolume for entry in entries(files.open(), TOP)] == [True, False]


def test_an_inode_that_is_missing_or_of_no_type_is_named() -> None:
    files = Files()
    files.inode(Place(5, 300), 0o150644)
    opened = files.open()
    with pytest.raises(CorruptError, match="subvolume 5 inode 299: has no inode item"):
        get_inode(opened, Place(5, 299))
    with pytest.raises(CorruptError, match=r"inode 300: leaf \d+ slot \d+: mode is 150644, of no known type"):
        get_inode(opened, Place(5, 300))


def test_attributes_share_hashes_and_one_that_cannot_be_costs_its_item_only() -> None:
    files, told = Files(), []
    for name, value in ((COLLIDING[0], b"1"), (COLLIDING[1], b""), (b"user.x", b"\0\xff"), (b"user.\0", b"bad")):
        key = Key(256, c.XATTR_ITEM_KEY, name_hash(name))
        files.put(key, DIR_ITEM.build(DirItem.xattr(1, name, value)))
    opened = files.open()
    found = dict(xattrs(opened, TOP, told.append))
    assert found == {COLLIDING[0]: b"1", COLLIDING[1]: b"", b"user.x": b"\0\xff"}
    assert "cannot be a name" in str(told[0])
    with pytest.raises(CorruptError, match="cannot be a name"):
        list(xattrs(opened, TOP))
