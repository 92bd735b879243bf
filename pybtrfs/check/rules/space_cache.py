"""The v1 space cache: a file of the root tree for each block group, against the extents.

The file's first page begins with a crc32c for each page and a generation; then come entries, free ranges and bitmaps,
and behind their pages a page for each bitmap. A cache that does not hold together is thrown away by the kernel; one
that does, and calls used space free, lets it be written over. (`load_free_space_cache`, `__load_free_space_cache`.)
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pybtrfs.btree.block import Item
from pybtrfs.check.collect import Collected
from pybtrfs.check.columns import U64
from pybtrfs.check.context import Ranges
from pybtrfs.check.findings import Finding, Severity
from pybtrfs.check.rules.logs import disjoint
from pybtrfs.checksum import crc32c
from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.file_extent import EXTENT_DATA, FileExtent
from pybtrfs.ondisk.free_space import FREE_SPACE_ENTRY, FREE_SPACE_HEADER, FreeSpaceEntry, FreeSpaceHeader
from pybtrfs.ondisk.inode import INODE_ITEM, InodeItem
from pybtrfs.ondisk.key import Key

_PAGE = 4096  # of every machine whose caches were met
_CRC = 4
_GENERATION = 8
_MOST_BYTES = 32 << 20  # of one cache: a block group of 10 GiB has a few hundred KiB


class _Group(NamedTuple):
    """A block group that has a cache."""

    start: int
    length: int
    used: int


class _Stale(Exception):  # noqa: N818  an answer, not an error
    """The cache is not used, and why."""


def findings(filesystem: Filesystem, found: Collected) -> Iterator[Finding]:
    """All of what is wrong with the caches, where the filesystem uses them."""
    sb = filesystem.superblock
    if sb.compat_ro_flags & c.COMPAT_RO_FREE_SPACE_TREE or sb.cache_generation != sb.generation:
        return
    g, e = found.groups, found.extents
    taken = Ranges(*disjoint(e.bytenr, e.bytenr + e.length))
    columns = (g.bytenr.tolist(), g.length.tolist(), g.used.tolist())
    groups = {start: _Group(start, length, used) for start, length, used in zip(*columns, strict=True)}
    first, last = (Key(c.FREE_SPACE_OBJECTID, c.UNTYPED_KEY, offset) for offset in (0, c.U64_MAX))
    for item in filesystem.root_tree.items(first, last, trouble=lambda error: None):
        group = groups.get(item.key.offset)
        if group is None:
            text = f"leaf {item.bytenr} slot {item.slot}: cache of block group {item.key.offset}, which does not exist"
            yield Finding("CAC-001", Severity.NOTE, text)
            continue
        try:
            yield from _cache(filesystem, item, group, taken)
        except _Stale as stale:
            yield _found("CAC-002", group, f"the cache is not used: {stale}", Severity.NOTE)
        except CorruptError as error:
            yield _found("CAC-003", group, str(error))


def _found(code: str, group: _Group, text: str, severity: Severity = Severity.WARNING) -> Finding:
    return Finding(code, severity, f"block group {group.start}: {text}", bytenr=group.start)


def _cache(filesystem: Filesystem, item: Item, group: _Group, taken: Ranges) -> Iterator[Finding]:
    header = item.read(FREE_SPACE_HEADER)
    inode_item = filesystem.root_tree.find(header.location)
    if inode_item is None:
        raise CorruptError(f"its cache is inode {header.location.objectid}, which does not exist")
    inode = inode_item.read(INODE_ITEM)
    if not inode.size:
        raise _Stale("it is empty")
    if inode.generation != header.generation:
        raise _Stale(f"its inode is of generation {inode.generation}, its header of {header.generation}")
    pages = _Pages(_content(filesystem, header.location.objectid, inode), header)
    free = _free(filesystem.sectorsize, group, header, pages)
    yield from _compared(group, free, taken, _bytes_of_supers(filesystem, group))


def _content(filesystem: Filesystem, ino: int, inode: InodeItem) -> bytes:
    """The cache's bytes, of which no checksums are kept but its own."""
    if inode.size > _MOST_BYTES or inode.size % _PAGE:
        raise CorruptError(f"its cache, inode {ino}, has {inode.size} bytes")
    content = bytearray(inode.size)
    first, last = Key(ino, c.EXTENT_DATA_KEY, 0), Key(ino, c.EXTENT_DATA_KEY, c.U64_MAX)
    for item in filesystem.root_tree.items(first, last):
        extent, at = item.read(EXTENT_DATA), item.key.offset
        if isinstance(extent, FileExtent) and extent.disk_bytenr and at < inode.size:
            length = min(extent.num_bytes, inode.size - at)
            data, unread = filesystem.volume.read_first(extent.disk_bytenr + extent.offset, length)
            if unread:
                raise CorruptError(f"its cache, inode {ino}, cannot be read at {unread[0][0]}")
            content[at : at + length] = data
    return bytes(content)


class _Pages:
    """The pages of a cache, each verified when it is taken: behind the last that is used they have no checksums."""

    def __init__(self, content: bytes, header: FreeSpaceHeader) -> None:
        self._content, self._taken = content, 0
        self._head = len(content) // _PAGE * _CRC
        if self._head + _GENERATION > _PAGE:
            raise CorruptError(f"its cache has {len(content)} bytes, whose checksums do not fit into the first page")
        generation = int.from_bytes(content[self._head : self._head + _GENERATION], "little")
        if generation != header.generation:
            raise CorruptError(f"its cache is of generation {generation}, the header says {header.generation}")

    def take(self) -> bytes:
        """The next page; of the first, what is behind the checksums and the generation."""
        number, head = self._taken, 0 if self._taken else self._head
        page = self._content[number * _PAGE + head : (number + 1) * _PAGE]
        if not page:
            raise CorruptError(f"its cache ends after {number} pages")
        stored = int.from_bytes(self._content[number * _CRC : (number + 1) * _CRC], "little")
        if stored != crc32c(page):
            raise CorruptError(f"page {number} of its cache: crc32c is {crc32c(page):#x}, stored is {stored:#x}")
        self._taken += 1
        return page if number else page[_GENERATION:]


def _free(sectorsize: int, group: _Group, header: FreeSpaceHeader, pages: _Pages) -> list[tuple[int, int]]:
    """The free ranges, as start and end."""
    entries: list[FreeSpaceEntry] = []
    while len(entries) < header.num_entries:
        page = pages.take()
        fit = min(len(page) // FREE_SPACE_ENTRY.size, header.num_entries - len(entries))
        entries += FREE_SPACE_ENTRY.iter_unpack(page[: fit * FREE_SPACE_ENTRY.size])
    free, bitmaps = list[tuple[int, int]](), 0
    for entry in entries:
        if not group.start <= entry.offset < group.start + group.length or not entry.bytes:
            raise CorruptError(f"its cache has {entry.bytes} bytes at {entry.offset}, not inside it")
        if entry.type == c.FREE_SPACE_EXTENT:
            free.append((entry.offset, entry.offset + entry.bytes))
        elif entry.type == c.FREE_SPACE_BITMAP:
            free += _bits(pages.take(), entry.offset, sectorsize)
            bitmaps += 1
        else:
            raise CorruptError(f"its cache has an entry of type {entry.type} at {entry.offset}")
    if bitmaps != header.num_bitmaps:
        raise CorruptError(f"its cache has {bitmaps} bitmaps, the header says {header.num_bitmaps}")
    return sorted(free)


def _bits(bitmap: bytes, start: int, sectorsize: int) -> Iterator[tuple[int, int]]:
    bits = np.unpackbits(np.frombuffer(bitmap, np.uint8), bitorder="little").astype(np.int8)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], bits, [0]]))).tolist()
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        yield start + begin * sectorsize, start + end * sectorsize


def _compared(group: _Group, free: list[tuple[int, int]], taken: Ranges, supers: int) -> Iterator[Finding]:
    start, end = np.array(free, U64).reshape(-1, 2).T
    for at in np.flatnonzero(taken.covered(start, end) != U64(0)).tolist():
        yield _found("CAC-004", group, f"the cache calls {start[at]} to {end[at]} free, and an extent lies there")
    for at in np.flatnonzero(end[:-1] > start[1:]).tolist():
        yield _found("CAC-005", group, f"the cache has free space from {start[at + 1]} twice")
    total, most = int((end - start).sum(dtype=U64)), group.length - group.used
    if not most - supers <= total <= most:
        text = f"the cache has {total} free bytes, the block group {most}"
        lacks = total < most  # of what its own transaction freed; the kernel then reads the extents
        yield _found("CAC-006", group, text, Severity.NOTE if lacks else Severity.WARNING)


def _bytes_of_supers(filesystem: Filesystem, group: _Group) -> int:
    """The most that a cache leaves out since superblocks may lie there."""
    found = filesystem.volume.chunks.find(group.start)
    stripes = found[1].stripes if found else ()
    inside = [at for at in c.SUPER_OFFSETS for stripe in stripes if stripe.offset <= at < stripe.offset + group.length]
    return len(inside) * c.STRIPE_LEN
