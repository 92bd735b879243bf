"""What stands below a directory, path by path, and how two such lists differ.

    theirs = manifest.of(top)                            # a kernel mount, a restored tree, an extracted tar
    manifest.differences(theirs, ours)                   # ["b'a/b': mode: expected 0o644, found 0o600", ...]
    manifest.differences(portable(theirs), portable(of(restored)), manifest.HOST)   # what another filesystem can keep

A manifest is a dict from path to `Entry`; paths are bytes relative to the directory, which itself is `b"."`.
Subvolumes are crossed. Nothing is changed by looking: files are opened with O_NOATIME, best of a read-only mount.

Contents are compared by `content_digest`: a sha256 of the blocks that are not zero with their addresses, so that
a sparse file of a tebibyte costs what is in it, and holes and written zeros are equal content (`data` tells them
apart). Whoever reads an image by other means makes entries with the same function.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import stat
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

BLOCK = 1 << 16
TOP = b"."
LEFT_OVER_INO = 2  # the empty directory that the kernel invents where a snapshot has an entry for a subvolume
KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Entry:
    """What is known of one path; None is what a source does not say, and is not compared."""

    kind: str  # one of KINDS
    mode: int  # permissions, with setuid, setgid and sticky
    uid: int
    gid: int
    nlink: int
    links: tuple[bytes, ...] = ()  # all paths in this manifest of a file that has several, in order
    size: int | None = None
    digest: str | None = None  # of a file: `content_digest`; or why it cannot be read
    target: bytes | None = None  # of a symlink
    rdev: tuple[int, int] | None = None  # of a device node
    xattrs: tuple[tuple[bytes, bytes], ...] = ()  # by name, all namespaces
    atime: int | None = None  # times in nanoseconds since 1970
    mtime: int | None = None
    ctime: int | None = None
    otime: int | None = None
    data: Ranges | None = None  # (start, end) of what is not a hole, as SEEK_DATA and SEEK_HOLE tell
    blocks: int | None = None  # of 512 bytes
    ino: int | None = None


Manifest = dict[bytes, Entry]

IMAGE = frozenset(field.name for field in fields(Entry))
"""All of an entry: what an image's reader must say as the kernel does."""
HOST = IMAGE - {"ctime", "otime", "blocks", "ino"}
"""What a copy on another filesystem with blocks of the same size keeps; compare what `portable` gives."""
TAR = HOST - {"atime"}
"""What a tar file keeps that GNU tar extracts."""


# -- taking a manifest ---------------------------------------------------------------------------------


def of(top: Path | str | bytes, *, contents: bool = True) -> Manifest:
    """The manifest of a directory; contents: read the files too."""
    base = os.fsencode(top)
    names: dict[tuple[int, int], list[bytes]] = {}
    found: Manifest = {}
    for path, status in _walk(base, TOP):
        found[path] = _entry(base + b"/" + path, status, contents)
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            names.setdefault((status.st_dev, status.st_ino), []).append(path)
    for paths in names.values():
        links = tuple(sorted(paths))
        for path in paths if len(paths) > 1 else ():
            found[path] = replace(found[path], links=links)
    return found


def portable(manifest: Manifest) -> Manifest:
    """The manifest without what depends on the filesystem: sizes and links of directories, btrfs's own xattrs."""
    return {path: _portable(entry) for path, entry in manifest.items()}


def for_tar(manifest: Manifest) -> Manifest:
    """The manifest without sockets, for which a tar file has no type."""
    return {path: entry for path, entry in manifest.items() if entry.kind != "socket"}


def _portable(entry: Entry) -> Entry:
    xattrs = tuple(pair for pair in entry.xattrs if not pair[0].startswith(b"btrfs."))
    if entry.kind == "directory":
        return replace(entry, size=None, nlink=1, xattrs=xattrs)
    return replace(entry, xattrs=xattrs)


def content_digest(read: Callable[[int, int], bytes], size: int, data: Iterable[tuple[int, int]]) -> str:
    """The digest of a file of `size` bytes; `read(offset, length)` may give less, as os.pread does.

    data: ranges outside of which all is zero. They may be larger than what is not zero, and need no alignment.
    """
    digest = hashlib.sha256()
    zeros = bytes(BLOCK)
    done = 0  # blocks before this offset have been looked at
    for start, end in data:
        at = max(done, start - start % BLOCK)
        done = min(-(-end // BLOCK) * BLOCK, size)
        while at < done:
            piece = _read_fully(read, at, min(16 * BLOCK, done - at))
            for within in range(0, len(piece), BLOCK):
                block = piece[within : within + BLOCK]
                if block != zeros[: len(block)]:
                    digest.update(struct.pack("<Q", at + within))
                    digest.update(block)
            at += len(piece)
    digest.update(struct.pack("<Q", size))
    return digest.hexdigest()


def _read_fully(read: Callable[[int, int], bytes], offset: int, length: int) -> bytes:
    piece = read(offset, length)
    while len(piece) < length:
        more = read(offset + len(piece), length - len(piece))
        if not more:
            raise EOFError(f"the file ends at {offset + len(piece)}, expected {offset + length}")
        piece += more
    return piece


def _walk(base: bytes, relative: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    if relative == TOP:
        yield TOP, os.lstat(base)
    waiting = [relative]
    while waiting:
        folder = waiting.pop()
        inside = b"" if folder == TOP else folder + b"/"
        with os.scandir(base + b"/" + inside) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                yield inside + entry.name, status
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(inside + entry.name)


def _entry(path: bytes, status: os.stat_result, contents: bool) -> Entry:
    form = stat.S_IFMT(status.st_mode)
    left_over = form == stat.S_IFDIR and status.st_ino == LEFT_OVER_INO  # its times are those of the first look
    digest, data = _contents(path, status.st_size) if contents and form == stat.S_IFREG else (None, None)
    device = form in (stat.S_IFCHR, stat.S_IFBLK)
    return Entry(
        kind=KINDS[form],
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        nlink=status.st_nlink,
        size=status.st_size,
        digest=digest,
        target=os.readlink(path) if form == stat.S_IFLNK else None,  # noqa: PTH115  paths are bytes
        rdev=(os.major(status.st_rdev), os.minor(status.st_rdev)) if device else None,
        xattrs=_xattrs(path),
        atime=None if left_over else status.st_atime_ns,
        mtime=None if left_over else status.st_mtime_ns,
        ctime=None if left_over else status.st_ctime_ns,
        otime=None if left_over else _birth(path),
        data=data,
        blocks=status.st_blocks,
        ino=status.st_ino,
    )


def _xattrs(path: bytes) -> tuple[tuple[bytes, bytes], ...]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return ()
    return tuple(sorted((os.fsencode(name), os.getxattr(path, name, follow_symlinks=False)) for name in names))


def _contents(path: bytes, size: int) -> tuple[str, Ranges | None]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOATIME | os.O_NOFOLLOW)
    except OSError as error:
        return f"cannot be opened: {error.strerror}", None
    try:
        data = tuple(_data_ranges(fd, size))
        return content_digest(lambda offset, length: os.pread(fd, length, offset), size, data), data
    except OSError as error:
        return f"cannot be read: {error.strerror}", None
    finally:
        os.close(fd)


def _data_ranges(fd: int, size: int) -> Iterator[tuple[int, int]]:
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # no data from here on
                return
            raise
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, end


class _Statx(ctypes.Structure):
    """The part of `struct statx` up to the birth time."""

    _fields_ = (
        ("mask", ctypes.c_uint32),
        ("until_btime", ctypes.c_uint8 * 76),
        ("btime_sec", ctypes.c_int64),
        ("btime_nsec", ctypes.c_uint32),
        ("rest", ctypes.c_uint8 * 164),
    )


_LIBC = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD, _AT_SYMLINK_NOFOLLOW, _STATX_BTIME = -100, 0x100, 0x800


def _birth(path: bytes) -> int | None:
    """When the inode was made; None where its filesystem does not say."""
    status = _Statx()
    if _LIBC.statx(_AT_FDCWD, path, _AT_SYMLINK_NOFOLLOW, _STATX_BTIME, ctypes.byref(status)):
        raise OSError(ctypes.get_errno(), "statx", path)
    return int(status.btime_sec) * 10**9 + int(status.btime_nsec) if status.mask & _STATX_BTIME else None


# -- comparing -----------------------------------------------------------------------------------------


def differences(expected: Manifest, found: Manifest, what: Iterable[str] = IMAGE) -> list[str]:
    """A line for each path that only one has, and for each field in which they differ where both speak of it."""
    compared = [field.name for field in fields(Entry) if field.name in set(what)]
    lines = []
    for path in sorted(expected.keys() | found.keys()):
        theirs, ours = expected.get(path), found.get(path)
        if theirs is None or ours is None:
            lines.append(f"{path!r}: is missing" if ours is None else f"{path!r}: is too much")
            continue
        for name in compared:
            one, other = getattr(theirs, name), getattr(ours, name)
            if one is not None and other is not None and one != other:
                lines.append(f"{path!r}: {name}: expected {_shown(name, one)}, found {_shown(name, other)}")
    return lines


def _shown(name: str, value: object) -> str:
    text = f"{value:#o}" if name == "mode" and isinstance(value, int) else repr(value)
    return text if len(text) < 400 else f"{text[:400]}…"
