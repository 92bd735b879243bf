"""Which superblock is believed.

The primary wins whenever it is valid, even where a mirror is newer: after an fsync `log_root` stands in the
primary alone, and a mirror may be left from an older filesystem. Mirrors are used only where the primary is
not valid, or on request, and only with the same fsid and metadata_uuid. (`btrfs_read_disk_super`,
`btrfs_validate_super`.)
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from pybtrfs.checksum import CSUM_TYPES, block_digest
from pybtrfs.errors import DeviceError, NotBtrfsError, UnreachableError, UsageError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.superblock import SUPERBLOCK, Superblock
from pybtrfs.volume.device import Device

Notice = Callable[[str], None]


class SuperCopy(NamedTuple):
    """One copy of the superblock as it stands on a device; `number` 0 is the primary."""

    number: int
    raw: bytes
    superblock: Superblock
    problem: str | None  # the first thing wrong with it


def read_copies(device: Device) -> list[SuperCopy]:
    """The copies that fit on the device, sound or not."""
    return [
        _read_copy(device, number, offset)
        for number, offset in enumerate(c.SUPER_OFFSETS)
        if offset + SUPERBLOCK.size <= device.size
    ]


def choose(device: Device, number: int | None, notice: Notice) -> SuperCopy:
    """The copy to believe: `number` where given, else the primary, else the newest good mirror."""
    if c.SUPER_OFFSETS[0] + SUPERBLOCK.size > device.size:
        raise NotBtrfsError(f"{device.name}: {device.size} bytes, too short for a btrfs superblock")
    if number is not None:
        return _requested(device, read_copies(device), number)
    primary = _read_copy(device, 0, c.SUPER_OFFSETS[0])
    if primary.problem is None:
        return primary
    copies = read_copies(device)
    mirrors = [copy for copy in copies[1:] if copy.problem is None and _same_filesystem(copy, primary)]
    if not mirrors:
        raise NotBtrfsError(f"{device.name}: no valid superblock at {c.SUPER_OFFSETS[0]}: {primary.problem}")
    if len({(copy.superblock.fsid, copy.superblock.metadata_uuid) for copy in mirrors}) > 1:
        raise NotBtrfsError(
            f"{device.name}: the primary superblock is damaged ({primary.problem}) and its mirrors "
            f"are of different filesystems; choose one with --super"
        )
    best = max(mirrors, key=lambda copy: copy.superblock.generation)
    notice(f"{device.name}: the primary superblock is damaged ({primary.problem}); using mirror {best.number}")
    return best


def superblock_problems(superblock: Superblock, raw: bytes, offset: int) -> Iterator[str]:
    """What is wrong with a superblock that was read from byte `offset`, most telling first."""
    if superblock.magic != c.MAGIC:
        yield f"magic is {superblock.magic!r}, expected {c.MAGIC!r}"
        return
    csum_type = CSUM_TYPES.get(superblock.csum_type)
    if csum_type is None:
        yield f"csum_type is {superblock.csum_type}, expected one of {', '.join(map(str, CSUM_TYPES))}"
        return
    stored, computed = superblock.csum[: csum_type.size], block_digest(csum_type, raw)
    if stored != computed:
        yield f"{csum_type.name} is {computed.hex()}, stored is {stored.hex()}"
        return
    if superblock.bytenr != offset:
        yield f"bytenr is {superblock.bytenr}, it stands at {offset}"
    yield from _geometry_problems(superblock)
    yield from _root_problems(superblock)
    if superblock.dev_item.fsid != superblock.block_fsid:
        yield f"dev_item.fsid is {superblock.dev_item.fsid.hex()}, expected {superblock.block_fsid.hex()}"


def _geometry_problems(superblock: Superblock) -> Iterator[str]:
    for name, size in (("sectorsize", superblock.sectorsize), ("nodesize", superblock.nodesize)):
        if size & (size - 1) or not c.MIN_BLOCK_SIZE <= size <= c.MAX_BLOCK_SIZE:
            yield f"{name} is {size}, expected a power of 2 from {c.MIN_BLOCK_SIZE} to {c.MAX_BLOCK_SIZE}"
    if superblock.nodesize < superblock.sectorsize:
        yield f"nodesize is {superblock.nodesize}, below sectorsize {superblock.sectorsize}"
    if superblock.leafsize != superblock.nodesize:
        yield f"leafsize is {superblock.leafsize}, expected nodesize {superblock.nodesize}"
    if superblock.stripesize & (superblock.stripesize - 1) or not superblock.stripesize:
        yield f"stripesize is {superblock.stripesize}, expected a power of 2"
    if not superblock.num_devices:
        yield "num_devices is 0"
    if superblock.bytes_used < 6 * superblock.nodesize:
        yield f"bytes_used is {superblock.bytes_used}, expected at least six tree blocks"
    size, room = superblock.sys_chunk_array_size, len(superblock.sys_chunk_array)
    if not 0 < size <= room:
        yield f"sys_chunk_array_size is {size}, expected 1 to {room}"


def _root_problems(superblock: Superblock) -> Iterator[str]:
    sectorsize = superblock.sectorsize or 1
    for name, bytenr, level in (
        ("root", superblock.root, superblock.root_level),
        ("chunk_root", superblock.chunk_root, superblock.chunk_root_level),
        ("log_root", superblock.log_root, superblock.log_root_level),
    ):
        if bytenr % sectorsize:
            yield f"{name} is {bytenr}, expected a multiple of sectorsize {sectorsize}"
        if level >= c.MAX_LEVEL:
            yield f"level of {name} is {level}, expected below {c.MAX_LEVEL}"


def _read_copy(device: Device, number: int, offset: int) -> SuperCopy:
    try:
        raw = device.read(offset, SUPERBLOCK.size)
    except UnreachableError:
        raise
    except DeviceError as error:
        nothing = bytes(SUPERBLOCK.size)
        return SuperCopy(number, nothing, SUPERBLOCK.unpack_from(nothing), str(error))
    superblock = SUPERBLOCK.unpack_from(raw)
    return SuperCopy(number, raw, superblock, next(superblock_problems(superblock, raw, offset), None))


def _requested(device: Device, copies: list[SuperCopy], number: int) -> SuperCopy:
    found = next((copy for copy in copies if copy.number == number), None)
    if found is None:
        raise UsageError(f"{device.name}: no superblock copy {number} (0 to {len(copies) - 1} fit on the device)")
    if found.problem is not None:
        raise NotBtrfsError(f"{device.name}: superblock copy {number}: {found.problem}")
    if not _same_filesystem(found, copies[0]):
        raise NotBtrfsError(f"{device.name}: superblock copy {number} is of another filesystem than the primary")
    return found


def _same_filesystem(mirror: SuperCopy, primary: SuperCopy) -> bool:
    """Whether a mirror's ids are the primary's; a primary without the magic has none to compare."""
    if primary.superblock.magic != c.MAGIC:
        return True
    ours, theirs = mirror.superblock, primary.superblock
    return primary.number == mirror.number or (ours.fsid, ours.metadata_uuid) == (theirs.fsid, theirs.metadata_uuid)
