"""The names of an inode and the paths that they make, on trees of a few items."""

import pytest
from build import tree_of

from pybtrfs.btree.search import Tree
from pybtrfs.errors import CorruptError
from pybtrfs.fs.names import LONGEST_PATH, Name, directory_path, names_of, paths_of
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.inode import INODE_EXTREF, INODE_REF, InodeExtref, InodeRef
from pybtrfs.ondisk.key import Key

TOP = c.FIRST_FREE_OBJECTID


def ref(ino: int, directory: int, *names: bytes) -> tuple[Key, bytes]:
    data = b"".join(INODE_REF.pack(InodeRef.of(index, name)) for index, name in enumerate(names, 2))
    return Key(ino, c.INODE_REF_KEY, directory), data


def extref(ino: int, number: int, *names: tuple[int, bytes]) -> tuple[Key, bytes]:
    data = b"".join(INODE_EXTREF.pack(InodeExtref.of(directory, 9, name)) for directory, name in names)
    return Key(ino, c.INODE_EXTREF_KEY, number), data


def tree(*items: tuple[Key, bytes]) -> Tree:
    return tree_of(sorted([ref(TOP, TOP, b".."), *items]))[1]


def test_an_inode_has_the_names_of_each_item_of_either_kind() -> None:
    folder, file = ref(257, TOP, b"folder"), ref(300, TOP, b"one", b"two")
    found = tree(folder, file, extref(300, 1, (257, b"three"), (TOP, b"four")), extref(300, 2, (257, b"five")))
    assert list(names_of(found, 300))[:2] == [Name(TOP, 2, b"one"), Name(TOP, 3, b"two")]
    assert list(paths_of(found, 300)) == [b"one", b"two", b"folder/three", b"four", b"folder/five"]
    assert list(paths_of(found, 257)) == [b"folder"]
    assert list(paths_of(found, 299)) == []


def test_the_top_directory_has_the_empty_path() -> None:
    assert list(paths_of(tree(), TOP)) == [b""]
    assert directory_path(tree(), TOP) == b""


def test_a_directory_within_directories_has_all_their_names() -> None:
    found = tree(ref(257, TOP, b"a"), ref(258, 257, b"b"), ref(259, 258, b"c"))
    assert directory_path(found, 259) == b"a/b/c"


def test_directories_that_contain_each_other_end_in_an_error() -> None:
    found = tree(ref(257, 258, b"a"), ref(258, 257, b"b"), ref(259, 257, b"file"))
    with pytest.raises(CorruptError, match=f"directory 257 lies on a path of over {LONGEST_PATH} bytes"):
        list(paths_of(found, 259))


def test_a_directory_without_a_name_ends_in_an_error_that_names_it() -> None:
    with pytest.raises(CorruptError, match="subvolume 5: directory 400 has no INODE_REF"):
        list(paths_of(tree(ref(300, 400, b"file")), 300))


@pytest.mark.parametrize("kind", [c.INODE_REF_KEY, c.INODE_EXTREF_KEY])
def test_an_item_for_names_without_one_ends_in_an_error(kind: int) -> None:
    with pytest.raises(CorruptError, match=r"leaf .* slot 1: an item for names has none"):
        list(names_of(tree((Key(300, kind, TOP), b"")), 300))


def test_a_name_longer_than_its_item_ends_in_an_error() -> None:
    key, data = ref(300, TOP, b"file")
    with pytest.raises(CorruptError, match=r"slot 1: InodeRef\.name of 4 bytes"):
        list(names_of(tree((key, data[:-1])), 300))
