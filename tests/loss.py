"""What must be lost with a tree block or a data sector, and nothing else: the expectation, made from the C program's
dump of the sound image and the kernel's manifest of it.

    dump = loss.Dump.of(image)                               # judge.dump_tree, all trees, parsed
    expected = loss.expected(made.manifest, dump, blocks={bytenr}, sectors={logical, ...})
    loss.complaints(expected, found, lost)                   # lines; found and lost as reading.manifest_of gives them

The rules: a path is gone with its inode item, with both of its directory entries, or with its directory. A file's
content is lost with one of its EXTENT_DATA items, with a sector that one of them uses, or with the checksum of such a
sector; a link's target likewise; an attribute with its XATTR_ITEM. Whatever is lost must be named, by its own path or,
where its name is what was lost, by its directory's. Only what a lost block could have held may be named besides.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import judge
import manifest

SECTOR = 4096
TOP_TREE = "FS_TREE"
Inode = tuple[str, int]  # tree and number


class Extent(NamedTuple):
    """A file extent that holds data on the disk."""

    file_offset: int
    disk_bytenr: int
    disk_num_bytes: int
    offset: int
    num_bytes: int
    compressed: bool

    def sectors(self, size: int) -> range:
        """The logical addresses of the sectors that reading a file of `size` bytes needs."""
        if self.compressed:
            used = (0, self.disk_num_bytes) if self.file_offset < size else (0, 0)
        else:
            used = (
                self.offset,
                self.offset + max(0, min(self.num_bytes, -(-(size - self.file_offset) // SECTOR) * SECTOR)),
            )
        return range(self.disk_bytenr + used[0], self.disk_bytenr + used[1], SECTOR)


@dataclass
class Item:
    """An item as the dump shows it."""

    key: tuple[str, str, str]
    names: list[bytes] = field(default_factory=list)
    locations: list[tuple[str, str]] = field(default_factory=list)  # objectid and type of each
    numbers: dict[str, int] = field(default_factory=dict)

    def extent(self) -> Extent | None:
        """Of an EXTENT_DATA item, unless it is inline, preallocated or a hole."""
        n = self.numbers
        if not n.get("disk_bytenr"):
            return None
        compressed = bool(n.get("compression"))
        return Extent(int(self.key[2]), n["disk_bytenr"], n["disk_num_bytes"], n["offset"], n["num_bytes"], compressed)


_LINES = (
    (re.compile(r"\t\textent data disk byte (\d+) nr (\d+)"), ("disk_bytenr", "disk_num_bytes")),
    (re.compile(r"\t\textent data offset (\d+) nr (\d+) ram"), ("offset", "num_bytes")),
    (re.compile(r"\t\textent compression (\d+) "), ("compression",)),
    (re.compile(r"\t\trange start (\d+) end (\d+) "), ("start", "end")),
)
_TREE = re.compile(r"^.*tree key \((\S+) ROOT_ITEM \S+\)")
_BLOCK = re.compile(r"^(leaf|node) (\d+) (?:level \d+ )?items ")
_POINTER = re.compile(r"^\tkey \(\S+ \S+ \S+\) block (\d+) ")
_ITEM = re.compile(r"^\titem \d+ key \((\S+) (\S+) (\S+)\) itemoff")
_LOCATION = re.compile(r"^\t\tlocation key \((\S+) (\S+) ")
_NAME = re.compile(r"^\t\tname: (.*)$")
_ESCAPE = re.compile(rb"\\(?:([0-7]{3})|(.))")
_PLAIN = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f", b"v": b"\v", b"a": b"\a"}


class Dump:
    """All trees of an image: `roots` by tree, `children` by node, `items` by leaf."""

    def __init__(self, printed: str) -> None:
        self.roots: dict[str, int] = {}
        self.items: dict[int, list[Item]] = {}
        self.children: dict[int, list[int]] = {}
        tree, block, item = "", 0, None
        for line in printed.split("\n"):
            if found := _TREE.match(line):
                tree = found[1]
            elif found := _BLOCK.match(line):
                block, item = int(found[2]), None
                self.roots.setdefault(tree, block)
                if found[1] == "leaf":
                    self.items[block] = []
                else:
                    self.children[block] = []
            elif found := _POINTER.match(line):
                self.children[block].append(int(found[1]))
            elif found := _ITEM.match(line):
                item = Item((found[1], found[2], found[3]))
                self.items[block].append(item)
            elif item is not None:
                _take(item, line)

    @classmethod
    def of(cls, image: Path) -> Dump:
        return cls(judge.dump_tree(image))

    @property
    def fs_trees(self) -> list[str]:
        return [tree for tree in self.roots if tree == TOP_TREE or tree.isdigit()]

    def leaves(self, tree: str) -> list[int]:
        """The leaves of a tree in the order of their keys."""
        return [leaf for leaf, _ in self.leaves_without(tree, ())]

    def leaves_without(self, tree: str, blocks: Collection[int]) -> Iterator[tuple[int, bool]]:
        """The same, and of each whether it can be reached without these blocks, which it is one of otherwise."""
        return self._below(self.roots[tree], blocks, True)

    def _below(self, block: int, blocks: Collection[int], reached: bool) -> Iterator[tuple[int, bool]]:
        reached = reached and block not in blocks
        if block in self.items:
            yield block, reached
        for child in self.children.get(block, ()):
            yield from self._below(child, blocks, reached)

    def fs_blocks(self) -> list[int]:
        """Every leaf and node of the fs trees."""
        found, waiting = set[int](), [self.roots[tree] for tree in self.fs_trees]
        while waiting:
            block = waiting.pop()
            found.add(block)
            waiting += self.children.get(block, ())
        return sorted(found)

    def summed(self, blocks: Collection[int] = (), *, lost: bool = False) -> Iterator[tuple[int, int]]:
        """The ranges of logical addresses whose checksums are in the csum tree; lost: with these blocks."""
        for leaf, reached in self.leaves_without("CSUM_TREE", blocks):
            if reached != lost:
                yield from ((n["start"], n["end"]) for n in (item.numbers for item in self.items[leaf]))


def _take(item: Item, line: str) -> None:
    if found := _NAME.match(line):
        item.names.append(_unescaped(found[1]))
    elif found := _LOCATION.match(line):
        item.locations.append((found[1], found[2]))
    else:
        for pattern, names in _LINES:
            if found := pattern.match(line):
                item.numbers.update(zip(names, map(int, found.groups()), strict=True))


def _unescaped(name: str) -> bytes:
    raw = name.encode(errors="surrogateescape")
    return _ESCAPE.sub(lambda m: bytes([int(m[1], 8)]) if m[1] else _PLAIN.get(m[2], m[2]), raw)


# -- what is lost --------------------------------------------------------------------------------------------


@dataclass
class Expected:
    """What should be read of a damaged image, and which paths should be called damaged."""

    sound: manifest.Manifest
    gone: set[bytes] = field(default_factory=set)
    contents: set[bytes] = field(default_factory=set)
    doubtful: set[bytes] = field(default_factory=set)  # contents of which a lost block could have held a part
    attributes: dict[bytes, int] = field(default_factory=dict)  # how many of a path's are lost
    must_name: set[bytes] = field(default_factory=set)
    may_name: set[bytes] = field(default_factory=set)


def expected(
    sound: manifest.Manifest, dump: Dump, *, blocks: Iterable[int] = (), sectors: Iterable[int] = ()
) -> Expected:
    """What is lost with these tree blocks, and with these sectors of data, by logical address."""
    blocks, bad_sectors = set(blocks), set(sectors)
    for start, end in dump.summed(blocks, lost=True):
        bad_sectors |= set(range(start, end, SECTOR))
    whole = Expected(sound)
    view = _View(dump, blocks)
    places: dict[bytes, Inode] = {}
    for path in sorted(sound, key=lambda path: (path.count(b"/") if path != manifest.TOP else -1, path)):
        _judge(whole, view, places, path, bad_sectors)
    return whole


Key = tuple[int, int, int]
_TYPES = {
    "INODE_ITEM": 1,
    "INODE_REF": 12,
    "INODE_EXTREF": 13,
    "XATTR_ITEM": 24,
    "ORPHAN_ITEM": 48,
    "DIR_ITEM": 84,
    "DIR_INDEX": 96,
    "EXTENT_DATA": 108,
}
_LAST = (2**64, 0, 0)


def _key(item: Item) -> Key:
    """An item's key; those of other objects than inodes come after all inodes."""
    objectid, kind, offset = item.key
    return (int(objectid), _TYPES.get(kind, 0), int(offset)) if objectid.isdigit() else _LAST


class _View:
    """What the fs trees of a dump say with some blocks lost, and what stands in the leaves that these hide."""

    def __init__(self, dump: Dump, blocks: set[int]) -> None:
        self.names: dict[tuple[Inode, bytes], Inode] = {}
        self.readable_names: set[tuple[Inode, bytes]] = set()
        self.lost_items: dict[Inode, list[Item]] = defaultdict(list)
        self.extents: dict[Inode, list[Extent]] = defaultdict(list)
        self.doubts: list[tuple[str, Key, Key]] = []  # ranges of keys, by tree, that bad leaves are there for
        for tree in dump.fs_trees:
            leaves = list(dump.leaves_without(tree, blocks))
            for number, (leaf, reached) in enumerate(leaves):
                for item in dump.items[leaf]:
                    self._take(tree, item, not reached)
                if not reached:
                    following = leaves[number + 1 : number + 2]
                    end = _key(dump.items[following[0][0]][0]) if following else _LAST
                    self.doubts.append((tree, _key(dump.items[leaf][0]), end))

    def could_hold(self, inode: Inode, kind: str, length: int = 2**64) -> bool:
        """Whether a bad leaf is there for some key of this inode and type, of an offset below `length`."""
        first, behind = (inode[1], _TYPES[kind], 0), (inode[1], _TYPES[kind], length)
        return any(tree == inode[0] and low < behind and first < high for tree, low, high in self.doubts)

    def _take(self, tree: str, item: Item, is_bad: bool) -> None:
        objectid, kind, _ = item.key
        if not objectid.isdigit():
            return
        inode = tree, int(objectid)
        if is_bad:
            self.lost_items[inode].append(item)
        if kind in ("DIR_INDEX", "DIR_ITEM"):
            for name, (number, what) in zip(item.names, item.locations, strict=True):
                subvolume = what == "ROOT_ITEM"
                self.names[inode, name] = (number, 256) if subvolume else (tree, int(number))
                if not is_bad:
                    self.readable_names.add((inode, name))
        if kind == "EXTENT_DATA" and (extent := item.extent()):
            self.extents[inode].append(extent)


def _judge(whole: Expected, view: _View, places: dict[bytes, Inode], path: bytes, bad_sectors: set[int]) -> None:
    entry = whole.sound[path]
    parent, _, name = path.rpartition(b"/")
    parent = parent or manifest.TOP
    place = (TOP_TREE, 256) if path == manifest.TOP else view.names[places[parent], name]
    if entry.ino == manifest.LEFT_OVER_INO:
        place = places[parent][0], manifest.LEFT_OVER_INO
    places[path] = place
    if path != manifest.TOP and parent in whole.gone:
        whole.gone.add(path)
        return
    if path != manifest.TOP and (places[parent], name) not in view.readable_names:
        whole.gone.add(path)
        whole.must_name.add(parent)
        return
    lost = view.lost_items.get(place, [])
    if any(item.key[1] == "INODE_ITEM" for item in lost):
        whole.gone.add(path)
        whole.must_name.add(path)
        return
    doubtful = view.could_hold(place, "EXTENT_DATA", max(1, entry.size or 0))
    if doubtful:
        whole.doubtful.add(path)
    if doubtful or any(view.could_hold(place, kind) for kind in ("XATTR_ITEM", "DIR_ITEM", "DIR_INDEX")):
        whole.may_name.add(path)
    if attributes := sum(len(item.names) for item in lost if item.key[1] == "XATTR_ITEM"):
        whole.attributes[path] = attributes
        whole.must_name.add(path)
    used = (sectors for extent in view.extents.get(place, ()) if (sectors := extent.sectors(entry.size or 0)))
    if any(item.key[1] == "EXTENT_DATA" for item in lost) or any(not bad_sectors.isdisjoint(part) for part in used):
        whole.contents.add(path)
        whole.must_name.add(path)


# -- comparing -----------------------------------------------------------------------------------------------


def complaints(expected: Expected, found: manifest.Manifest, lost: Iterable[bytes]) -> list[str]:
    """A line for each path that is read wrongly, lost for nothing, not named, or named for nothing."""
    lines = manifest.differences(_remaining(expected, found), _remaining(replace(expected, sound=found), found))
    for path in sorted(expected.attributes.keys() & found.keys()):
        left = len(expected.sound[path].xattrs) - expected.attributes[path]
        if len(found[path].xattrs) != left or not set(found[path].xattrs) <= set(expected.sound[path].xattrs):
            lines.append(f"{path!r}: {len(found[path].xattrs)} xattrs, expected {left} of those that it has")
    for path in sorted(expected.contents & found.keys()):
        if len(found[path].digest or "") == 64:
            lines.append(f"{path!r}: its content is read, though a part of it is lost")
    named = set(lost)
    lines += [f"{path!r}: is damaged and not named" for path in sorted(expected.must_name - named)]
    lines += [f"{path!r}: is named for nothing" for path in sorted(named - expected.must_name - expected.may_name)]
    return lines


def _remaining(whole: Expected, found: manifest.Manifest) -> manifest.Manifest:
    """The manifest without what is lost; of what is damaged, only the rest is told."""
    remaining: manifest.Manifest = {}
    for path, entry in whole.sound.items():
        if path in whole.gone:
            continue
        links = tuple(link for link in entry.links if link not in whole.gone)
        changes: dict[str, object] = {"links": links if len(links) > 1 else ()}
        if path in whole.contents or path in whole.doubtful:
            changes |= dict.fromkeys(("digest", "data", "target"))
        if path in whole.attributes:
            changes["xattrs"] = None
        remaining[path] = replace(entry, **changes)  # type: ignore[arg-type]
    return remaining


def leaf_of(dump: Dump, tree: str, objectid: int) -> int:
    """The first leaf of a tree that has items of this objectid."""
    leaves = dump.leaves(tree)
    last = [max((int(i.key[0]) for i in dump.items[leaf] if i.key[0].isdigit()), default=2**64) for leaf in leaves]
    return leaves[bisect_left(last, objectid)]
