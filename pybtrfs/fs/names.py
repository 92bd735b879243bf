"""The names of an inode within its subvolume, and the paths that they make.

An inode has a name for each hard link. A name stands in the INODE_REF under its directory; where that item is
full, in an INODE_EXTREF under a hash of directory and name. Either holds several names. A directory has one name;
from directory to directory the INODE_REFs lead up to the subvolume's top, whose own INODE_REF is a `..` to itself.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pybtrfs.btree.block import Item
from pybtrfs.btree.search import Tree
from pybtrfs.errors import CorruptError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.inode import INODE_EXTREF, INODE_REF
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.layout import Many

LONGEST_PATH = 16384
"""Bytes of a path that is believed; a host's PATH_MAX is a quarter of that."""

_REFS, _EXTREFS = Many(INODE_REF), Many(INODE_EXTREF)
_DIRECTORIES_KEPT = 256


class Name(NamedTuple):
    """A hard link: the directory that holds the name, and where in the directory's order it stands."""

    directory: int
    dir_index: int
    name: bytes


def names_of(tree: Tree, ino: int) -> Iterator[Name]:
    """All names of an inode of a subvolume's tree: those of INODE_REFs, then those of INODE_EXTREFs.

    Raises `CorruptError` where an item's names do not fit it.
    """
    for item in tree.items(Key(ino, c.INODE_REF_KEY, 0), Key(ino, c.INODE_EXTREF_KEY, c.U64_MAX)):
        yield from _names_in(item)


def paths_of(tree: Tree, ino: int) -> Iterator[bytes]:
    """The path of each name of an inode, from the top of its subvolume, with no slash in front.

    The top directory has none but the empty one. `CorruptError` where a name's directory leads nowhere.
    """
    if ino == c.FIRST_FREE_OBJECTID:
        yield b""
        return
    above = lru_cache(_DIRECTORIES_KEPT)(lambda directory: directory_path(tree, directory))
    for name in names_of(tree, ino):
        path = above(name.directory)
        yield path + b"/" + name.name if path else name.name


def directory_path(tree: Tree, directory: int) -> bytes:
    """The path of a directory inside its subvolume, with no slash at either end; empty for the top directory.

    `CorruptError` where a directory on the way has no name, or the path is longer than any (a loop is).
    """
    parts: list[bytes] = []
    at, length = directory, 0
    while at != c.FIRST_FREE_OBJECTID:
        name = next(names_of(tree, at), None)
        if name is None:
            raise CorruptError(f"subvolume {tree.root.tree_id}: directory {at} has no INODE_REF")
        parts.append(name.name)
        length += len(name.name) + 1
        if length > LONGEST_PATH:
            raise CorruptError(
                f"subvolume {tree.root.tree_id}: directory {directory} lies on a path of over {LONGEST_PATH} bytes"
            )
        at = name.directory
    return b"/".join(reversed(parts))


def _names_in(item: Item) -> Iterator[Name]:
    if item.key.type == c.INODE_REF_KEY:
        found = [Name(item.key.offset, ref.dir_index, ref.name) for ref in item.read(_REFS)]
    else:
        found = [Name(ref.parent_objectid, ref.dir_index, ref.name) for ref in item.read(_EXTREFS)]
    if not found:
        raise CorruptError(f"leaf {item.bytenr} slot {item.slot}: an item for names has none")
    return iter(found)
