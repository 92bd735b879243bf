"""Root items and what names them: trees by themselves, subvolumes against their names, orphans, the default.

A subvolume has a ROOT_REF from its parent, a ROOT_BACKREF to it, and in the parent an entry by index and one by
hash; one that is being deleted has an orphan item instead. (`check_root_refs` in btrfs-progs, `check_root_item` in the
kernel's tree-checker.)
"""

from collections.abc import Iterator
from typing import NamedTuple

from pybtrfs.btree.block import Item
from pybtrfs.btree.search import Tree
from pybtrfs.check.findings import Finding, Severity
from pybtrfs.checksum import name_hash
from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.subvolume import is_subvolume_id
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.dir import DIR_ITEM, DirItem
from pybtrfs.ondisk.inode import INODE_ITEM
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.layout import Many
from pybtrfs.ondisk.root import ROOT_ITEM, ROOT_REF, RootItem, RootRef
from pybtrfs.ondisk.uuid import NULL_UUID, uuid_text

_ENTRIES = Many(DIR_ITEM)
_NEEDED = (
    c.EXTENT_TREE_OBJECTID,
    c.DEV_TREE_OBJECTID,
    c.FS_TREE_OBJECTID,
    c.CSUM_TREE_OBJECTID,
    c.DATA_RELOC_TREE_OBJECTID,
)
_DIRECTORY = 4  # of st_mode >> 12
_KNOWN_TREES = {*_NEEDED, *range(1, c.REMAP_TREE_OBJECTID + 1), c.TREE_RELOC_OBJECTID}


class Known(NamedTuple):
    """What the root tree holds of subvolumes, read once."""

    roots: dict[int, tuple[Item, RootItem]]  # by id; the newest
    refs: dict[tuple[int, int], RootRef]  # by parent and child
    backrefs: dict[tuple[int, int], RootRef]
    orphans: set[int]
    relocated: list[tuple[Item, int]]  # root items of relocation trees, and whose they are
    inodes: set[int]
    children: set[int]  # that have a ROOT_BACKREF


def findings(filesystem: Filesystem) -> Iterator[Finding]:
    """All of what is wrong with root items and the names of subvolumes."""
    known = _read(filesystem)
    for number in _NEEDED:
        if number not in known.roots:
            yield _tree("ROO-001", number, f"the root tree has no tree {number}")
    for number, (item, root) in known.roots.items():
        yield from _root(filesystem, number, item, root)
        if is_subvolume_id(number):
            yield from _subvolume(filesystem, number, root, known)
        elif number == c.DATA_RELOC_TREE_OBJECTID:
            yield from _top(filesystem.tree_of(number, root), number)
    yield from _names(filesystem, known)
    yield from _orphans(known)
    yield from _default(filesystem, known)
    yield from _uuids(known)
    for item, source in known.relocated:
        if source not in known.roots:
            text = f"leaf {item.bytenr} slot {item.slot}: a relocation tree of tree {source}, which does not exist"
            yield _tree("ROO-013", source, text, Severity.WARNING)


def _tree(code: str, tree: int, text: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(code, severity, text, tree=tree)


def _read(filesystem: Filesystem) -> Known:
    known = Known({}, {}, {}, set(), [], set(), set())
    for item in filesystem.root_tree.items(trouble=lambda error: None):  # the walk tells of blocks that are damaged
        key = item.key
        try:
            if key.type == c.ROOT_ITEM_KEY and key.objectid == c.TREE_RELOC_OBJECTID:
                known.relocated.append((item, key.offset))
            elif key.type == c.ROOT_ITEM_KEY:
                known.roots[key.objectid] = item, item.read(ROOT_ITEM)
            elif key.type == c.ROOT_REF_KEY:
                known.refs[key.objectid, key.offset] = item.read(ROOT_REF)
            elif key.type == c.ROOT_BACKREF_KEY:
                known.backrefs[key.offset, key.objectid] = item.read(ROOT_REF)
                known.children.add(key.objectid)
            elif key.type == c.ORPHAN_ITEM_KEY:
                known.orphans.add(key.offset)
            elif key.type == c.INODE_ITEM_KEY:
                known.inodes.add(key.objectid)
        except CorruptError:
            continue  # of lengths rules/items.py tells; what is missing for it shows below
    return known


def _root(filesystem: Filesystem, number: int, item: Item, root: RootItem) -> Iterator[Finding]:
    """A root item by itself."""
    generation = filesystem.superblock.generation
    place = f"leaf {item.bytenr} slot {item.slot}: tree {number}"
    if root.bytenr % filesystem.sectorsize or not root.bytenr or root.level >= c.MAX_LEVEL:
        yield _tree("ROO-002", number, f"{place}: its root is at {root.bytenr}, of level {root.level}")
    for name in ("generation", "generation_v2", "last_snapshot"):
        value = getattr(root, name)
        if value > generation:
            yield _tree("ROO-003", number, f"{place}: {name} is {value}, the superblock's {generation}")
    if root.flags & ~(c.ROOT_SUBVOL_RDONLY | c.ROOT_SUBVOL_DEAD):
        yield _tree("ROO-004", number, f"{place}: flags are {root.flags:#x}, some of them unknown")
    if root.drop_level > root.level or (root.refs and root.drop_progress.objectid):
        text = f"{place}: drop_level is {root.drop_level} of {root.level}, drop_progress {tuple(root.drop_progress)}"
        yield _tree("ROO-005", number, f"{text}, refs {root.refs}")
    if item.key.offset and not is_subvolume_id(number):
        yield _tree("ROO-020", number, f"{place}: its root item has offset {item.key.offset}, expected 0")
    if number not in _KNOWN_TREES and not is_subvolume_id(number):
        yield _tree("ROO-006", number, f"{place}: nobody knows what this tree is for", Severity.WARNING)
    elif number in _NEEDED and number != c.FS_TREE_OBJECTID and root.refs != 1:
        yield _tree("ROO-007", number, f"{place}: refs is {root.refs}, expected 1", Severity.WARNING)


def _subvolume(filesystem: Filesystem, number: int, root: RootItem, known: Known) -> Iterator[Finding]:
    if root.root_dirid != c.FIRST_FREE_OBJECTID:
        yield _tree("ROO-008", number, f"subvolume {number}: root_dirid is {root.root_dirid}, expected 256")
    named = number == c.FS_TREE_OBJECTID or number in known.children
    if not named and number not in known.orphans:
        text = "it is being deleted, and no orphan item says so" if not root.refs else "nothing refers to it"
        yield _tree("ROO-009", number, f"subvolume {number}: {text}")
    if root.refs > 1 or (named and not root.refs):
        yield _tree("ROO-007", number, f"subvolume {number}: refs is {root.refs}, expected 1")
    if root.refs:
        yield from _top(filesystem.tree_of(number, root), number)
    if root.has_uuids and root.received_uuid != NULL_UUID:
        yield from _received(number, root)


def _top(tree: Tree, number: int) -> Iterator[Finding]:
    try:
        item = tree.find(Key(c.FIRST_FREE_OBJECTID, c.INODE_ITEM_KEY, 0))
        inode = None if item is None else item.read(INODE_ITEM)
    except CorruptError:
        return  # the walk tells of it
    if inode is None or inode.mode >> 12 != _DIRECTORY:
        found = "is missing" if inode is None else f"has mode {inode.mode:o}"
        yield Finding(
            "ROO-010", Severity.ERROR, f"subvolume {number}: its top directory, inode 256, {found}", number, 256
        )


def _received(number: int, root: RootItem) -> Iterator[Finding]:
    if not root.stransid or not root.rtransid:
        text = f"received_uuid is set, stransid {root.stransid}, rtransid {root.rtransid}"
        yield _tree("ROO-016", number, f"subvolume {number}: {text}", Severity.NOTE)


def _names(filesystem: Filesystem, known: Known) -> Iterator[Finding]:
    """ROOT_REF against ROOT_BACKREF against the entries in the parent."""
    for pair in sorted(known.refs.keys() | known.backrefs.keys()):
        parent, child = pair
        ref, back = known.refs.get(pair), known.backrefs.get(pair)
        if ref != back:
            found = "no ROOT_REF" if ref is None else "no ROOT_BACKREF" if back is None else "another ROOT_BACKREF"
            yield _tree("ROO-011", child, f"subvolume {child} in {parent}: there is {found}")
        for number in pair:
            if number not in known.roots:
                yield _tree("ROO-012", child, f"subvolume {child} in {parent}: there is no tree {number}")
        if parent in known.roots and (ref or back):
            yield from _entries(filesystem.tree_of(parent, known.roots[parent][1]), pair, ref or back)


def _entries(tree: Tree, pair: tuple[int, int], ref: RootRef | None) -> Iterator[Finding]:
    assert ref is not None, "one of both is there"
    parent, child = pair
    keys = Key(ref.dirid, c.DIR_INDEX_KEY, ref.sequence), Key(ref.dirid, c.DIR_ITEM_KEY, name_hash(ref.name))
    for key in keys:
        try:
            item = tree.find(key)
            entries: tuple[DirItem, ...] = () if item is None else item.read(_ENTRIES)
        except CorruptError:
            continue  # the walk tells of it
        wanted = (child, c.ROOT_ITEM_KEY, ref.name)
        if not any((e.location.objectid, e.location.type, e.name) == wanted for e in entries):
            where = "by index" if key.type == c.DIR_INDEX_KEY else "by hash"
            text = f"subvolume {child} in {parent}: directory {ref.dirid} has no such entry {where} {key.offset}"
            yield Finding("ROO-014", Severity.ERROR, text, parent, ref.dirid)


def _orphans(known: Known) -> Iterator[Finding]:
    for number in sorted(known.orphans):
        found = known.roots.get(number)
        if found is None and number not in known.inodes:
            yield _tree("ROO-015", number, f"orphan item of tree {number}, which does not exist", Severity.NOTE)
        elif found is not None and found[1].refs and number not in known.inodes:
            text = f"orphan item of subvolume {number}, which is not being deleted: refs is {found[1].refs}"
            yield _tree("ROO-015", number, text, Severity.WARNING)


def _default(filesystem: Filesystem, known: Known) -> Iterator[Finding]:
    """The entry `default` in the root tree's own directory leads to the subvolume that is mounted."""
    try:
        item = filesystem.root_tree.find(Key(c.ROOT_TREE_DIR_OBJECTID, c.DIR_ITEM_KEY, name_hash(b"default")))
        entries = () if item is None else item.read(_ENTRIES)
    except CorruptError:
        return  # the walk tells of it
    entry = next((entry for entry in entries if entry.name == b"default"), None)
    if entry is None:
        yield _tree("ROO-018", c.ROOT_TREE_OBJECTID, "the root tree names no default subvolume", Severity.WARNING)
        return
    number = entry.location.objectid
    found = known.roots.get(number)
    if found is None or not found[1].refs or not is_subvolume_id(number):
        text = f"the default subvolume is {number}, which does not exist or is being deleted"
        yield _tree("ROO-019", c.ROOT_TREE_OBJECTID, text)


def _uuids(known: Known) -> Iterator[Finding]:
    owner: dict[bytes, int] = {}
    for number, (_, root) in known.roots.items():
        if is_subvolume_id(number) and root.has_uuids and root.refs and root.uuid != NULL_UUID:
            other = owner.setdefault(root.uuid, number)
            if other != number:
                text = f"subvolume {number}: its UUID {uuid_text(root.uuid)} is that of subvolume {other}, too"
                yield _tree("ROO-017", number, text, Severity.WARNING)
