"""Which trees and blocks a dump shows, in which order and under which titles.

This is what `btrfs inspect-internal dump-tree` decides, without its printing: a stream of events that `render`
turns into text or JSON. The root tree, the chunk tree and the tree of log roots stand in the superblock and
come first; every other tree has a root item and comes in the order of those, the log trees last.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from pybtrfs.btree.block import Block
from pybtrfs.btree.check import Expected
from pybtrfs.btree.search import Tree
from pybtrfs.errors import CorruptError, UsageError
from pybtrfs.fs.blockwalk import Step, Trouble, leaves, read_block, read_damaged, walk
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.root import ROOT_ITEM
from pybtrfs.ondisk.superblock import Superblock


class Request(NamedTuple):
    """What is asked for: the options of dump-tree that choose trees and order."""

    tree_id: int | None = None  # only this tree
    blocks: tuple[int, ...] = ()  # only these blocks, by logical address
    follow: bool = False  # with `blocks`: all that hangs under them, too
    extents: bool = False  # the leaves of the extent and device trees
    device: bool = False  # root, chunk and device tree
    uuid: bool = False  # the UUID tree
    roots: bool = False  # only where the trees begin
    backups: bool = False  # the backup roots of the superblock, too
    depth_first: bool = False


class TreeBegins(NamedTuple):
    """A title: a tree's word, its root item's key where it has one."""

    word: str
    key: Key | None
    root: Block
    only_root: bool  # the title is all that is shown of it
    only_leaves: bool


class BlockEvent(NamedTuple):
    """A block to show; `plain` where options that add to it do not apply."""

    block: Block
    plain: bool = False


class Backups(NamedTuple):
    """The backup roots are to be shown."""

    superblock: Superblock


class Totals(NamedTuple):
    """The end of the dump of a whole filesystem: its sizes and UUID."""

    superblock: Superblock


Event = TreeBegins | BlockEvent | Backups | Totals | Trouble

WORDS = {
    c.ROOT_TREE_OBJECTID: "root",
    c.EXTENT_TREE_OBJECTID: "extent",
    c.CHUNK_TREE_OBJECTID: "chunk",
    c.DEV_TREE_OBJECTID: "device",
    c.FS_TREE_OBJECTID: "fs",
    c.ROOT_TREE_DIR_OBJECTID: "directory",
    c.CSUM_TREE_OBJECTID: "checksum",
    c.ORPHAN_OBJECTID: "orphan",
    c.TREE_LOG_OBJECTID: "log",
    c.TREE_LOG_FIXUP_OBJECTID: "log fixup",
    c.TREE_RELOC_OBJECTID: "reloc",
    c.DATA_RELOC_TREE_OBJECTID: "data reloc",
    c.EXTENT_CSUM_OBJECTID: "extent checksum",
    c.QUOTA_TREE_OBJECTID: "quota",
    c.UUID_TREE_OBJECTID: "uuid",
    c.FREE_SPACE_TREE_OBJECTID: "free space",
    c.MULTIPLE_OBJECTIDS: "multiple",
    c.BLOCK_GROUP_TREE_OBJECTID: "block group",
    c.RAID_STRIPE_TREE_OBJECTID: "raid stripe",
}
"""The word before `tree` in a title; a subvolume is a `file` tree."""

TREE_NAMES = {
    "root": c.ROOT_TREE_OBJECTID,
    "extent": c.EXTENT_TREE_OBJECTID,
    "chunk": c.CHUNK_TREE_OBJECTID,
    "device": c.DEV_TREE_OBJECTID,
    "dev": c.DEV_TREE_OBJECTID,
    "fs": c.FS_TREE_OBJECTID,
    "csum": c.CSUM_TREE_OBJECTID,
    "checksum": c.CSUM_TREE_OBJECTID,
    "quota": c.QUOTA_TREE_OBJECTID,
    "uuid": c.UUID_TREE_OBJECTID,
    "free_space": c.FREE_SPACE_TREE_OBJECTID,
    "tree_log_fixup": c.TREE_LOG_FIXUP_OBJECTID,
    "tree_log": c.TREE_LOG_OBJECTID,
    "tree_reloc": c.TREE_RELOC_OBJECTID,
    "data_reloc": c.DATA_RELOC_TREE_OBJECTID,
    "block_group": c.BLOCK_GROUP_TREE_OBJECTID,
    "raid_stripe": c.RAID_STRIPE_TREE_OBJECTID,
    "remap": c.REMAP_TREE_OBJECTID,
}


_DIGITS = len(str(c.U64_MAX)) + 1


def parse_tree_id(text: str) -> int:
    """A tree's id from a number or a name such as `fs`, `FREE-SPACE` or `BTRFS_CSUM_TREE_OBJECTID`."""
    if text.isascii() and text.isdigit():
        number = int(text[:_DIGITS])
    else:
        name = text.lower().replace("-", "_").removeprefix("btrfs_")
        number = TREE_NAMES.get(name.removesuffix("_objectid").removesuffix("_tree"), 0)
    if not 0 < number <= c.U64_MAX:
        raise UsageError(f"{text!r} is no tree id: a number from 1, or one of {', '.join(TREE_NAMES)}")
    return number


def dump(fs: Filesystem, request: Request) -> Iterator[Event]:
    """What is to be shown, in order."""
    if request.blocks:
        for bytenr in sorted(set(request.blocks)):
            yield from _one_block(fs, bytenr, request)
    elif request.tree_id in _TITLED:
        yield from _titled_tree(fs, request.tree_id, request)
    else:
        yield from _many_trees(fs, request)


def _one_block(fs: Filesystem, bytenr: int, request: Request) -> Iterator[Event]:
    """A block that was asked for is shown however damaged; but only a sound one is followed."""
    steps = list(read_block(fs.store, bytenr))
    for step in steps:
        if isinstance(step, Trouble):
            yield step
        else:
            yield from _events(walk(fs.store, step, depth_first=request.depth_first) if request.follow else (step,))
    if all(isinstance(step, Trouble) for step in steps):
        block = None if bytenr % fs.sectorsize else read_damaged(fs.store, bytenr)
        if block is not None:
            yield BlockEvent(block)


_TITLED = {
    c.ROOT_TREE_OBJECTID: "root",
    c.CHUNK_TREE_OBJECTID: "chunk",
    c.TREE_LOG_OBJECTID: "log root",
    c.BLOCK_GROUP_TREE_OBJECTID: "block group",
}
"""Trees that, asked for by id, come under a bare title and without the totals."""


def _titled_tree(fs: Filesystem, tree_id: int | None, request: Request) -> Iterator[Event]:
    assert tree_id is not None, "it is in _TITLED"
    word = _TITLED[tree_id]
    try:
        tree = fs.find_tree(tree_id)
    except CorruptError as error:
        yield Trouble(str(error))
        return
    if tree is None:
        yield Trouble(f"cannot print {word} tree, the filesystem has none")
        return
    yield from _whole_tree(fs, word, tree, request._replace(roots=False))


def _many_trees(fs: Filesystem, request: Request) -> Iterator[Event]:
    log = fs.log_root_tree
    if request.tree_id is None and not (request.extents or request.uuid):
        yield from _whole_tree(fs, "root", fs.root_tree, request)
        yield from _whole_tree(fs, "chunk", fs.chunk_tree, request)
        if log is not None:
            yield from _whole_tree(fs, "log root", log, request)
    yield from _trees_of(fs, fs.root_tree, request)
    if log is not None:
        yield from _trees_of(fs, log, request)
    if not (request.extents or request.device or request.uuid):
        if request.backups:
            yield Backups(fs.superblock)
        yield Totals(fs.superblock)


def _whole_tree(fs: Filesystem, word: str, tree: Tree, request: Request) -> Iterator[Event]:
    expected = Expected(tree.root.level, tree.root.generation)
    for root in read_block(fs.store, tree.root.bytenr, expected):
        if isinstance(root, Trouble):
            yield root
            continue
        yield TreeBegins(word, None, root, request.roots, only_leaves=False)
        if not request.roots:
            yield from _events(walk(fs.store, root, depth_first=request.depth_first))


def _trees_of(fs: Filesystem, directory: Tree, request: Request) -> Iterator[Event]:
    """The trees that have a root item in `directory`: the root tree, or the tree of log roots."""
    for item in _root_items(fs, directory):
        if isinstance(item, Trouble):
            yield item
            continue
        key, bytenr = item
        if request.tree_id not in (None, key.objectid) or not _is_shown(key.objectid, request):
            continue
        for root in read_block(fs.store, bytenr):
            yield (
                root
                if isinstance(root, Trouble)
                else TreeBegins(
                    WORDS.get(key.objectid, "file"), key, root, request.roots and not request.extents, request.extents
                )
            )
            if isinstance(root, Block):
                yield from _blocks_of(fs, root, request)


def _is_shown(tree_id: int, request: Request) -> bool:
    """Whether -e, -d and -u, each of which leaves out most trees, leave this one in."""
    if tree_id in _SHOWN:
        return _SHOWN[tree_id](request)
    return not (request.extents or request.device or request.uuid)


_SHOWN: dict[int, Callable[[Request], bool]] = {
    c.EXTENT_TREE_OBJECTID: lambda request: not (request.device or request.uuid),
    c.DEV_TREE_OBJECTID: lambda request: not request.uuid,
    c.UUID_TREE_OBJECTID: lambda request: not (request.extents or request.device),
    c.ROOT_TREE_DIR_OBJECTID: lambda request: True,
}


def _blocks_of(fs: Filesystem, root: Block, request: Request) -> Iterator[Event]:
    if request.extents:
        yield from _events(leaves(fs.store, root), plain=True)
    elif not request.roots:
        yield from _events(walk(fs.store, root, depth_first=request.depth_first))


def _root_items(fs: Filesystem, directory: Tree) -> Iterator[tuple[Key, int] | Trouble]:
    """The key of each root item, and where its tree's root block is."""
    expected = Expected(directory.root.level, directory.root.generation)
    for root in read_block(fs.store, directory.root.bytenr, expected):
        for step in (root,) if isinstance(root, Trouble) else leaves(fs.store, root):
            if isinstance(step, Trouble):
                yield step
                continue
            for item in step.items():
                if item.key.type == c.ROOT_ITEM_KEY:
                    try:
                        yield item.key, ROOT_ITEM.parse(item.data).bytenr
                    except CorruptError as error:
                        yield Trouble(f"leaf {item.bytenr} slot {item.slot}: {error}")


def _events(steps: Iterator[Step] | tuple[Step, ...], *, plain: bool = False) -> Iterator[Event]:
    for step in steps:
        yield step if isinstance(step, Trouble) else BlockEvent(step, plain)
