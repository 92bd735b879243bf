"""The tree log as text and as JSON values."""

import stat
from collections.abc import Callable, Iterator
from typing import Any

from pybtrfs.fs.logtree import LoggedExtent, LoggedInode, LoggedName, LogTree
from pybtrfs.ondisk.constants import EXTENT_CSUM_OBJECTID
from pybtrfs.render.json_values import bytes_field

Escape = Callable[[bytes], str]


def log_lines(log: LogTree, path: bytes, escape: Escape) -> Iterator[str]:
    """The log of one subvolume: a heading, then each inode with what the log holds of it."""
    root = log.tree.root
    yield f"subvolume {log.subvolume_id} {escape(path)}: log tree at {root.bytenr} level {root.level}"
    yield from (line for inode in log.inodes() for line in _inode_lines(inode, escape))
    csums = list(log.csum_items())
    if csums:
        yield f"  checksums: {len(csums)} items, {sum(len(item.data) for item in csums)} bytes"


def log_json(log: LogTree, path: bytes) -> dict[str, Any]:
    """The log of one subvolume as JSON values."""
    return {
        "subvolume_id": log.subvolume_id,
        **bytes_field("path", path),
        "bytenr": log.tree.root.bytenr,
        "level": log.tree.root.level,
        "inodes": [_inode_json(inode) for inode in log.inodes()],
        "csum_items": sum(item.key.objectid == EXTENT_CSUM_OBJECTID for item in log.csum_items()),
    }


def _inode_lines(logged: LoggedInode, escape: Escape) -> Iterator[str]:
    yield f"  inode {logged.ino}: {_summary(logged)}"
    yield from (f"    {_name_text(name, escape)}" for name in logged.names)
    yield from (f"    {_extent_text(extent)}" for extent in logged.extents)
    yield from (f"    xattr {escape(name)}" for name in logged.xattrs)
    yield from (f"    directory index {first} to {last} complete" for first, last in logged.ranges)


def _summary(logged: LoggedInode) -> str:
    inode = logged.inode
    if inode is None:
        return f"{logged.items} items, no inode item"
    return (
        f"{stat.filemode(inode.mode)} links {inode.nlink} uid {inode.uid} gid {inode.gid} size {inode.size} "
        f"generation {inode.generation} transid {inode.transid}, {logged.items} items"
    )


def _name_text(name: LoggedName, escape: Escape) -> str:
    if name.is_entry:
        return f"entry {escape(name.name)} -> {name.target}"
    return f"name {escape(name.name)} in directory {name.parent}"


def _extent_text(extent: LoggedExtent) -> str:
    what = {None: "inline", 0: "hole"}.get(extent.disk_bytenr, f"at {extent.disk_bytenr}")
    return f"extent {extent.file_offset} +{extent.num_bytes} {what} generation {extent.generation}"


def _inode_json(logged: LoggedInode) -> dict[str, Any]:
    inode = logged.inode
    known = {} if inode is None else {name: getattr(inode, name) for name in _INODE_FIELDS}
    return {
        "ino": logged.ino,
        "items": logged.items,
        **known,
        "names": [
            {**bytes_field("name", name.name), "parent": name.parent, "target": name.target, "entry": name.is_entry}
            for name in logged.names
        ],
        "extents": [extent._asdict() for extent in logged.extents],
        "xattrs": [bytes_field("name", name) for name in logged.xattrs],
        "ranges": [found._asdict() for found in logged.ranges],
    }


_INODE_FIELDS = ("mode", "nlink", "uid", "gid", "size", "nbytes", "generation", "transid")
