"""Walks: order, depth, what is left out, and that each one ends and goes on past damage."""

import stat

import pytest
from files import TOP, Files

from pybtrfs.errors import CorruptError
from pybtrfs.fs.inode import Place
from pybtrfs.fs.walk import Found, walk
from pybtrfs.ondisk import constants as c

FOLDER, INNER, FILE = Place(5, 300), Place(5, 301), Place(5, 302)


def small() -> Files:
    """/folder/inner/deep, /folder/b, /folder/a, and a subvolume with a file."""
    files = Files()
    files.name(TOP, b"folder", files.directory(FOLDER), stat.S_IFDIR)
    files.name(FOLDER, b"inner", files.directory(INNER), stat.S_IFDIR)
    files.name(FOLDER, b"b", files.file(FILE, 0))
    files.name(FOLDER, b"a", FILE)
    files.name(INNER, b"deep", FILE)
    subvolume = files.subvolume(TOP, b"subvolume", 400)
    files.name(subvolume, b"file", files.file(Place(400, 300), 0))
    return files


def paths(found: list[Found]) -> list[bytes]:
    return [one.path for one in found]


WHOLE = [
    b"",
    b"folder",
    b"folder/inner",
    b"folder/inner/deep",
    b"folder/b",
    b"folder/a",
    b"subvolume",
    b"subvolume/file",
]


def test_a_walk_meets_each_directory_before_what_is_in_it_and_enters_subvolumes() -> None:
    found = list(walk(small().open(), TOP))
    assert paths(found) == WHOLE
    assert [one.depth for one in found] == [0, 1, 2, 3, 2, 2, 1, 2]
    assert [one.path for one in found if one.is_subvolume] == [b"subvolume"]
    assert found[-1].place == Place(400, 300)
    assert found[3].name == b"deep"


def test_an_ordered_walk_sorts_names_and_says_which_is_the_last() -> None:
    found = list(walk(small().open(), TOP, ordered=True))
    assert paths(found) == sorted(WHOLE)
    assert {one.path for one in found if one.is_last} == {
        b"folder/inner",
        b"folder/inner/deep",
        b"subvolume",
        b"subvolume/file",
    }


def test_a_walk_can_stop_at_a_depth_at_subvolumes_and_where_it_is_told() -> None:
    opened = small().open()
    assert paths(list(walk(opened, TOP, deepest=0))) == [b""]
    assert paths(list(walk(opened, TOP, deepest=1))) == [b"", b"folder", b"subvolume"]
    assert paths(list(walk(opened, TOP, cross=False))) == WHOLE[:-1]
    assert paths(list(walk(opened, TOP, keep=lambda directory, entry: entry.name != b"inner"))) == [
        path for path in WHOLE if b"inner" not in path
    ]
    walking, met = walk(opened, TOP), []
    found = next(walking, None)
    while found is not None:
        met.append(found.path)
        try:
            found = walking.send(found.path == b"folder")
        except StopIteration:
            break
    assert met == [b"", b"folder", b"subvolume", b"subvolume/file"]


def test_a_walk_may_begin_at_a_file() -> None:
    assert paths(list(walk(small().open(), FILE))) == [b""]


def test_directories_that_hold_one_another_are_entered_once() -> None:
    files, told = small(), []
    files.name(INNER, b"up", FOLDER, stat.S_IFDIR)
    files.name(INNER, b"self", INNER, stat.S_IFDIR)
    files.name(TOP, b"again", INNER, stat.S_IFDIR)
    opened = files.open()
    found = paths(list(walk(opened, TOP, lambda path, error: told.append((path, str(error))))))
    assert sorted(found) == sorted([*WHOLE, b"folder/inner/up", b"folder/inner/self", b"again"])
    assert {path for path, _ in told} == {b"folder/inner/up", b"folder/inner/self", b"again"}
    assert all("hangs in two places" in text for _, text in told)
    with pytest.raises(CorruptError, match=r"/folder/inner/up: .*hangs in two places"):
        list(walk(opened, TOP))


def test_a_subvolume_that_holds_itself_is_entered_once() -> None:
    files, told = small(), []
    files.subvolume(Place(400, 256), b"itself", 400)
    found = paths(list(walk(files.open(), TOP, lambda path, error: told.append(path))))
    assert found[-1] == b"subvolume/itself"
    assert told == [b"subvolume/itself"]


def test_what_is_left_over_of_subvolumes_hangs_in_many_places_and_is_empty() -> None:
    files, told = small(), []
    files.subvolume(TOP, b"one", 500, ref=False)
    files.subvolume(FOLDER, b"two", 501, ref=False)
    found = paths(list(walk(files.open(), TOP, lambda path, error: told.append(path))))
    assert {b"one", b"folder/two"} <= set(found)
    assert told == []


def test_a_name_whose_inode_or_subvolume_is_not_there_costs_that_name_only() -> None:
    files, told = small(), []
    files.name(FOLDER, b"gone", Place(5, 999))
    files.subvolume(TOP, b"no tree", 600)
    del files.items[600]
    found = paths(list(walk(files.open(), TOP, lambda path, error: told.append((path, str(error))))))
    assert found == WHOLE
    assert told == [
        (b"folder/gone", "subvolume 5 inode 999: has no inode item"),
        (b"no tree", "subvolume 600 inode 256: a name leads to the subvolume, which has no root item"),
    ]


def test_a_directory_whose_leaf_is_lost_is_named_and_the_walk_goes_on() -> None:
    files, told = small(), []
    for number in range(400):
        files.name(INNER, b"file-%d" % number, FILE)
    opened = files.open()
    opened.break_leaf(5, c.DIR_INDEX_KEY)
    found = paths(list(walk(opened, TOP, lambda path, error: told.append(path))))
    assert len(found) == len(WHOLE) + 400
    assert told == [b"folder/inner"]
