"""Subvolumes, the UUID tree and their paths on images made in process, sound and damaged."""

from pathlib import Path

import pytest
from commandline import run
from damage import Blocks, Patch, applied

from pybtrfs.errors import CorruptError, NotFoundError
from pybtrfs.fs.filesystem import Filesystem, open_filesystem
from pybtrfs.fs.logtree import log_trees
from pybtrfs.fs.subvolume import TOP_LEVEL, Subvolumes, is_subvolume_id
from pybtrfs.fs.uuidtree import UuidTree
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.header import HEADER, ITEM
from pybtrfs.ondisk.key import KEY, Key
from pybtrfs.ondisk.root import ROOT_REF
from pybtrfs.ondisk.uuid import uuid_key, uuid_of_key


def test_the_golden_image_has_the_subvolumes_that_its_script_makes(filesystem: Filesystem) -> None:
    subvolumes = Subvolumes(filesystem)
    paths = [subvolumes.path(subvolume) for subvolume in subvolumes]
    assert paths == [b"", b"home", b"backup/home-1", b"backup/home-2", b"received/home-1", b"received/home-2"]
    assert subvolumes.at_path(b"/backup//home-1/").id == 257
    assert [found.name for found in subvolumes.snapshots_of(subvolumes.get(256))] == [b"home-1", b"home-2"]
    assert subvolumes.get(TOP_LEVEL).parent is None
    with pytest.raises(NotFoundError, match="no subvolume with id 999"):
        subvolumes.get(999)
    with pytest.raises(NotFoundError, match="/backup: no such subvolume"):
        subvolumes.at_path(b"backup")


def test_the_uuid_tree_and_the_root_items_say_the_same(filesystem: Filesystem) -> None:
    tree, subvolumes = UuidTree(filesystem), list(Subvolumes(filesystem))
    wanted = {(subvolume.root.uuid, False, subvolume.id) for subvolume in subvolumes}
    wanted |= {(s.root.received_uuid, True, s.id) for s in subvolumes if any(s.root.received_uuid)}
    assert set(tree.entries()) == wanted
    for uuid, received, subvolume_id in wanted:
        assert subvolume_id in (tree.find_received(uuid) if received else tree.find(uuid))
    assert tree.find(bytes(16)) == []
    assert tree.current


def test_a_uuid_is_split_over_its_key_and_put_together_again() -> None:
    uuid = bytes(range(16))
    key = uuid_key(uuid, received=True)
    assert key == Key(0x0706050403020100, c.UUID_KEY_RECEIVED_SUBVOL, 0x0F0E0D0C0B0A0908)
    assert uuid_of_key(key) == uuid


def test_ids_of_subvolumes_are_five_and_those_from_256_to_the_reserved_ones() -> None:
    yes, no = (5, 256, c.LAST_FREE_OBJECTID), (0, 1, 9, 255, c.DATA_RELOC_TREE_OBJECTID, c.U64_MAX)
    assert [*map(is_subvolume_id, yes), *map(is_subvolume_id, no)] == [True] * len(yes) + [False] * len(no)


def test_a_filesystem_without_a_log_or_a_tree_says_so(filesystem: Filesystem) -> None:
    assert filesystem.log_root_tree is None
    assert list(log_trees(filesystem)) == []
    with pytest.raises(NotFoundError, match="no tree with id 77"):
        filesystem.tree(77)


def patched(image: Path, tree_id: int, key: Key, at: int, data: bytes) -> Patch:
    """A patch over the item with this key: from byte `at` of its data, or, where negative, of its header."""
    blocks = Blocks(image)
    for bytenr, block in blocks.data.items():
        header = HEADER.unpack_from(block)
        slots = range(0 if header.level or header.owner != tree_id else header.nritems)
        for header_at in (HEADER.size + slot * ITEM.size for slot in slots):
            item = ITEM.unpack_from(block, header_at)
            if item.key == key:
                start = HEADER.size + item.offset + at if at >= 0 else header_at + KEY.offset_of("offset")
                changed = bytearray(block)
                changed[start : start + len(data)] = data
                return blocks.patch(bytenr, changed, f"{key}", mend=True)
    raise AssertionError(f"no item {key} in tree {tree_id}")


def u64(number: int) -> bytes:
    return number.to_bytes(8, "little")


def test_a_subvolume_that_is_its_own_ancestor_is_an_error_and_not_a_hang(image: Path) -> None:
    patch = patched(image, c.ROOT_TREE_OBJECTID, Key(256, c.ROOT_BACKREF_KEY, 5), -1, u64(256))
    with applied(image, patch):
        result = run("subvolume", "list", image)
    assert result.status == 1
    assert "subvolume 256: is its own ancestor" in result.errors


def test_a_directory_whose_parent_is_itself_is_an_error_and_not_a_hang(image: Path) -> None:
    patch = patched(image, c.FS_TREE_OBJECTID, Key(257, c.INODE_REF_KEY, 256), -1, u64(257))
    with applied(image, patch):
        result = run("subvolume", "list", image)
    assert result.status == 1
    assert "directory 257 lies on a path of over 16384 bytes" in result.errors


def test_a_name_that_lies_about_its_length_is_named_with_leaf_and_slot(image: Path) -> None:
    at = ROOT_REF.offset_of("name_len")
    patch = patched(image, c.ROOT_TREE_OBJECTID, Key(256, c.ROOT_BACKREF_KEY, 5), at, b"\xff\xff")
    message = r"leaf \d+ slot \d+: RootRef.name of 65535 bytes at byte 18: 4 bytes left"
    with applied(image, patch), open_filesystem(str(image)) as damaged, pytest.raises(CorruptError, match=message):
        list(Subvolumes(damaged))
