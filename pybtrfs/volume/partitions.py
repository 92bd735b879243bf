"""Partition tables of whole-disk images: MBR with logical partitions, and GPT.

Only where partitions begin and end is read; a filesystem is recognised by its superblock. Sources: the UEFI
specification, chapter 5; the classic MBR layout.
"""

from collections.abc import Iterator
from typing import Annotated, NamedTuple

from pybtrfs.errors import DeviceError, UsageError
from pybtrfs.ondisk.constants import MAGIC, SUPER_OFFSETS
from pybtrfs.ondisk.layout import U8, U16, U32, U64, Fixed, Times, Uuid
from pybtrfs.ondisk.superblock import SUPERBLOCK
from pybtrfs.volume.device import Device, SliceDevice

_SECTOR_SIZES = (512, 4096)
_MOST_ENTRIES = 256
_EXTENDED_TYPES = frozenset({0x05, 0x0F, 0x85})
_PROTECTIVE_TYPE = 0xEE


class Partition(NamedTuple):
    """One partition; `number` counts from 1 as the kernel does, offset and size in bytes."""

    number: int
    offset: int
    size: int


class _MbrEntry(NamedTuple):
    status: U8
    first_chs: Annotated[bytes, "3s"]
    type: U8
    last_chs: Annotated[bytes, "3s"]
    first_sector: U32
    sectors: U32


_MBR_ENTRY = Fixed(_MbrEntry, 16)


class _Mbr(NamedTuple):
    code: Annotated[bytes, "446s"]
    entries: Annotated[tuple[_MbrEntry, ...], Times(4)]
    signature: U16


class _GptHeader(NamedTuple):
    signature: Annotated[bytes, "8s"]
    revision: U32
    header_size: U32
    crc: U32
    reserved: U32
    this_sector: U64
    other_sector: U64
    first_usable: U64
    last_usable: U64
    disk_guid: Uuid
    entries_sector: U64
    entries: U32
    entry_size: U32
    entries_crc: U32


class _GptEntry(NamedTuple):
    type_guid: Uuid
    guid: Uuid
    first_sector: U64
    last_sector: U64
    attributes: U64
    name: Annotated[bytes, "72s"]


_MBR = Fixed(_Mbr, 512)
_GPT_HEADER = Fixed(_GptHeader, 92)
_GPT_ENTRY = Fixed(_GptEntry, 128)
_MBR_SIGNATURE, _GPT_SIGNATURE = 0xAA55, b"EFI PART"
_SUPER_SPAN = SUPER_OFFSETS[0] + SUPERBLOCK.size


def partitions(device: Device) -> list[Partition]:
    """The partitions of a disk that begins with a GPT or an MBR; empty where there is no table."""
    if device.size < _MBR.size:
        return []
    mbr = _MBR.unpack_from(device.read(0, _MBR.size))
    if mbr.signature != _MBR_SIGNATURE:
        return []
    if any(entry.type == _PROTECTIVE_TYPE for entry in mbr.entries):
        found = list(_gpt_partitions(device))
    else:
        found = list(_mbr_partitions(device, mbr))
    return [part for part in found if part.size and part.offset + part.size <= device.size]


def btrfs_partitions(device: Device) -> list[Partition]:
    """Those partitions that hold the magic of a btrfs superblock."""
    return [part for part in partitions(device) if has_magic(SliceDevice(device, part.offset, part.size))]


def partition_device(device: Device, number: int) -> SliceDevice:
    """Partition `number` as a device of its own."""
    for part in partitions(device):
        if part.number == number:
            return SliceDevice(device, part.offset, part.size)
    known = ", ".join(str(part.number) for part in partitions(device)) or "none"
    raise UsageError(f"{device.name}: no partition {number} (found: {known})")


def has_magic(device: Device) -> bool:
    """Whether the bytes at the primary superblock's place carry the magic, valid or not."""
    if device.size < _SUPER_SPAN:
        return False
    return device.read(SUPER_OFFSETS[0] + SUPERBLOCK.offset_of("magic"), len(MAGIC)) == MAGIC


def _mbr_partitions(device: Device, mbr: _Mbr) -> Iterator[Partition]:
    sector = _SECTOR_SIZES[0]
    for number, entry in enumerate(mbr.entries, 1):
        if entry.type in _EXTENDED_TYPES:
            yield from _logical_partitions(device, entry.first_sector)
        elif entry.type:
            yield Partition(number, entry.first_sector * sector, entry.sectors * sector)


def _logical_partitions(device: Device, extended: int) -> Iterator[Partition]:
    """The chain of extended boot records; bounded, since a chain may lie about its end."""
    sector, record = _SECTOR_SIZES[0], extended
    for number in range(5, 5 + _MOST_ENTRIES):
        at = record * sector
        if at + _MBR.size > device.size:
            return
        mbr = _MBR.unpack_from(device.read(at, _MBR.size))
        if mbr.signature != _MBR_SIGNATURE:
            return
        entry, link = mbr.entries[:2]
        if entry.type:
            yield Partition(number, (record + entry.first_sector) * sector, entry.sectors * sector)
        if not link.type:
            return
        record = extended + link.first_sector


def _gpt_partitions(device: Device) -> Iterator[Partition]:
    for sector in _SECTOR_SIZES:
        if device.size < 2 * sector:
            return
        header = _GPT_HEADER.unpack_from(device.read(sector, _GPT_HEADER.size))
        if header.signature == _GPT_SIGNATURE:
            yield from _gpt_entries(device, header, sector)
            return


def _gpt_entries(device: Device, header: _GptHeader, sector: int) -> Iterator[Partition]:
    if header.entry_size < _GPT_ENTRY.size or header.entry_size > sector:
        return
    for index in range(min(header.entries, _MOST_ENTRIES)):
        at = header.entries_sector * sector + index * header.entry_size
        try:
            entry = _GPT_ENTRY.unpack_from(device.read(at, _GPT_ENTRY.size))
        except DeviceError:
            return
        if any(entry.type_guid) and entry.last_sector >= entry.first_sector:
            sectors = entry.last_sector - entry.first_sector + 1
            yield Partition(index + 1, entry.first_sector * sector, sectors * sector)
