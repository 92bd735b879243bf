"""Where block groups lie: their sizes, logical addresses and places on the devices.

The layout is that of btrfs-progs, which makes a filesystem in steps and leaves their traces: a first system
chunk of 4 MiB at 1 MiB and single chunks for metadata and data come first; then one chunk of each kind that
has another profile; then the single chunks that this made needless are removed, and nothing moves into the
room that they leave. Sizes grow with the filesystem up to a limit by kind (`btrfs_alloc_chunk` of btrfs-progs).

The first chunks are made while only the first device is there; the others are asked last come, first served.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pybtrfs.errors import DeviceError
from pybtrfs.mkfs.options import DUP, SINGLE, Options
from pybtrfs.ondisk import constants as c
from pybtrfs.volume.profiles import Profile, find_profile

MIB, GIB = 1024**2, 1024**3
FIRST_DEVID = 1

_SYSTEM, _METADATA, _DATA = c.BLOCK_GROUP_SYSTEM, c.BLOCK_GROUP_METADATA, c.BLOCK_GROUP_DATA
_FIRST_SYSTEM_LENGTH = 4 * MIB
_RESERVE_OF_NODES = 1024  # nodes that the smallest filesystem must be able to reserve for metadata
_SHARE_OF_SIZE = 10  # no chunk is larger than the filesystem divided by this
_LARGE = 50 * GIB


class Place(NamedTuple):
    """One stripe: where a copy of the block group begins."""

    devid: int
    physical: int


class BlockGroup(NamedTuple):
    """A block group, which is a chunk: bytes in a row of the address space, and the stripes that hold them."""

    start: int  # logical address
    length: int
    flags: int
    stripes: tuple[Place, ...]
    io_align: int
    sub_stripes: int

    @property
    def profile(self) -> Profile:
        profile = find_profile(self.flags)
        assert profile is not None, "a block group has one profile"
        return profile

    @property
    def data_stripes(self) -> int:
        """How many stripes it takes to hold every byte once."""
        return (len(self.stripes) - self.profile.parity) // self.profile.copies

    @property
    def stripe_length(self) -> int:
        """Bytes that the block group takes of the device at each of its places."""
        return self.length // self.data_stripes

    @property
    def kind(self) -> int:
        """The type bits: system, metadata, data, or metadata and data."""
        return self.flags & c.BLOCK_GROUP_TYPE_MASK


class _Limits(NamedTuple):
    """How large chunks of one kind are: the stripe wanted, the whole chunk at most, a stripe at least."""

    kind: int
    stripe: int
    chunk: int
    least: int


_PROFILED = (  # the first row whose kind is in the type; mixed block groups are as data
    _Limits(_SYSTEM, 8 * MIB, 16 * MIB, MIB),
    _Limits(_DATA, GIB, 10 * GIB, 64 * MIB),
    _Limits(_METADATA, 256 * MIB, 256 * MIB, 32 * MIB),
)
_METADATA_OF_LARGE = _Limits(_METADATA, GIB, GIB, 32 * MIB)
_UNPROFILED = _Limits(0, 8 * MIB, 32 * MIB, MIB)


def place_block_groups(options: Options, sizes: Sequence[int]) -> list[BlockGroup]:
    """The block groups of an empty filesystem on devices of so many bytes, by logical address.

    The sizes are multiples of the sectorsize; the first device has devid 1. `DeviceError` where they are too small.
    """
    for size in sizes:
        check_size(options, size, len(sizes))
    groups = _try_to_place(options, sizes)
    if groups is None:
        raise DeviceError(f"there is no room for the first chunks on devices of {', '.join(map(str, sizes))} bytes")
    return groups


def check_size(options: Options, size: int, devices: int = 1) -> None:
    """`DeviceError` with the smallest size, where one of so many devices has `size` bytes and that is less."""
    least = least_size(options, devices)
    if size - size % options.sectorsize < least:
        each = "" if devices == 1 else " on each device"
        text = f"{size} bytes are too few for this filesystem, it needs {least}{each} ({least / MIB:.4g} MiB)"
        raise DeviceError(text)


def least_size(options: Options, devices: int = 1) -> int:
    """The smallest size, in bytes, of each of so many devices that take such a filesystem."""
    step = c.STRIPE_LEN
    low, high = _least_by_rule(options) // step - 1, GIB // step
    if _try_to_place(options, [_least_by_rule(options)] * devices) is not None:
        return _least_by_rule(options)
    while high - low > 1:  # the rule of btrfs-progs is too low for some, which then fail half-way there
        middle = (low + high) // 2
        low, high = (low, middle) if _try_to_place(options, [middle * step] * devices) else (middle, high)
    return high * step


def used_on_device(groups: Sequence[BlockGroup], devid: int) -> int:
    """Bytes of the device that the block groups' stripes take."""
    return sum(group.stripe_length for group in groups for place in group.stripes if place.devid == devid)


def block_addresses(group: BlockGroup, nodesize: int) -> Iterator[int]:
    """Logical addresses for tree blocks; the 64 KiB that hold a superblock copy in some stripe are left out.

    (`exclude_super_stripes` of the kernel; with parity, the whole row.) No block crosses a multiple of 64 KiB, to
    which groups are aligned.
    """
    held = [
        _logical_range(group, index, (offset - place.physical) // c.STRIPE_LEN)
        for index, place in enumerate(group.stripes)
        for offset in c.SUPER_OFFSETS
        if place.physical <= offset < place.physical + group.stripe_length
    ]
    for bytenr in range(group.start, group.start + group.length - nodesize + 1, nodesize):
        if not any(bytenr in reserved for reserved in held):
            yield bytenr


def _logical_range(group: BlockGroup, index: int, row: int) -> range:
    """The addresses of what stands in a row of 64 KiB of the stripe `index`."""
    across = 1 if group.profile.parity else c.STRIPE_LEN
    number, length = row * group.data_stripes, c.STRIPE_LEN
    if across == 1:
        length *= group.data_stripes
    else:
        number += index // group.profile.copies
    start = group.start + number * c.STRIPE_LEN
    return range(start, start + length)


def _least_by_rule(options: Options) -> int:
    """The bound that btrfs-progs state: what the chunks take, with the temporary ones counted again."""
    if options.mixed:
        return 2 * (_FIRST_SYSTEM_LENGTH + options.nodesize * _RESERVE_OF_NODES)
    chunks = 0
    for profile, single, profiled in ((options.metadata, 16 * MIB, 40 * MIB), (options.data, 8 * MIB, 64 * MIB)):
        chunks += _on_each_device(profile) * (profiled if profile.flag else single)
    return c.RESERVED_AT_START + _FIRST_SYSTEM_LENGTH + 16 * MIB + chunks


def _on_each_device(profile: Profile) -> int:
    """How many stripes of a chunk are on one device."""
    return 2 if profile == DUP else 1


def _try_to_place(options: Options, sizes: Sequence[int]) -> list[BlockGroup] | None:
    """The block groups; None where the devices are too small."""
    if min(sizes) < _least_by_rule(options):
        return None
    allocator = _Allocator(options)
    allocator.add_device(sizes[0])
    allocator.add_first()
    for kind in (_METADATA | _DATA,) if options.mixed else (_METADATA, _DATA):
        if not allocator.add(kind, SINGLE):
            return None
    if options.mixed and not _add_second(allocator, sizes[0]):
        return None
    for size in sizes[1:]:
        allocator.add_device(size)
    for kind, profile in _profiled(options):
        if not allocator.add(kind, profile):
            return None
    wanted = {_DATA: options.data, _METADATA: options.metadata, _SYSTEM: options.metadata}
    wanted[_METADATA | _DATA] = options.metadata
    return [group for group in allocator.groups if group.profile == wanted[group.kind]]


def _profiled(options: Options) -> Iterator[tuple[int, Profile]]:
    """What is allocated once all devices are there, in order: type and profile."""
    if options.metadata != SINGLE:
        yield _SYSTEM, options.metadata
        yield _METADATA | _DATA if options.mixed else _METADATA, options.metadata
    if options.data != SINGLE and not options.mixed:
        yield _DATA, options.data


def _add_second(allocator: "_Allocator", size: int) -> bool:
    """Btrfs-progs add a chunk once the first is 70 % full, with 2 MiB and what making it took counted as used."""
    options = allocator.options
    taken = 2 * MIB + 10 * options.nodesize
    if options.metadata != SINGLE or taken * 10 < allocator.groups[-1].length * 7:
        return True
    return allocator.add(_METADATA | _DATA, SINGLE)


class _Allocator:
    """Devices that fill from the start, and the block groups on them; none is ever taken away."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.groups: list[BlockGroup] = []
        self.sizes: dict[int, int] = {}
        self.ends: dict[int, int] = {}  # where the free part of each device begins
        self.order: list[int] = []  # devids, the one to be asked first at the front

    def add_device(self, size: int) -> None:
        devid = len(self.sizes) + FIRST_DEVID
        self.sizes[devid], self.ends[devid] = size, c.RESERVED_AT_START
        self.order.insert(0, devid)

    def add_first(self) -> None:
        """The first system chunk, which has no profile's figures."""
        place = Place(FIRST_DEVID, c.RESERVED_AT_START)
        group = BlockGroup(place.physical, _FIRST_SYSTEM_LENGTH, _SYSTEM, (place,), self.options.sectorsize, 0)
        self.ends[FIRST_DEVID] += group.length
        self.groups.append(group)

    def add(self, kind: int, profile: Profile) -> bool:
        """Allocate the next block group; False where there is no room."""
        count, length = self._stripes_wanted(profile), 0
        for last_chance in (False, True):
            length = self._stripe_length(kind, profile, count, length)
            chosen, most_left = self._choose(profile, count, length)
            fitting = len(chosen) * _on_each_device(profile)
            if fitting < count and fitting >= profile.devices_min and profile != DUP:
                count = fitting - fitting % profile.sub_stripes
                length = self._stripe_length(kind, profile, count, length)
                chosen, fitting = chosen[:count], count
            if fitting >= count:
                self._put(kind, profile, chosen, length)
                return True
            if last_chance or not most_left:
                return False
            length = most_left // _on_each_device(profile)
        return False

    def _stripes_wanted(self, profile: Profile) -> int:
        if profile.whole:
            return profile.copies
        return len(self.sizes) - len(self.sizes) % profile.sub_stripes

    def _choose(self, profile: Profile, count: int, length: int) -> tuple[list[int], int]:
        """Devids with room for so many stripes, in the order in which they are asked; the most that others have."""
        chosen: list[int] = []
        most_left = 0
        for devid in self.order:
            left = self.sizes[devid] - self.ends[devid]
            if left < length * _on_each_device(profile):
                most_left = max(most_left, left)
            elif len(chosen) * _on_each_device(profile) < count:
                chosen.append(devid)
        return chosen, most_left

    def _put(self, kind: int, profile: Profile, chosen: list[int], length: int) -> None:
        """The stripes stand in the opposite order of the choice; who was chosen will be asked first again."""
        places = []
        for devid in reversed(chosen):
            for _ in range(_on_each_device(profile)):
                places.append(Place(devid, self.ends[devid]))
                self.ends[devid] += length
        self.order = chosen + [devid for devid in self.order if devid not in chosen]
        start = self.groups[-1].start + self.groups[-1].length
        whole = length * ((len(places) - profile.parity) // profile.copies)
        group = BlockGroup(start, whole, kind | profile.flag, tuple(places), c.STRIPE_LEN, profile.sub_stripes)
        self.groups.append(group)

    def _stripe_length(self, kind: int, profile: Profile, count: int, most: int) -> int:
        """Bytes of one of `count` stripes; `most` is what a first try left, or 0."""
        size = sum(self.sizes.values())
        limits = _UNPROFILED
        if profile.flag:
            limits = next(row for row in _PROFILED if row.kind & kind)
            if kind == _METADATA and size > _LARGE:
                limits = _METADATA_OF_LARGE
        length = most or limits.stripe
        chunk = min(limits.chunk, size // _SHARE_OF_SIZE)
        if length * ((count - profile.parity) // profile.copies) > chunk:
            length = chunk // count // c.STRIPE_LEN * c.STRIPE_LEN
        return max(length, limits.least) // c.STRIPE_LEN * c.STRIPE_LEN
