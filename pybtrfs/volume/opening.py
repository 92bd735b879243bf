"""Finding a filesystem: its devices, the part of each that holds it, the superblocks that are believed.

A filesystem is on the whole device, in the one btrfs partition of a disk, or where the user says. A device is
given by its path or URL, or as an object that does what a `Device` does. What this version cannot read is refused by
name; members that do not belong together, too.
"""

import re
from typing import NamedTuple

from pybtrfs.errors import CorruptError, RefusedError, UnsupportedError, UsageError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import DEV_ITEM
from pybtrfs.ondisk.superblock import Superblock
from pybtrfs.ondisk.uuid import uuid_text
from pybtrfs.volume import partitions
from pybtrfs.volume.device import Device, FileDevice, SliceDevice
from pybtrfs.volume.inuse import loop_holders
from pybtrfs.volume.superblocks import Notice, choose
from pybtrfs.volume.volume import Volume, refuse_unknown_features


class Where(NamedTuple):
    """How the filesystem is found: `--offset`, `--partition`, `--super`, `--device`."""

    offset: int | None = None
    partition: int | None = None
    super_copy: int | None = None
    devices: tuple[str | Device, ...] = ()  # the other members of a filesystem that spans several


ANYWHERE = Where()
"""The whole device, or the one btrfs partition on it; the superblock that is to be believed."""


_SCHEME = "[A-Za-z][A-Za-z0-9+_-]+"
_URL = re.compile(f"{_SCHEME}(::{_SCHEME})*://")
"""What begins so is no path of this host: fsspec's `scheme://…`, or a chain such as `simplecache::https://…`."""


def name_of(image: str | Device) -> str:
    """What messages call an image that was given by path or URL, or as a device."""
    return image if isinstance(image, str) else image.name


def open_device(image: str | Device, where: Where, notice: Notice, *, writable: bool = False) -> Device:
    """The device, or the part of it, that holds the filesystem; a device that is given will be closed with it."""
    if where.offset is not None and where.partition is not None:
        raise UsageError("--offset and --partition exclude each other")
    device = _opened(image, writable=writable)
    try:
        if isinstance(device, FileDevice):
            _tell_if_held(device, notice)
        return _part_of(device, where, notice)
    except BaseException:
        device.close()
        raise


def _opened(image: str | Device, *, writable: bool) -> Device:
    if not isinstance(image, str):
        return image
    if _URL.match(image) is None:
        return FileDevice(image, writable=writable)
    if writable:
        raise UnsupportedError(f"{image}: images at a URL are read only")
    from pybtrfs.volume.remote import RemoteDevice  # noqa: PLC0415  start-up

    return RemoteDevice.at(image)


class Member(NamedTuple):
    """One device of a filesystem: where it was opened, and the superblock on it that is believed."""

    path: str
    device: Device
    superblock: Superblock

    @property
    def devid(self) -> int:
        return self.superblock.dev_item.devid

    @property
    def is_seed(self) -> bool:
        return bool(self.superblock.flags & c.SUPER_FLAG_SEEDING)

    @property
    def ids(self) -> tuple[bytes, bytes]:
        """What all members of a filesystem have in common, but for its seeds."""
        return self.superblock.fsid, self.superblock.metadata_uuid


def open_volume(image: str | Device, where: Where, notice: Notice, *, writable: bool = False) -> Volume:
    """The volume in `image` and `where.devices`; errors name the device that they are about.

    The newest superblock counts. A member that missed commits is read only where nothing else is left; one of
    another filesystem, or with a devid that another has, is refused. A seed has an fsid of its own, and what it
    holds is older than what was grown on it; whether it is the right one is for the chunk tree to say.
    """
    members: list[Member] = []
    try:
        members.append(_open_member(image, where, notice, writable=writable))
        elsewhere = Where(super_copy=where.super_copy)  # an offset or partition is the first device's
        for one in where.devices:
            members.append(_open_member(one, elsewhere, notice, writable=writable))
        return assemble(members, notice)
    except BaseException as error:
        for member in members:
            member.device.close()
        named = tuple(map(name_of, (image, *where.devices)))
        if isinstance(error, CorruptError) and not str(error).startswith(named):
            raise type(error)(f"{name_of(image)}: {error}") from None
        raise


def assemble(members: list[Member], notice: Notice) -> Volume:
    """The volume of devices whose superblocks are known; `RefusedError` where they do not belong together."""
    newest = max(members, key=lambda member: (not member.is_seed, member.superblock.generation))
    _refuse_strangers(members, newest)
    return Volume(
        newest.superblock,
        {member.devid: member.device for member in members},
        _stale([member for member in members if member.ids == newest.ids], newest, notice),
        {member.devid: member.superblock for member in members},
    )


def _open_member(image: str | Device, where: Where, notice: Notice, *, writable: bool) -> Member:
    path, device = name_of(image), open_device(image, where, notice, writable=writable)
    try:
        superblock = choose(device, where.super_copy, notice).superblock
        refuse_unknown_features(superblock, path)
    except BaseException as error:
        device.close()
        if isinstance(error, CorruptError) and not str(error).startswith(path):
            raise type(error)(f"{path}: {error}") from None
        raise
    return Member(path, device, superblock)


def _refuse_strangers(members: list[Member], newest: Member) -> None:
    taken: dict[int, str] = {}
    for member in members:
        if member.ids != newest.ids and not member.is_seed:
            raise RefusedError(
                f"{member.path}: is of another filesystem: fsid {uuid_text(member.superblock.fsid)}, "
                f"{newest.path} has {uuid_text(newest.superblock.fsid)}"
            )
        if member.devid in taken:
            raise RefusedError(f"{member.path}: is devid {member.devid}, and so is {taken[member.devid]}")
        taken[member.devid] = member.path


def _stale(members: list[Member], newest: Member, notice: Notice) -> frozenset[int]:
    """The devids of members that missed commits, or went another way from one on."""
    stale = []
    for member in members:
        ours, theirs = member.superblock.generation, newest.superblock.generation
        if ours < theirs:
            problem = f"missed commits: generation {ours}, the newest is {theirs}"
        elif _common(member.superblock) != _common(newest.superblock):
            problem = f"is not of the same generation {ours} as {newest.path}: both were written to without the other"
        else:
            continue
        notice(f"{member.path}: {problem}; it is read only where nothing else is left")
        stale.append(member.devid)
    return frozenset(stale)


def _common(superblock: Superblock) -> Superblock:
    """What the superblocks of one commit have in common; a log may have reached some devices only."""
    nothing = DEV_ITEM.unpack_from(bytes(DEV_ITEM.size))
    return superblock._replace(csum=b"", bytenr=0, dev_item=nothing, log_root=0, log_root_level=0, log_root_transid=0)


def _part_of(device: Device, where: Where, notice: Notice) -> Device:
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


def _tell_if_held(device: FileDevice, notice: Notice) -> None:
    holders = loop_holders(device.name)
    if holders:
        notice(f"{device.name}: is held by {', '.join(holders)}; what is read may be changing")
    if device.in_use:
        notice(f"{device.name}: is in use by the kernel; what is read may be changing")
