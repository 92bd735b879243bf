"""Chunk items and device items by themselves and against each other. (`btrfs_check_chunk_valid`, `read_one_dev`.)"""

from collections.abc import Iterator
from itertools import pairwise

from pybtrfs.btree.block import Item
from pybtrfs.check.findings import Finding, Severity
from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import CHUNK, DEV_ITEM, Chunk
from pybtrfs.ondisk.key import Key
from pybtrfs.volume.chunks import chunk_problems


def findings(filesystem: Filesystem) -> Iterator[Finding]:
    """All of what is wrong with the items of the chunk tree."""
    ends: list[tuple[int, int]] = []
    for item in filesystem.chunk_tree.items(trouble=lambda error: None):  # the walk tells of blocks that are damaged
        place = f"leaf {item.bytenr} slot {item.slot}"
        if item.key.type == c.CHUNK_ITEM_KEY:
            yield from _chunk(filesystem, item, place, ends)
        elif item.key.type == c.DEV_ITEM_KEY:
            yield from _device(filesystem, item, place)
    for (one, end), (other, _) in pairwise(sorted(ends)):
        if other < end:
            yield _found("CHK-007", f"chunk {other} begins before the end of chunk {one}, {end}", other)
    yield from _missing(filesystem)


def _found(code: str, text: str, bytenr: int | None = None, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(code, severity, text, bytenr=bytenr)


def _chunk(filesystem: Filesystem, item: Item, place: str, ends: list[tuple[int, int]]) -> Iterator[Finding]:
    start = item.key.offset
    place = f"{place}: chunk {start}"
    try:
        chunk = item.read(CHUNK)
    except CorruptError as error:
        yield _found("CHK-001", str(error), start)
        return
    ends.append((start, start + chunk.length))
    if item.key.objectid != c.FIRST_CHUNK_TREE_OBJECTID:
        yield _found("CHK-002", f"{place}: objectid is {item.key.objectid}, expected 256", start)
    for problem in chunk_problems(start, chunk, filesystem.sectorsize):
        yield _found("CHK-002", f"{place}: {problem}", start)
    if chunk.owner != c.EXTENT_TREE_OBJECTID:
        yield _found("CHK-003", f"{place}: owner is {chunk.owner}, expected 2", start, Severity.WARNING)
    lengths = {c.STRIPE_LEN, filesystem.sectorsize}  # the second from mkfs
    if not {chunk.io_align, chunk.io_width} <= lengths:
        text = f"{place}: io_align is {chunk.io_align}, io_width {chunk.io_width}, expected {c.STRIPE_LEN}"
        yield _found("CHK-004", text, start, Severity.WARNING)
    yield from _stripes(filesystem, chunk, place, start)


def _stripes(filesystem: Filesystem, chunk: Chunk, place: str, start: int) -> Iterator[Finding]:
    for number, stripe in enumerate(chunk.stripes):
        known = filesystem.device_items.get(stripe.devid)
        if known is None:
            text = f"{place}: stripe {number} is on devid {stripe.devid}, which the filesystem does not have"
            yield _found("CHK-005", text, start)
        elif known.uuid != stripe.dev_uuid:
            names = stripe.dev_uuid.hex(), known.uuid.hex()
            text = f"{place}: stripe {number} names device {names[0]}, devid {stripe.devid} is {names[1]}"
            yield _found("CHK-006", text, start)
        if stripe.offset % filesystem.sectorsize:
            text = f"{place}: stripe {number} is at {stripe.offset}, not a multiple of {filesystem.sectorsize}"
            yield _found("CHK-002", text, start)
    places = [(stripe.devid, stripe.offset) for stripe in chunk.stripes]
    if len(set(places)) < len(places):
        yield _found("CHK-008", f"{place}: two stripes are in one place", start)


def _device(filesystem: Filesystem, item: Item, place: str) -> Iterator[Finding]:
    try:
        device = item.read(DEV_ITEM)
    except CorruptError:
        return  # of its length rules/items.py tells
    place = f"{place}: devid {device.devid}"
    if item.key != Key(c.DEV_ITEMS_OBJECTID, c.DEV_ITEM_KEY, device.devid):
        yield _found("CHK-009", f"{place} stands under key {tuple(item.key)}")
    if device.bytes_used > device.total_bytes:
        yield _found("CHK-010", f"{place}: {device.bytes_used} bytes used of {device.total_bytes}")
    member = filesystem.volume.superblocks.get(device.devid)  # of a seed, whose fsid is another
    if member is not None and device.fsid != member.block_fsid:
        text = f"{place}: fsid is {device.fsid.hex()}, expected {member.block_fsid.hex()}"
        yield _found("CHK-011", text)
    sizes = (device.io_align, device.io_width, device.sector_size)
    if set(sizes) != {filesystem.sectorsize}:
        text = f"{place}: io_align, io_width and sector_size are {sizes}, expected {filesystem.sectorsize}"
        yield _found("CHK-012", text, severity=Severity.WARNING)
    if device.total_bytes % filesystem.sectorsize:
        text = f"{place}: total_bytes is {device.total_bytes}, not a multiple of {filesystem.sectorsize}"
        yield _found("CHK-013", text, severity=Severity.WARNING)


def _missing(filesystem: Filesystem) -> Iterator[Finding]:
    for devid, item in filesystem.missing_devices():
        yield _found("DEV-009", f"devid {devid} (uuid {item.uuid.hex()}) is missing", severity=Severity.WARNING)
