"""Space: extents against block groups, block groups against chunks, free space against both, devices against chunks.

All are comparisons of sorted columns that the first walk has kept.
"""

from collections.abc import Iterator

import numpy as np

from pybtrfs.check.collect import Collected, Groups
from pybtrfs.check.columns import U64, Array, member
from pybtrfs.check.context import Extents, Ranges
from pybtrfs.check.findings import Finding, Severity
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.space import stripe_length
from pybtrfs.ondisk import constants as c


def findings(filesystem: Filesystem, found: Collected) -> Iterator[Finding]:
    """All of what is wrong with space."""
    yield from _extents(filesystem, found)
    yield from _groups(filesystem, found)
    yield from _csums(filesystem, found)
    if filesystem.find_tree(c.FREE_SPACE_TREE_OBJECTID) is not None:
        yield from _free_space(filesystem, found)
    yield from _devices(filesystem, found)


def _error(code: str, text: str, bytenr: int | None = None) -> Finding:
    return Finding(code, Severity.ERROR, text, bytenr=bytenr)


def _extents(filesystem: Filesystem, found: Collected) -> Iterator[Finding]:
    """Extents lie apart, on sectors, and say one kind; tree blocks stay inside a stripe element."""
    e, sector = found.extents, U64(filesystem.sectorsize)
    end = e.bytenr + e.length
    for at in np.flatnonzero(end[:-1] > e.bytenr[1:]).tolist():
        yield _error("EXT-005", f"extent {e.bytenr[at + 1]} begins before the end of extent {e.bytenr[at]}, {end[at]}")
    for at in np.flatnonzero(((e.bytenr | e.length) % sector != U64(0)) | (e.length == U64(0))).tolist():
        yield _error("EXT-006", f"extent {e.bytenr[at]}: {e.length[at]} bytes, expected multiples of {sector}")
    block = (e.flags & U64(c.EXTENT_FLAG_TREE_BLOCK)) != U64(0)
    data = (e.flags & U64(c.EXTENT_FLAG_DATA)) != U64(0)
    known = U64(c.EXTENT_FLAG_TREE_BLOCK | c.EXTENT_FLAG_DATA | c.BLOCK_FLAG_FULL_BACKREF)
    full = (e.flags & U64(c.BLOCK_FLAG_FULL_BACKREF)) != U64(0)
    for at in np.flatnonzero((block == data) | ((e.flags & ~known) != U64(0)) | (full & data)).tolist():
        yield _error("EXT-007", f"extent {e.bytenr[at]}: flags are {int(e.flags[at]):#x}, of no known kind")
    newest = U64(min(filesystem.superblock.generation + 1, c.U64_MAX))
    for at in np.flatnonzero(e.generation > newest).tolist():
        yield _error("EXT-008", f"extent {e.bytenr[at]}: generation is {e.generation[at]}, in the future")
    for at in np.flatnonzero(block & (e.length != U64(filesystem.nodesize))).tolist():
        yield _error("EXT-009", f"tree block {e.bytenr[at]}: length is {e.length[at]}, not {filesystem.nodesize}")
    stripe = U64(c.STRIPE_LEN)
    crossing = block & (e.bytenr // stripe != (end - U64(1)) // stripe)
    for at in np.flatnonzero(crossing).tolist():
        text = f"tree block {e.bytenr[at]} crosses a boundary of {c.STRIPE_LEN} bytes"
        yield Finding("EXT-010", Severity.WARNING, text, bytenr=int(e.bytenr[at]))


def _groups(filesystem: Filesystem, found: Collected) -> Iterator[Finding]:
    """Each chunk has its block group, of its type and with the right sum; each extent lies in one of its kind."""
    g = found.groups
    chunks = dict(filesystem.volume.chunks)
    for start, length, used, objectid, flags in zip(*(column.tolist() for column in g), strict=True):
        chunk = chunks.pop(start, None)
        if chunk is None:
            yield _error("SPC-001", f"block group {start}: no chunk begins there", start)
            continue
        if length != chunk.length or flags != chunk.type:
            text = f"length {length} and flags {flags:#x}, its chunk has {chunk.length} and {chunk.type:#x}"
            yield _error("SPC-002", f"block group {start}: {text}", start)
        if objectid != c.FIRST_CHUNK_TREE_OBJECTID:
            yield _error("SPC-003", f"block group {start}: chunk_objectid is {objectid}, expected 256", start)
        if used > length:
            yield _error("SPC-004", f"block group {start}: {used} bytes used of {length}", start)
    for start in chunks:
        yield _error("SPC-001", f"chunk {start}: it has no block group", start)
    yield from _use(filesystem, found)


def _use(filesystem: Filesystem, found: Collected) -> Iterator[Finding]:
    g, e = found.groups, found.extents
    held = Ranges(*_disjoint(e.bytenr, e.length)).covered(g.bytenr, g.bytenr + g.length)
    for at in np.flatnonzero(held != g.used).tolist():
        text = f"used is {g.used[at]}, its extents have {held[at]} bytes"
        yield _error("SPC-005", f"block group {g.bytenr[at]}: {text}", int(g.bytenr[at]))
    total, stated = int(g.used.sum(dtype=U64)), filesystem.superblock.bytes_used
    if total != stated and not filesystem.begins_elsewhere:
        yield _error("SPC-006", f"superblock: bytes_used is {stated}, the block groups have {total}")
    yield from _lying_in(g, e)


def _lying_in(g: Groups, e: Extents) -> Iterator[Finding]:
    if not len(g.bytenr):
        return
    index = np.searchsorted(g.bytenr, e.bytenr, side="right") - 1
    group = np.maximum(index, 0)
    inside = (index >= 0) & (e.bytenr + e.length <= g.bytenr[group] + g.length[group])
    for row in np.flatnonzero(~inside).tolist():
        yield _error("SPC-007", f"extent {e.bytenr[row]}: it lies in no block group", int(e.bytenr[row]))
    data = (e.flags & U64(c.EXTENT_FLAG_DATA)) != U64(0)
    kinds = np.where(data, U64(c.BLOCK_GROUP_DATA), U64(c.BLOCK_GROUP_METADATA | c.BLOCK_GROUP_SYSTEM))
    for row in np.flatnonzero(inside & ((g.flags[group] & kinds) == U64(0))).tolist():
        flags, kind = int(g.flags[group[row]]), "data" if data[row] else "a tree block"
        text = f"extent {e.bytenr[row]}: it is {kind}, its block group has flags {flags:#x}"
        yield _error("SPC-008", text, int(e.bytenr[row]))


def _csums(filesystem: Filesystem, found: Collected) -> Iterator[Finding]:
    """Checksum items lie apart, and on data extents."""
    s, size, sector = found.csums, filesystem.csum_type.size, filesystem.sectorsize
    end = s.start + s.size // U64(size) * U64(sector)
    odd = (s.start % U64(sector) != U64(0)) | (s.size % U64(size) != U64(0)) | (s.size == U64(0))
    for at in np.flatnonzero(odd).tolist():
        yield _error(
            "CSM-004", f"leaf {s.leaf[at]}: {s.size[at]} bytes of checksums at {s.start[at]}: not of whole sectors"
        )
    for at in np.flatnonzero(end[:-1] > s.start[1:]).tolist():
        text = f"checksums from {s.start[at + 1]} on overlap those up to {end[at]}"
        yield _error("CSM-005", f"leaf {s.leaf[at + 1]}: {text}", int(s.start[at + 1]))
    e = found.extents
    data = (e.flags & U64(c.EXTENT_FLAG_DATA)) != U64(0)
    held = Ranges(*_disjoint(e.bytenr[data], e.length[data])).covered(s.start, end)
    for at in np.flatnonzero(held != end - s.start).tolist():
        text = f"checksums from {s.start[at]} to {end[at]}, of which {held[at]} bytes are data extents"
        yield _error("CSM-003", f"leaf {s.leaf[at]}: {text}", int(s.start[at]))


def _free_space(filesystem: Filesystem, found: Collected) -> Iterator[Finding]:
    """What the free-space tree calls free, and what extents take, make up each block group."""
    if not filesystem.superblock.compat_ro_flags & c.COMPAT_RO_FREE_SPACE_TREE_VALID:
        return
    g, e, f, infos = found.groups, found.extents, found.free, found.infos
    groups = dict(zip(g.bytenr.tolist(), g.length.tolist(), strict=True))
    for start, length in zip(infos.bytenr.tolist(), infos.length.tolist(), strict=True):
        if groups.pop(start, None) != length:
            yield _error("SPC-010", f"free space info of {start}, {length} bytes: no such block group", start)
    for start in groups:
        yield _error("SPC-010", f"block group {start}: the free-space tree does not have it", start)
    end = f.start + f.length
    for at in np.flatnonzero(end[:-1] > f.start[1:]).tolist():
        yield _error("SPC-011", f"free space from {f.start[at + 1]} on overlaps that up to {end[at]}", int(f.start[at]))
    free, taken = Ranges(*_disjoint(f.start, f.length)), Ranges(*_disjoint(e.bytenr, e.length))
    ends = g.bytenr + g.length
    for at in np.flatnonzero(free.covered(g.bytenr, ends) + taken.covered(g.bytenr, ends) != g.length).tolist():
        text = f"{free.covered(g.bytenr, ends)[at]} bytes are free and {taken.covered(g.bytenr, ends)[at]} used"
        yield _error("SPC-012", f"block group {g.bytenr[at]}: {text} of {g.length[at]}", int(g.bytenr[at]))
    for at in np.flatnonzero(taken.covered(f.start, end) != U64(0)).tolist():
        yield _error(
            "SPC-013", f"free space {f.start[at]}, {f.length[at]} bytes: an extent lies there", int(f.start[at])
        )
    group = np.maximum(np.searchsorted(g.bytenr, f.start, side="right") - 1, 0)
    for at in np.flatnonzero(end > ends[group]).tolist() if len(g.bytenr) else ():
        text = f"free space {f.start[at]}, {f.length[at]} bytes: the block group ends at {ends[group[at]]}"
        yield _error("SPC-017", text, int(f.start[at]))
    yield from _counts(found)


def _counts(found: Collected) -> Iterator[Finding]:
    """FREE_SPACE_INFO counts free ranges: those in bitmaps join where they touch, extents must not touch."""
    f, infos = found.free, found.infos
    end = f.start + f.length
    touching = np.concatenate([[False], end[:-1] == f.start[1:]]) if len(end) else np.zeros(0, bool)
    joined = touching & (f.bitmap == U64(1))
    joined &= ~member(f.start, infos.bytenr)
    for at in np.flatnonzero(touching & (f.bitmap == U64(0)) & ~member(f.start, infos.bytenr)).tolist():
        yield _error("SPC-014", f"free space {f.start[at]} begins where the one before it ends", int(f.start[at]))
    ranges = np.concatenate([np.zeros(1, np.int64), (~joined).cumsum()])
    first, behind = np.searchsorted(f.start, infos.bytenr), np.searchsorted(f.start, infos.bytenr + infos.length)
    counted = (ranges[behind] - ranges[first]).astype(U64)
    for at in np.flatnonzero(counted != infos.extent_count).tolist():
        text = f"extent_count is {infos.extent_count[at]}, the tree has {counted[at]} free ranges"
        yield _error("SPC-015", f"block group {infos.bytenr[at]}: {text}", int(infos.bytenr[at]))
    bits = (infos.flags & U64(c.FREE_SPACE_USING_BITMAPS)) != U64(0)
    if len(infos.bytenr):
        info = np.maximum(np.searchsorted(infos.bytenr, f.start, side="right") - 1, 0)
        for at in np.flatnonzero(bits[info] != (f.bitmap == U64(1))).tolist():
            yield _error(
                "SPC-016", f"free space {f.start[at]} is not in the form that its block group says", int(f.start[at])
            )


def _devices(filesystem: Filesystem, found: Collected) -> Iterator[Finding]:
    """Device extents are the stripes of chunks, lie apart inside their device, and add up."""
    d = found.device_extents
    rows = set(zip(*(column.tolist() for column in d[:4]), strict=True))
    stripes = {
        (stripe.devid, stripe.offset, stripe_length(chunk), start)
        for start, chunk in filesystem.volume.chunks
        for stripe in chunk.stripes
    }
    for devid, physical, length, start in sorted(rows - stripes):
        text = f"{length} bytes at {physical} of devid {devid} for chunk {start}, which has no such stripe"
        yield _error("DEV-001", f"device extent: {text}", start)
    for devid, physical, length, start in sorted(stripes - rows):
        text = f"stripe of {length} bytes at {physical} of devid {devid} has no device extent"
        yield _error("DEV-002", f"chunk {start}: {text}", start)
    odd = (d.chunk_tree != U64(c.CHUNK_TREE_OBJECTID)) | (d.chunk_objectid != U64(c.FIRST_CHUNK_TREE_OBJECTID))
    for at in np.flatnonzero(odd).tolist():
        text = f"names chunk tree {d.chunk_tree[at]} and object {d.chunk_objectid[at]}, expected 3 and 256"
        yield _error("DEV-003", f"device extent at {d.physical[at]} of devid {d.devid[at]} {text}")
    same = d.devid[:-1] == d.devid[1:]
    for at in np.flatnonzero(same & (d.physical[:-1] + d.length[:-1] > d.physical[1:])).tolist():
        yield _error(
            "DEV-004", f"devid {d.devid[at]}: device extents at {d.physical[at]} and {d.physical[at + 1]} overlap"
        )
    yield from _device_items(filesystem, found)


def _device_items(filesystem: Filesystem, found: Collected) -> Iterator[Finding]:
    d, sb, total = found.device_extents, filesystem.superblock, 0
    for devid, item in filesystem.device_items.items():
        ours = d.devid == U64(devid)
        used = int(d.length[ours].sum(dtype=U64))
        total += item.total_bytes
        if used != item.bytes_used:
            yield _error("DEV-005", f"devid {devid}: bytes_used is {item.bytes_used}, its device extents have {used}")
        beyond = (d.physical + d.length)[ours].max(initial=U64(0))
        if beyond > item.total_bytes:
            yield _error(
                "DEV-006", f"devid {devid}: a device extent ends at {beyond}, the device at {item.total_bytes}"
            )
        device = filesystem.volume.devices.get(devid)
        if device is not None and device.size < item.total_bytes:
            text = f"{device.name} has {device.size} bytes, the filesystem says {item.total_bytes}"
            yield _error("DEV-007", f"devid {devid}: {text}")
    for devid in sorted(set(d.devid.tolist()) - set(filesystem.device_items)):
        yield _error("DEV-008", f"device extents of devid {devid}, which the filesystem does not have")
    if total != sb.total_bytes:
        yield _error("SUP-004", f"superblock: total_bytes is {sb.total_bytes}, the devices have {total}")
    if len(filesystem.device_items) != sb.num_devices:
        text = f"num_devices is {sb.num_devices}, the chunk tree has {len(filesystem.device_items)}"
        yield _error("SUP-005", f"superblock: {text}")


def _disjoint(start: Array, length: Array) -> tuple[Array, Array]:
    """Starts and ends without overlaps, for sums over ranges."""
    if not len(start):
        return start, start
    end = np.maximum.accumulate(start + length)
    begin = np.maximum(start, np.concatenate([start[:1], end[:-1]]))
    return begin, np.maximum(end, begin)
