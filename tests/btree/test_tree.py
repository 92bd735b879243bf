"""Search and iteration over built trees against a sorted list, and what a lying tree is met with."""

from bisect import bisect_left

import pytest
from build import FIRST, FORM, small_items, tree_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pybtrfs.btree.scan import scan
from pybtrfs.btree.search import Root, Tree
from pybtrfs.errors import ChecksumError, CorruptError
from pybtrfs.ondisk.header import HEADER, ITEM, KEY_PTR
from pybtrfs.ondisk.key import KEY, MAX_KEY, MIN_KEY, Key, successor

keys = st.builds(Key, st.integers(0, 9), st.integers(0, 3), st.integers(0, 9))
contents = st.dictionaries(keys, st.binary(max_size=900), max_size=120)
NODESIZES = (4096, 16384, 65536)


@settings(deadline=None, max_examples=60)
@given(contents, keys, keys, st.sampled_from(NODESIZES))
def test_ranges_both_ways_and_lookups_equal_those_of_a_sorted_list(
    content: dict[Key, bytes], first: Key, last: Key, nodesize: int
) -> None:
    rows = sorted(content.items())
    _, tree, _ = tree_of(rows, FORM._replace(nodesize=nodesize))
    wanted = [row for row in rows if first <= row[0] <= last]
    assert [(item.key, item.data) for item in tree.items(first, last)] == wanted
    assert [(item.key, item.data) for item in tree.items_backwards(last, first)] == wanted[::-1]
    for key in (first, last, *content):
        found = tree.find(key)
        assert (found.data if found else None) == content.get(key)


@pytest.mark.parametrize("count", [0, 1, 62, 63, 3000, 30000])
def test_a_built_tree_is_packed_and_its_columns_are_its_items(count: int) -> None:
    rows = small_items(count)
    volume, tree, built = tree_of(rows)
    assert [(item.key, item.data) for item in tree.items()] == rows
    assert built.blocks == len(volume.mirrors[0])
    seen = [
        (Key(*map(int, key)), batch.buffer[int(at) : int(at) + int(size)])
        for batch in scan(tree, batch_blocks=7)
        for key, at, size in zip(batch.key, batch.data_at, batch.size, strict=True)
    ]
    assert seen == rows


def test_a_node_is_never_left_with_one_child() -> None:
    per_leaf = (4096 - HEADER.size) // (ITEM.size + 30)
    for children in range(118, 126):  # a node of 4096 bytes has at most 121
        volume, tree, _ = tree_of(small_items(per_leaf * children))
        assert all(len(tree.store.read(at).key_ptrs) > 1 for at in volume.mirrors[0] if tree.store.read(at).level)


def test_a_damaged_mirror_is_passed_over_and_two_damaged_ones_are_both_named() -> None:
    volume, tree, built = tree_of(small_items(500))
    volume.patch(FIRST, 3000, b"!", mend=False, mirrors=[0])
    assert len(list(tree.items())) == 500
    volume.patch(FIRST, 3000, b"!", mend=False, mirrors=[1])
    tree.store._cache.clear()
    with pytest.raises(ChecksumError, match=rf"tree block {FIRST}: mirror 1: crc32c is .*; mirror 2: crc32c is"):
        list(tree.items())
    assert built.level == 1


def _root_ptr(slot: int, field: str) -> int:
    return HEADER.size + slot * KEY_PTR.size + KEY_PTR.offset_of(field)


LIES = {
    "a child that is its own parent": lambda root: (_root_ptr(1, "blockptr"), root.to_bytes(8, "little"), "level is 1"),
    "one child twice": lambda root: (_root_ptr(1, "blockptr"), FIRST.to_bytes(8, "little"), "first key is"),
    "a generation from the future": lambda root: (_root_ptr(1, "generation"), b"\x09", "generation is 7"),
    "keys that fall": lambda root: (_root_ptr(1, "key"), KEY.pack(MAX_KEY), "follows"),
    "a child between two sectors": lambda root: (_root_ptr(1, "blockptr"), b"\x01", "expected a multiple of"),
    "more children than fit": lambda root: (HEADER.offset_of("nritems"), b"\xff\xff\xff\x7f", "children, expected"),
    "a level above the highest": lambda root: (HEADER.offset_of("level"), b"\x08", "level is 8"),
    "another filesystem's block": lambda root: (HEADER.offset_of("fsid"), b"\xff", "fsid is"),
    "a block of elsewhere": lambda root: (HEADER.offset_of("bytenr"), b"\x01", "it says that its address is"),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_lying_node_ends_in_an_error_that_names_it(lie: object) -> None:
    volume, tree, built = tree_of(small_items(500))
    at, data, message = lie(built.bytenr)  # type: ignore[operator]
    volume.patch(built.bytenr, at, data)
    with pytest.raises(CorruptError, match=message):
        list(tree.items())


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("offset", 4, "slot 1: item ends at"),
        ("size", 2**32 - 1, "slot 1: item ends at"),
        ("key", 0, r"slot 1: key \(0 1 0\) follows"),
    ],
)
def test_a_lying_item_header_is_named_with_leaf_and_slot(field: str, value: int, message: str) -> None:
    volume, tree, _ = tree_of(small_items(500))
    at = HEADER.size + ITEM.size + ITEM.offset_of(field)
    volume.patch(FIRST, at, value.to_bytes(8 if field == "key" else 4, "little"))
    with pytest.raises(CorruptError, match=f"tree block {FIRST}: mirror 1: {message}"):
        list(tree.items())


def test_the_cache_is_bounded_and_a_cached_block_is_still_compared_with_its_parent() -> None:
    volume, tree, built = tree_of(small_items(2000), cache_bytes=110_000)
    list(tree.items())
    assert 2 <= len(tree.store._cache) <= 3
    list(tree.items(MIN_KEY, Key(256, 1, 0)))
    volume.patch(built.bytenr, _root_ptr(0, "generation"), b"\x09")
    tree.store._cache.pop(built.bytenr, None)
    with pytest.raises(CorruptError, match="its parent says 9"):
        list(tree.items())


@given(st.lists(keys, min_size=2, unique=True))
def test_the_successor_of_a_key_is_the_least_one_above_it(some: list[Key]) -> None:
    rows = sorted(some)
    for key in rows:
        above = successor(key)
        assert above is not None
        assert bisect_left(rows, above) == rows.index(key) + 1
    assert successor(MAX_KEY) is None
    assert successor(Key(1, 255, 2**64 - 1)) == Key(2, 0, 0)


def test_a_tree_whose_blocks_belong_to_another_is_an_error() -> None:
    _, tree, built = tree_of(small_items(10))
    stranger = Tree(tree.store, Root(9, built.bytenr, built.level, 7))
    with pytest.raises(CorruptError, match="owner is tree 5, expected 9"):
        list(stranger.items())
    snapshot = Tree(tree.store, Root(300, built.bytenr, built.level, 7))
    assert len(list(snapshot.items())) == 10


def test_walking_a_large_tree_takes_no_more_memory_than_the_cache_may_have() -> None:
    import tracemalloc

    _, tree, _ = tree_of(small_items(150_000, size=0), FORM._replace(nodesize=65536), cache_bytes=4 << 20)
    tracemalloc.start()
    assert sum(1 for _ in tree.items()) == 150_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 << 20
