"""What pybtrfs reads of an image, as a manifest, to be compared with the kernel's.

found, lost = reading.manifest_of(images)        # lost: path -> why, what the walk or a file's bytes cost
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import manifest

from pybtrfs.errors import CorruptError
from pybtrfs.fs.file import File, read_symlink
from pybtrfs.fs.filesystem import Filesystem, open_filesystem
from pybtrfs.fs.inode import TOP, Place
from pybtrfs.fs.walk import Found, walk
from pybtrfs.fs.xattr import xattrs
from pybtrfs.ondisk.inode import Timespec
from pybtrfs.volume.opening import Where

Lost = dict[bytes, list[str]]


def opened(images: Sequence[Path]) -> Filesystem:
    """The filesystem on these images, whatever is missing of it."""
    first, *others = map(str, images)
    return open_filesystem(first, Where(devices=tuple(others)))


def manifest_of(images: Sequence[Path], start: Place = TOP) -> tuple[manifest.Manifest, Lost]:
    """Every path that pybtrfs finds, and what it says is lost, by path."""
    with opened(images) as filesystem:
        return read(filesystem, start)


def read(filesystem: Filesystem, start: Place = TOP) -> tuple[manifest.Manifest, Lost]:
    """The same of an open filesystem."""
    found: manifest.Manifest = {}
    names: dict[Place, list[bytes]] = {}
    lost: Lost = {}

    def tell(path: bytes, error: CorruptError) -> None:
        lost.setdefault(path or manifest.TOP, []).append(str(error))

    for place in walk(filesystem, start, tell):
        path = place.path or manifest.TOP
        found[path] = _entry(filesystem, place, lambda error, path=path: tell(path, error))
        if place.inode.nlink > 1 and not place.is_directory:
            names.setdefault(place.place, []).append(path)
    for paths in names.values():
        links = tuple(sorted(paths))
        for path in paths if len(paths) > 1 else ():
            found[path] = replace(found[path], links=links)
    return found, lost


def _entry(filesystem: Filesystem, found: Found, tell: Callable[[CorruptError], None]) -> manifest.Entry:
    inode, form = found.inode, stat.S_IFMT(found.inode.mode)
    try:
        digest, data = _contents(filesystem, found) if form == stat.S_IFREG else (None, None)
    except CorruptError as error:
        tell(error)
        digest, data = f"cannot be read: {error}", None
    target = None
    if form == stat.S_IFLNK:
        try:
            target = read_symlink(filesystem, found.place)
        except CorruptError as error:
            tell(error)
    known = not found.place.is_left_over
    return manifest.Entry(
        kind=manifest.KINDS[form],
        mode=stat.S_IMODE(inode.mode),
        uid=inode.uid,
        gid=inode.gid,
        nlink=inode.nlink,
        size=inode.size,
        digest=digest,
        target=target,
        rdev=inode.device_numbers if form in (stat.S_IFCHR, stat.S_IFBLK) else None,
        xattrs=tuple(sorted(xattrs(filesystem, found.place, tell))),
        atime=_nanoseconds(inode.atime) if known else None,
        mtime=_nanoseconds(inode.mtime) if known else None,
        ctime=_nanoseconds(inode.ctime) if known else None,
        otime=_nanoseconds(inode.otime) if known else None,
        data=data,
        blocks=-(-inode.nbytes // filesystem.sectorsize) * filesystem.sectorsize // 512,
        ino=found.place.ino,
    )


def _contents(filesystem: Filesystem, found: Found) -> tuple[str, manifest.Ranges]:
    file = File(filesystem, found.place, found.inode)
    data = tuple(_merged((part.file_offset, part.length) for part in file.segments() if not part.reads_as_zeros))
    return manifest.content_digest(file.read, file.size, data), data


def _merged(parts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for begin, length in parts:
        if ranges and ranges[-1][1] == begin:
            ranges[-1] = ranges[-1][0], begin + length
        else:
            ranges.append((begin, begin + length))
    return ranges


def _nanoseconds(time: Timespec) -> int:
    return time.sec * 10**9 + time.nsec
