"""A volume: the devices of a filesystem, its superblock, and logical addresses that can be read.

Opening finds the superblock (on the whole device, or in the one btrfs partition of a disk), refuses what this
version cannot read, by name, and takes the system chunks; the chunk tree is added by the floor that reads
trees. A damaged chunk or copy is not an error here: whoever reads decides what to do without it.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pybtrfs.checksum import CSUM_TYPES, CsumType
from pybtrfs.errors import CorruptError, DeviceError, UnsupportedError, UsageError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import CHUNK
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.superblock import Superblock
from pybtrfs.volume import partitions
from pybtrfs.volume.chunks import ChunkMap, Placement
from pybtrfs.volume.device import Device, FileDevice, SliceDevice
from pybtrfs.volume.inuse import loop_holders
from pybtrfs.volume.superblocks import Notice, choose

INCOMPAT_READ = (
    c.INCOMPAT_MIXED_BACKREF
    | c.INCOMPAT_DEFAULT_SUBVOL
    | c.INCOMPAT_MIXED_GROUPS
    | c.INCOMPAT_COMPRESS_LZO
    | c.INCOMPAT_COMPRESS_ZSTD
    | c.INCOMPAT_BIG_METADATA
    | c.INCOMPAT_EXTENDED_IREF
    | c.INCOMPAT_RAID56
    | c.INCOMPAT_SKINNY_METADATA
    | c.INCOMPAT_NO_HOLES
    | c.INCOMPAT_METADATA_UUID
    | c.INCOMPAT_RAID1C34
    | c.INCOMPAT_SIMPLE_QUOTA
)
"""The incompat features that this version reads."""
COMPAT_RO_WRITTEN = (
    c.COMPAT_RO_FREE_SPACE_TREE | c.COMPAT_RO_FREE_SPACE_TREE_VALID | c.COMPAT_RO_VERITY | c.COMPAT_RO_BLOCK_GROUP_TREE
)
"""The compat_ro features that this version could keep right when writing."""


class Where(NamedTuple):
    """How the filesystem is found on its device: `--offset`, `--partition`, `--super`."""

    offset: int | None = None
    partition: int | None = None
    super_copy: int | None = None


ANYWHERE = Where()
"""The whole device, or the one btrfs partition on it; the superblock that is to be believed."""


class Volume:
    """One filesystem's devices and the map between logical and physical addresses."""

    def __init__(self, device: Device, superblock: Superblock) -> None:
        self.superblock = superblock
        self.devices: dict[int, Device] = {superblock.dev_item.devid: device}
        self.chunks = ChunkMap()
        self.csum_type: CsumType = CSUM_TYPES[superblock.csum_type]
        self.nodesize, self.sectorsize = superblock.nodesize, superblock.sectorsize
        self.block_fsid = superblock.block_fsid
        for key, chunk in superblock.system_chunks():
            self.chunks.add(key.offset, chunk, self.sectorsize)

    def placements(self, logical: int, length: int) -> list[Placement]:
        """Each copy's place; `CorruptError` where the range is not mapped as a whole."""
        return self.chunks.placements(logical, length)

    def copies(self, logical: int, length: int) -> Iterator[tuple[str, bytes | None]]:
        """Each copy's place, for messages, and its bytes; None where it cannot be read."""
        for mirror, (devid, physical, _) in enumerate(self.placements(logical, length), 1):
            place = f"mirror {mirror} (devid {devid} at {physical})"
            device = self.devices.get(devid)
            try:
                yield place, None if device is None else device.read(physical, length)
            except DeviceError:
                yield place, None

    def add_chunk(self, key: Key, data: bytes) -> None:
        """Take in an item of the chunk tree."""
        self.chunks.add(key.offset, CHUNK.parse(data), self.sectorsize)

    def close(self) -> None:
        for device in self.devices.values():
            device.close()


def open_device(path: str, where: Where, notice: Notice, *, writable: bool = False) -> Device:
    """The device, or the part of it, that holds the filesystem."""
    if where.offset is not None and where.partition is not None:
        raise UsageError("--offset and --partition exclude each other")
    device = FileDevice(path, writable=writable)
    try:
        _tell_if_held(device, path, notice)
        return _part_of(device, where, notice)
    except BaseException:
        device.close()
        raise


def open_volume(path: str, where: Where, notice: Notice, *, writable: bool = False) -> Volume:
    """The volume at `path`; errors name the path once."""
    device = open_device(path, where, notice, writable=writable)
    try:
        superblock = choose(device, where.super_copy, notice).superblock
        refuse_unknown_features(superblock, path)
        return Volume(device, superblock)
    except CorruptError as error:
        device.close()
        text = str(error)
        raise type(error)(text if text.startswith(path) else f"{path}: {text}") from None
    except BaseException:
        device.close()
        raise


def refuse_unknown_features(superblock: Superblock, path: str) -> None:
    """`UnsupportedError`, by name, for incompat features that this version does not read."""
    extra = superblock.incompat_flags & ~INCOMPAT_READ
    if not extra:
        return
    names = [name.lower().replace("_", "-") for name in c.flag_names(extra, c.INCOMPAT_NAMES)]
    unnamed = c.unnamed(extra, c.INCOMPAT_NAMES)
    if unnamed:
        names.append(f"unknown incompat bits {unnamed:#x}")
    raise UnsupportedError(f"{path}: not supported: {', '.join(names)}")


def unknown_compat_ro(superblock: Superblock) -> list[str]:
    """Names of compat_ro features that make the filesystem read-only to us."""
    extra = superblock.compat_ro_flags & ~COMPAT_RO_WRITTEN
    return [f"unknown compat_ro bits {extra:#x}"] if extra else []


def _part_of(device: FileDevice, where: Where, notice: Notice) -> Device:
    if where.offset is not None:
        return SliceDevice(device, where.offset, device.size - where.offset)
    if where.partition is not None:
        return partitions.partition_device(device, where.partition)
    if partitions.has_magic(device):
        return device
    found = partitions.btrfs_partitions(device)
    if len(found) > 1:
        numbers = ", ".join(str(part.number) for part in found)
        raise UsageError(f"{device.name}: btrfs in partitions {numbers}; choose one with --partition")
    if not found:
        return device
    part = found[0]
    notice(f"{device.name}: opened partition {part.number} (offset {part.offset})")
    return SliceDevice(device, part.offset, part.size)


def _tell_if_held(device: FileDevice, path: str, notice: Notice) -> None:
    holders = loop_holders(path)
    if holders:
        notice(f"{path}: is held by {', '.join(holders)}; what is read may be changing")
    if device.in_use:
        notice(f"{path}: is in use by the kernel; what is read may be changing")
