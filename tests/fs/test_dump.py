"""What a dump shows: tree names, which trees each option leaves in, and blocks that were asked for."""

import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest
from damage import places_of

from pybtrfs.errors import UsageError
from pybtrfs.fs.blockwalk import Trouble
from pybtrfs.fs.dump import Backups, BlockEvent, Event, Request, Totals, TreeBegins, dump, parse_tree_id
from pybtrfs.fs.filesystem import Filesystem, open_filesystem
from pybtrfs.ondisk import constants as c

GOLDEN = Path(__file__).parent.parent / "golden" / "kernel.img.xz"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dump") / "image"
    path.write_bytes(lzma.decompress(GOLDEN.read_bytes()))
    return path


@pytest.fixture
def fs(image: Path) -> Iterator[Filesystem]:
    with open_filesystem(str(image)) as filesystem:
        yield filesystem


def words(events: list[Event]) -> list[str]:
    return [event.word for event in events if isinstance(event, TreeBegins)]


@pytest.mark.parametrize(
    ("text", "tree_id"),
    [
        ("5", 5),
        (str(c.U64_MAX), c.U64_MAX),
        ("fs", c.FS_TREE_OBJECTID),
        ("FS_TREE", c.FS_TREE_OBJECTID),
        ("BTRFS_CSUM_TREE_OBJECTID", c.CSUM_TREE_OBJECTID),
        ("checksum", c.CSUM_TREE_OBJECTID),
        ("Device", c.DEV_TREE_OBJECTID),
        ("free-space", c.FREE_SPACE_TREE_OBJECTID),
        ("TREE_LOG", c.TREE_LOG_OBJECTID),
        ("tree-log-fixup", c.TREE_LOG_FIXUP_OBJECTID),
        ("block_group_tree", c.BLOCK_GROUP_TREE_OBJECTID),
    ],
)
def test_a_tree_has_a_number_and_names(text: str, tree_id: int) -> None:
    assert parse_tree_id(text) == tree_id


@pytest.mark.parametrize("text", ["", "0", "-9", "fsx", "fs tree", str(c.U64_MAX + 1), "٣", "9" * 5000])
def test_what_names_no_tree_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_tree_id(text)


def test_the_whole_dump_shows_every_tree_once_and_ends_with_the_totals(fs: Filesystem) -> None:
    events = list(dump(fs, Request()))
    assert words(events)[:3] == ["root", "chunk", "extent"]
    assert isinstance(events[-1], Totals)
    assert not [event for event in events if isinstance(event, Trouble)]
    blocks = [event.block.bytenr for event in events if isinstance(event, BlockEvent)]
    assert len(blocks) == len(set(blocks))


def test_each_option_leaves_its_trees_in(fs: Filesystem) -> None:
    assert words(list(dump(fs, Request(extents=True)))) == ["extent", "device"]
    assert words(list(dump(fs, Request(device=True)))) == ["root", "chunk", "device"]
    assert words(list(dump(fs, Request(uuid=True)))) == ["uuid"]
    assert words(list(dump(fs, Request(tree_id=c.CSUM_TREE_OBJECTID)))) == ["checksum"]


def test_only_the_leaves_of_the_extent_tree_are_shown(fs: Filesystem) -> None:
    blocks = [event for event in dump(fs, Request(extents=True)) if isinstance(event, BlockEvent)]
    assert blocks
    assert all(event.plain and event.block.is_leaf for event in blocks)


def test_roots_are_titles_alone_and_backups_come_before_the_totals(fs: Filesystem) -> None:
    events = list(dump(fs, Request(roots=True, backups=True)))
    assert not [event for event in events if isinstance(event, BlockEvent)]
    assert isinstance(events[-2], Backups)


def test_a_tree_that_is_not_there_is_a_trouble_or_nothing(fs: Filesystem) -> None:
    assert [type(event) for event in dump(fs, Request(tree_id=c.TREE_LOG_OBJECTID))] == [Trouble]
    assert [type(event) for event in dump(fs, Request(tree_id=999999))] == [Totals]


def test_blocks_come_in_the_order_of_their_addresses_and_each_once(fs: Filesystem) -> None:
    first, second = sorted((fs.root_tree.root.bytenr, fs.chunk_tree.root.bytenr))
    events = list(dump(fs, Request(blocks=(second, first, second))))
    assert [event.block.bytenr for event in events if isinstance(event, BlockEvent)] == [first, second]


def test_an_address_that_holds_no_block_is_a_trouble(fs: Filesystem) -> None:
    for bytenr in (1, 4096, c.U64_MAX, c.U64_MAX // 4096 * 4096):
        assert [type(event) for event in dump(fs, Request(blocks=(bytenr,)))] == [Trouble]


def test_a_damaged_block_that_was_asked_for_is_shown_but_not_followed(image: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(image.read_bytes())
    with open_filesystem(str(copy)) as fs:
        bytenr = fs.tree(c.FS_TREE_OBJECTID).root.bytenr
        places = places_of(fs, bytenr)
    with copy.open("r+b") as file:
        for physical in places:
            file.seek(physical + 80)
            file.write(b"\xee")
    with open_filesystem(str(copy)) as fs:
        events = list(dump(fs, Request(blocks=(bytenr,), follow=True)))
        assert [type(event) for event in events] == [Trouble, BlockEvent]
        whole = list(dump(fs, Request(tree_id=c.FS_TREE_OBJECTID)))
        assert [type(event) for event in whole] == [Trouble, Totals]
