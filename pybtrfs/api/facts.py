"""What the API tells of files, extents and subvolumes: typed tuples.

Sizes and offsets are in bytes, times in nanoseconds since 1970 (UTC), addresses are logical.
"""

import os
import stat
from typing import Literal, NamedTuple
from uuid import UUID

from pybtrfs.fs.extents import Segment
from pybtrfs.fs.inode import Place
from pybtrfs.fs.subvolume import Subvolume, Subvolumes
from pybtrfs.ondisk.constants import COMPRESSION_NAMES, FILE_EXTENT_PREALLOC
from pybtrfs.ondisk.file_extent import FileExtent, InlineExtent
from pybtrfs.ondisk.inode import InodeItem, Timespec

_MAJOR_BITS = 12  # of the kernel's dev_t; the item has room for more


class Stat(NamedTuple):
    """An inode. The `st_` names of `os.stat_result` are there, too; inode numbers count within a subvolume."""

    mode: int
    """File type and permissions, for the functions of `stat`."""
    ino: int
    subvolume_id: int
    nlink: int
    uid: int
    gid: int
    size: int
    nbytes: int
    """Bytes of its extents on disk, before compression."""
    rdev: int
    """Of a device node, as `os.makedev` has it; else 0."""
    atime_ns: int
    mtime_ns: int
    ctime_ns: int
    otime_ns: int
    """Creation."""
    generation: int
    """The transaction that created it."""
    transid: int
    """The transaction that changed it last."""
    flags: int
    """`INODE_*` of `pybtrfs.ondisk.constants`."""

    @property
    def st_mode(self) -> int:
        return self.mode

    @property
    def st_ino(self) -> int:
        return self.ino

    @property
    def st_nlink(self) -> int:
        return self.nlink

    @property
    def st_uid(self) -> int:
        return self.uid

    @property
    def st_gid(self) -> int:
        return self.gid

    @property
    def st_size(self) -> int:
        return self.size

    @property
    def st_rdev(self) -> int:
        return self.rdev

    @property
    def st_atime_ns(self) -> int:
        return self.atime_ns

    @property
    def st_mtime_ns(self) -> int:
        return self.mtime_ns

    @property
    def st_ctime_ns(self) -> int:
        return self.ctime_ns


def stat_of(place: Place, inode: InodeItem) -> Stat:
    """What an inode item says, as a `Stat`."""
    return Stat(
        inode.mode,
        place.ino,
        place.subvolume_id,
        inode.nlink,
        inode.uid,
        inode.gid,
        inode.size,
        inode.nbytes,
        _device_number(inode) if inode.rdev else 0,
        _nanoseconds(inode.atime),
        _nanoseconds(inode.mtime),
        _nanoseconds(inode.ctime),
        _nanoseconds(inode.otime),
        inode.generation,
        inode.transid,
        inode.flags,
    )


def _device_number(inode: InodeItem) -> int:
    if not (stat.S_ISCHR(inode.mode) or stat.S_ISBLK(inode.mode)):
        return 0
    major, minor = inode.device_numbers
    return os.makedev(major & (1 << _MAJOR_BITS) - 1, minor)


def _nanoseconds(time: Timespec) -> int:
    return time.sec * 1_000_000_000 + time.nsec


class ExtentInfo(NamedTuple):
    """A part of a file: `length` bytes from `file_offset` on."""

    file_offset: int
    length: int
    kind: Literal["data", "inline", "preallocated", "hole"]
    disk_bytenr: int | None
    """Where its extent begins; None for what has none of its own."""
    disk_num_bytes: int
    """The whole extent on disk, or the bytes in the tree."""
    offset: int
    """How far into the extent, decompressed, the part begins."""
    compression: str
    """`none`, `zlib`, `lzo` or `zstd`."""


def extent_info(segment: Segment) -> ExtentInfo:
    """A segment of a file as the API tells of it."""
    at, length, extent = segment.file_offset, segment.length, segment.extent
    if isinstance(extent, InlineExtent):
        return ExtentInfo(at, length, "inline", None, len(extent.data), at, COMPRESSION_NAMES[extent.compression])
    if segment.is_hole or not isinstance(extent, FileExtent):
        return ExtentInfo(at, length, "hole", None, 0, 0, COMPRESSION_NAMES[0])
    return ExtentInfo(
        at,
        length,
        "preallocated" if extent.type == FILE_EXTENT_PREALLOC else "data",
        extent.disk_bytenr,
        extent.disk_num_bytes,
        extent.offset + at - segment.begin,
        COMPRESSION_NAMES[extent.compression],
    )


class SubvolumeInfo(NamedTuple):
    """A subvolume or snapshot; the top level (id 5) is one, too."""

    id: int
    path: str | None
    """From the top level, with a slash in front; None where it was deleted and is not cleaned up yet."""
    parent_id: int | None
    """The subvolume that holds its name."""
    uuid: UUID
    parent_uuid: UUID | None
    """Of the subvolume that it is a snapshot of."""
    received_uuid: UUID | None
    """Of the one that it was received from."""
    read_only: bool
    generation: int
    """The transaction of its last change."""
    created: int
    """The transaction of its creation."""
    otime_ns: int
    """Creation; 0 where the filesystem is too old to say."""


def subvolume_info(subvolumes: Subvolumes, subvolume: Subvolume) -> SubvolumeInfo:
    """A subvolume as the API tells of it."""
    root, path = subvolume.root, subvolumes.find_path(subvolume)
    return SubvolumeInfo(
        subvolume.id,
        None if path is None else "/" + path.decode(errors="surrogateescape"),
        subvolume.parent,
        UUID(bytes=root.uuid),
        _uuid_or_none(root.parent_uuid),
        _uuid_or_none(root.received_uuid),
        root.read_only,
        root.generation,
        subvolume.created,
        _nanoseconds(root.otime),
    )


def _uuid_or_none(uuid: bytes) -> UUID | None:
    return UUID(bytes=uuid) if any(uuid) else None
