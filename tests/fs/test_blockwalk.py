"""Walking all blocks of a tree: orders, damage stepped over, and trees that lie."""

import pytest
from build import MemoryVolume, small_items, tree_of

from pybtrfs.btree.block import Block
from pybtrfs.btree.search import Tree
from pybtrfs.btree.store import BlockStore
from pybtrfs.fs.blockwalk import Trouble, leaves, read_block, walk
from pybtrfs.ondisk.header import HEADER, KEY_PTR

COUNT = 30000


def shape(tree: Tree, root: Block, *, depth_first: bool = False) -> tuple[list[int], list[str]]:
    """The levels of the blocks in the order of a walk, and the troubles."""
    steps = list(walk(tree.store, root, depth_first=depth_first))
    return (
        [step.level for step in steps if isinstance(step, Block)],
        [step.text for step in steps if isinstance(step, Trouble)],
    )


def again(volume: MemoryVolume, tree: Tree) -> tuple[Tree, Block]:
    """The tree through a store that has read nothing yet, and its root as it stands."""
    fresh = Tree(BlockStore(volume), tree.root)
    return fresh, next(step for step in read_block(fresh.store, tree.root.bytenr) if isinstance(step, Block))


def test_breadth_first_shows_each_level_whole_and_depth_first_each_node_with_its_children() -> None:
    _, tree, _ = tree_of(small_items(COUNT))
    root = tree.root_block()
    assert root.level == 2
    broad, _ = shape(tree, root)
    deep, _ = shape(tree, root, depth_first=True)
    assert broad == sorted(broad, reverse=True)
    assert deep[:3] == [2, 1, 0]
    assert sorted(broad) == sorted(deep)
    assert broad.count(0) == sum(1 for _ in leaves(tree.store, root)) == sum(1 for _ in tree.leaves())


def test_both_orders_show_the_leaves_in_the_order_of_their_keys() -> None:
    _, tree, _ = tree_of(small_items(COUNT))
    expected = [leaf.bytenr for leaf in tree.leaves()]
    for depth_first in (False, True):
        blocks = walk(tree.store, tree.root_block(), depth_first=depth_first)
        assert [block.bytenr for block in blocks if isinstance(block, Block) and block.is_leaf] == expected


@pytest.mark.parametrize("depth_first", [False, True])
@pytest.mark.parametrize("level", [0, 1])
def test_a_block_whose_checksum_fails_is_left_out_with_one_line(level: int, depth_first: bool) -> None:
    volume, tree, _ = tree_of(small_items(COUNT))
    root = tree.root_block()
    whole, _ = shape(tree, root, depth_first=depth_first)
    child = root.key_ptrs[1].blockptr
    node = tree.store.read(child)
    victim = child if level else node.key_ptrs[3].blockptr
    volume.patch(victim, 200, b"\xff\xff", mend=False)
    found, troubles = shape(*again(volume, tree), depth_first=depth_first)
    assert len(troubles) == 1
    assert f"tree block {victim}: " in troubles[0]
    assert len(whole) - len(found) == 1 + (node.nritems if level else 0)


@pytest.mark.parametrize("depth_first", [False, True])
def test_a_leaf_that_is_odd_inside_is_shown_with_a_line(depth_first: bool) -> None:
    volume, tree, _ = tree_of(small_items(COUNT))
    root = tree.root_block()
    whole, _ = shape(tree, root, depth_first=depth_first)
    victim = next(tree.leaves()).bytenr
    volume.patch(victim, HEADER.size + 17, b"\xff\xff\xff\xff")  # the first item's offset
    found, troubles = shape(*again(volume, tree), depth_first=depth_first)
    assert found == whole
    assert len(troubles) == 1


@pytest.mark.parametrize("depth_first", [False, True])
def test_a_tree_whose_pointers_all_lead_to_one_block_ends_soon(depth_first: bool) -> None:
    volume, tree, _ = tree_of(small_items(COUNT))
    root = tree.root_block()
    first = root.key_ptrs[0].blockptr
    for slot in range(root.nritems):
        at = HEADER.size + slot * KEY_PTR.size + KEY_PTR.offset_of("blockptr")
        volume.patch(root.bytenr, at, first.to_bytes(8, "little"))
    found, troubles = shape(*again(volume, tree), depth_first=depth_first)
    assert found.count(1) == 1
    assert len(troubles) == root.nritems - 1


@pytest.mark.parametrize("depth_first", [False, True])
def test_children_whose_keys_do_not_rise_are_not_followed(depth_first: bool) -> None:
    volume, tree, _ = tree_of(small_items(COUNT))
    root = tree.root_block()
    volume.patch(root.bytenr, HEADER.size + 2 * KEY_PTR.size, bytes(17))
    found, troubles = shape(*again(volume, tree), depth_first=depth_first)
    assert found.count(1) == root.nritems - 1
    assert f"node {root.bytenr} slot 2: its key is out of order, the child is not followed" in troubles


def test_a_node_that_points_at_itself_is_shown_once() -> None:
    volume, tree, _ = tree_of(small_items(200))
    root = tree.root_block()
    assert root.level == 1
    at = HEADER.size + KEY_PTR.offset_of("blockptr")
    volume.patch(root.bytenr, at, root.bytenr.to_bytes(8, "little"))
    found, troubles = shape(*again(volume, tree))
    assert found.count(1) == 1
    assert len(troubles) == 1
