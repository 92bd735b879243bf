"""Writing a plan to a device, so that a power cut leaves the old state, nothing valid, or the new filesystem.

The order, with a flush between the steps, each of which is taken on all devices before the next:

1. zeros over the superblock and its mirrors: from here on the device holds no filesystem;
2. everything else by which something could be recognised is wiped: what `signatures` found, the first and the
   last 2 MiB (boot sectors, partition tables, RAID members); the rest is discarded where asked;
3. all tree blocks;
4. the superblock's mirrors;
5. the primary superblock, on the first device last: from here on the devices hold the new filesystem, all of it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from pybtrfs.errors import DeviceError, RefusedError
from pybtrfs.mkfs.blockgroups import check_size
from pybtrfs.mkfs.options import Options
from pybtrfs.mkfs.plan import Plan
from pybtrfs.mkfs.signatures import Found, find_signatures
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.superblock import SUPERBLOCK
from pybtrfs.volume.device import Device, FileDevice, create_file, file_exists, remove_file
from pybtrfs.volume.inuse import loop_holders

Range = tuple[int, int]
"""Offset and length in bytes."""
Discard = Callable[[int, int], bool]
"""Frees the range (offset, length); whether it reads as zeros now."""

_WIPED_AT_ENDS = 2 * 1024**2
_MOST_ZEROS = 1024**2


class Target(NamedTuple):
    """A device that may be overwritten: locked, not held by the kernel, and long enough."""

    device: FileDevice
    size: int  # bytes that the filesystem may use
    found: list[Found]  # what lives there now


@contextmanager
def open_target(
    path: str, options: Options, byte_count: int | None, *, force: bool, devices: int = 1
) -> Iterator[Target]:
    """The device at `path`, one of so many, of which the filesystem is to use `byte_count` bytes, or all.

    A regular file that is missing is made, and one that is too short grows, to `byte_count`; what was made is gone
    again where the filesystem is not, be it for another device's sake. `RefusedError` where something lives there and
    `force` is not given, and always where the kernel holds it.
    """
    made = _make_missing(path, options, byte_count, devices)
    device = FileDevice(path, writable=True)
    try:
        device.lock()
        _refuse_held(path)
        size = device.size if byte_count is None else byte_count
        check_size(options, size, devices)
        if size > device.size and device.is_block_device:
            raise DeviceError(f"{path}: has {device.size} bytes, {size} are asked for")
        found = find_signatures(device)
        if found and not force:
            names = ", ".join(dict.fromkeys(place.name for place in found))
            raise RefusedError(f"{path}: already holds: {names}; -f overwrites it")
        if size > device.size:
            device.resize(size)
        yield Target(device, size, found)
    except BaseException:
        if made:
            remove_file(path)
        raise
    finally:
        device.close()


class Destination(NamedTuple):
    """A device to write to, what lives on it now, and how old contents are freed."""

    device: Device
    found: Sequence[Found] = ()
    discard: Discard | None = None


def write_plan(plan: Plan, destinations: Sequence[Destination]) -> None:
    """Make the planned filesystem on the devices, which stand in the order of their devids."""
    members = list(zip(plan.spec.members, destinations, strict=True))
    for _, place in members:
        fitting = [offset for offset in c.SUPER_OFFSETS if offset + SUPERBLOCK.size <= place.device.size]
        _put(place.device, [(offset, bytes(SUPERBLOCK.size)) for offset in fitting])
    for member, place in members:
        _wipe(member.size, place)
    writes = list(plan.writes())
    for member, place in members:
        _put(place.device, [(write.offset, write.data) for write in writes if write.devid == member.devid])
    for member, place in members:
        _put(place.device, plan.superblocks(member.devid)[1:])
    for member, place in reversed(members):
        _put(place.device, plan.superblocks(member.devid)[:1])


def _put(device: Device, writes: Iterable[tuple[int, bytes]]) -> None:
    for offset, data in writes:
        device.write(offset, data)
    device.flush()


def _wipe(size: int, place: Destination) -> None:
    device, found, discard = place
    zeroed = size if discard is not None and discard(0, size) else 0
    for offset, length in _recognisable(size, device, found):
        end = min(offset + length, device.size)
        for at in range(max(offset, zeroed), end, _MOST_ZEROS):
            device.write(at, bytes(min(_MOST_ZEROS, end - at)))
    device.flush()


def _recognisable(size: int, device: Device, found: Iterable[Found]) -> Iterator[Range]:
    yield 0, _WIPED_AT_ENDS
    yield from ((offset, SUPERBLOCK.size) for offset in c.SUPER_OFFSETS)
    if device.size - size < _WIPED_AT_ENDS:
        yield max(0, device.size - _WIPED_AT_ENDS), _WIPED_AT_ENDS
    yield from ((place.offset, place.length) for place in found)


def _make_missing(path: str, options: Options, byte_count: int | None, devices: int) -> bool:
    """Make the file where there is none; whether it was made."""
    if file_exists(path):
        return False
    if byte_count is None:
        raise DeviceError(f"{path}: does not exist; -b SIZE creates it")
    check_size(options, byte_count, devices)
    create_file(path)
    return True


def _refuse_held(path: str) -> None:
    holders = loop_holders(path)
    if holders:
        raise RefusedError(f"{path}: is held by {', '.join(holders)}; detach it first")
