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
    assert troubles[-1].endswith(f"block {first} is a child already")
    assert len(troubles) == root.nritems - 1


@pytest.mark.parametrize("depth_first", [False, True])
@pytest.mark.parametrize("key", [bytes(17), b"\xff" * 17], ids=["lowest", "greatest"])
def test_one_key_out_of_order_hides_nothing_but_what_is_below_it(key: bytes, depth_first: bool) -> None:
    volume, tree, _ = tree_of(small_items(COUNT))
    root = tree.root_block()
    whole, _ = shape(tree, root, depth_first=depth_first)
    hidden = tree.store.read(root.key_ptrs[2].blockptr)
    volume.patch(root.bytenr, HEADER.size + 2 * KEY_PTR.size, key)
    found, troubles = shape(*again(volume, tree), depth_first=depth_first)
    assert len(whole) - len(found) == hidden.nritems
    wanted = f"node {hidden.bytenr}: its parent's keys are out of order, what is below is not shown"
    assert troubles.count(wanted) == 1


@pytest.mark.parametrize("depth_first", [False, True])
def test_a_leaf_under_a_wrong_key_is_shown(depth_first: bool) -> None:
    volume, tree, _ = tree_of(small_items(COUNT))
    root = tree.root_block()
    whole, _ = shape(tree, root, depth_first=depth_first)
    node = root.key_ptrs[1].blockptr
    volume.patch(node, HEADER.size + 3 * KEY_PTR.size, b"\xff" * 17)
    found, troubles = shape(*again(volume, tree), depth_first=depth_first)
    assert found == whole
    assert any("its parent says" in trouble for trouble in troubles)


def test_a_leaf_shared_by_two_nodes_is_shown_where_its_keys_belong() -> None:
    volume, tree, _ = tree_of(small_items(COUNT))
    root = tree.root_block()
    whole, _ = shape(tree, root)
    first, second = (tree.store.read(pointer.blockptr) for pointer in root.key_ptrs[:2])
    at = HEADER.size + 4 * KEY_PTR.size + KEY_PTR.offset_of("blockptr")
    volume.patch(second.bytenr, at, first.key_ptrs[0].blockptr.to_bytes(8, "little"))
    found, troubles = shape(*again(volume, tree))
    assert len(whole) - len(found) == 1
    assert f"leaf {first.key_ptrs[0].blockptr}: it belongs elsewhere in the tree, and is not shown" in troubles


def test_a_node_that_points_at_itself_is_shown_once() -> None:
    volume, tree, _ = tree_of(small_items(200))
    root = tree.root_block()
    assert root.level == 1
    at = HEADER.size + KEY_PTR.offset_of("blockptr")
    volume.patch(root.bytenr, at, root.bytenr.to_bytes(8, "little"))
    found, troubles = shape(*again(volume, tree))
    assert found.count(1) == 1
    assert len(troubles) == 1
