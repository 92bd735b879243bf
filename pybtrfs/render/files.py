"""Files as people know them: mode, type, blocks, and one as JSON values."""

import stat
from typing import Any, NamedTuple

from pybtrfs.fs.inode import FILE_TYPES, Place
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.inode import InodeItem
from pybtrfs.render.json_values import bytes_field, timespec_text

BLOCK = 512
"""Bytes of the blocks that stat counts in."""
_KINDS = {
    c.FT_REG_FILE: ("file", "-"),
    c.FT_DIR: ("directory", "d"),
    c.FT_CHRDEV: ("character device", "c"),
    c.FT_BLKDEV: ("block device", "b"),
    c.FT_FIFO: ("fifo", "p"),
    c.FT_SOCK: ("socket", "s"),
    c.FT_SYMLINK: ("symlink", "l"),
}


class Node(NamedTuple):
    """A name and what stands behind it; an inode of None was not asked for, or cannot be read."""

    name: bytes
    place: Place
    type: int  # FT_*, as the name's entry says
    inode: InodeItem | None = None
    is_subvolume: bool = False
    blocks: int = 0  # of 512 bytes, as the kernel counts them
    user: str | None = None  # None where no name is known
    group: str | None = None
    target: bytes | None = None  # of a symbolic link
    target_mode: int = 0  # of what the link leads to; 0 where that is not there
    has_acl: bool = False

    @property
    def is_directory(self) -> bool:
        return self.type & ~c.FT_ENCRYPTED == c.FT_DIR


def file_type(mode: int) -> int:
    """FT_* of an inode's mode."""
    return FILE_TYPES.get(stat.S_IFMT(mode), c.FT_UNKNOWN)


def type_letter(kind: int) -> str:
    """The first letter of a line of `ls -l`."""
    return _KINDS.get(kind & ~c.FT_ENCRYPTED, ("", "?"))[1]


def blocks(inode: InodeItem, sectorsize: int) -> int:
    """What the kernel says in st_blocks: bytes in use, in whole sectors, counted in blocks of 512."""
    return -(-inode.nbytes // sectorsize) * sectorsize // BLOCK


def is_device(mode: int) -> bool:
    """Whether a mode is that of a device node."""
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def node_json(node: Node, path: bytes | None = None) -> dict[str, Any]:
    """A file as JSON values, with its path where one is given."""
    shown: dict[str, Any] = {} if path is None else bytes_field("path", path)
    shown |= bytes_field("name", node.name)
    shown |= {"type": _KINDS.get(node.type & ~c.FT_ENCRYPTED, ("unknown", ""))[0], "subvolume": node.is_subvolume}
    shown |= {"subvolume_id": node.place.subvolume_id, "inode": node.place.ino}
    if node.target is not None:
        shown |= bytes_field("target", node.target)
    return shown if node.inode is None else shown | _inode_json(node.inode)


def _inode_json(inode: InodeItem) -> dict[str, Any]:
    major, minor = inode.device_numbers
    times = {name: timespec_text(getattr(inode, name)) for name in ("atime", "mtime", "ctime", "otime")}
    device = {"major": major, "minor": minor} if is_device(inode.mode) else {}
    return {
        "mode": inode.mode,
        "mode_text": stat.filemode(inode.mode),
        "nlink": inode.nlink,
        "uid": inode.uid,
        "gid": inode.gid,
        "size": inode.size,
        "nbytes": inode.nbytes,
        **device,
        **times,
        "generation": inode.generation,
        "transid": inode.transid,
        "flags": inode.flags,
        "flags_names": c.flag_names(inode.flags, c.INODE_FLAG_NAMES),
    }
