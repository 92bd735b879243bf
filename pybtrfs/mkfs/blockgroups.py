"""Where block groups lie: their sizes, logical addresses and places on the device.

The layout is that of btrfs-progs, which makes a filesystem in steps and leaves their traces: a first system
chunk of 4 MiB at 1 MiB and single chunks for metadata and data come first; then one chunk of each kind that
has another profile; then the single chunks that this made needless are removed, and nothing moves into the
room that they leave. Sizes grow with the device up to a limit by kind (`btrfs_alloc_chunk` of btrfs-progs).
"""

from collections.abc import Iterator
from typing import NamedTuple

from pybtrfs.errors import DeviceError
from pybtrfs.mkfs.options import SINGLE, Options
from pybtrfs.ondisk import constants as c
from pybtrfs.volume.profiles import Profile, find_profile

MIB, GIB = 1024**2, 1024**3
DEVID = 1

_SYSTEM, _METADATA, _DATA = c.BLOCK_GROUP_SYSTEM, c.BLOCK_GROUP_METADATA, c.BLOCK_GROUP_DATA
_FIRST_SYSTEM_LENGTH = 4 * MIB
_RESERVE_OF_NODES = 1024  # nodes that the smallest filesystem must be able to reserve for metadata
_SHARE_OF_DEVICE = 10  # no chunk is larger than the device divided by this
_LARGE_DEVICE = 50 * GIB


class Place(NamedTuple):
    """One stripe: where a copy of the block group begins."""

    devid: int
    physical: int


class BlockGroup(NamedTuple):
    """A block group, which is a chunk; each stripe holds all of it, or it has one stripe."""

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


def place_block_groups(options: Options, size: int) -> list[BlockGroup]:
    """The block groups of an empty filesystem on a device of `size` bytes, by logical address.

    `size` is a multiple of the sectorsize; `DeviceError` where it is too small.
    """
    check_size(options, size)
    groups = _try_to_place(options, size)
    assert groups is not None, "there is room for the chunks on every device of the least size or more"
    return groups


def check_size(options: Options, size: int) -> None:
    """`DeviceError` with the smallest size, where a device of `size` bytes is smaller."""
    least = least_size(options)
    if size - size % options.sectorsize < least:
        raise DeviceError(f"{size} bytes are too few for this filesystem, it needs {least} ({least / MIB:.4g} MiB)")


def least_size(options: Options) -> int:
    """The smallest device, in bytes, that takes such a filesystem."""
    step = c.STRIPE_LEN
    low, high = _least_by_rule(options) // step - 1, GIB // step
    if _try_to_place(options, _least_by_rule(options)) is not None:
        return _least_by_rule(options)
    while high - low > 1:  # the rule of btrfs-progs is too low for some, which then fail half-way there
        middle = (low + high) // 2
        low, high = (low, middle) if _try_to_place(options, middle * step) else (middle, high)
    return high * step


def used_on_device(groups: list[BlockGroup]) -> int:
    """Bytes of the device that the block groups' stripes take."""
    return sum(group.length * len(group.stripes) for group in groups)


def block_addresses(group: BlockGroup, nodesize: int) -> Iterator[int]:
    """Logical addresses for tree blocks; the 64 KiB that hold a superblock copy in some stripe are left out.

    (`exclude_super_stripes` of the kernel.) No block crosses a multiple of 64 KiB, to which groups are aligned.
    """
    held = [
        group.start + (offset - place.physical) // c.STRIPE_LEN * c.STRIPE_LEN
        for place in group.stripes
        for offset in c.SUPER_OFFSETS
        if place.physical <= offset < place.physical + group.length
    ]
    for bytenr in range(group.start, group.start + group.length - nodesize + 1, nodesize):
        if not any(start <= bytenr < start + c.STRIPE_LEN for start in held):
            yield bytenr


def _least_by_rule(options: Options) -> int:
    """The bound that btrfs-progs state: what the chunks take, with the temporary ones counted again."""
    if options.mixed:
        return 2 * (_FIRST_SYSTEM_LENGTH + options.nodesize * _RESERVE_OF_NODES)
    chunks = 0
    for profile, single, profiled in ((options.metadata, 16 * MIB, 40 * MIB), (options.data, 8 * MIB, 64 * MIB)):
        copies = profile.copies if profile.whole else 1
        chunks += copies * (profiled if profile.flag else single)
    return c.RESERVED_AT_START + _FIRST_SYSTEM_LENGTH + 16 * MIB + chunks


def _try_to_place(options: Options, size: int) -> list[BlockGroup] | None:
    """The block groups; None where the device is too small."""
    if size < _least_by_rule(options):
        return None
    groups: list[BlockGroup] = []
    for kind, profile in _steps(options, size):
        group = _next_group(options, size, groups, kind, profile)
        if group is None:
            return None
        groups.append(group)
    wanted = {_DATA: options.data, _METADATA: options.metadata, _SYSTEM: options.metadata}
    wanted[_METADATA | _DATA] = options.metadata
    return [group for group in groups if group.profile == wanted[group.kind]]


def _steps(options: Options, size: int) -> Iterator[tuple[int, Profile]]:
    """What is allocated, in order: type and profile."""
    metadata = _METADATA | _DATA if options.mixed else _METADATA
    yield _SYSTEM, SINGLE
    yield metadata, SINGLE
    if options.mixed:
        yield from _second_chunk(options, size)
    else:
        yield _DATA, SINGLE
    if options.metadata != SINGLE:
        yield _SYSTEM, options.metadata
        yield metadata, options.metadata
    if options.data != SINGLE and not options.mixed:
        yield _DATA, options.data


def _second_chunk(options: Options, size: int) -> Iterator[tuple[int, Profile]]:
    """Btrfs-progs add a chunk once the first is 70 % full, with 2 MiB and what making it took counted as used."""
    taken = 2 * MIB + 10 * options.nodesize
    if options.metadata == SINGLE and taken * 10 >= _stripe_length(size, _METADATA | _DATA, SINGLE) * 7:
        yield _METADATA | _DATA, SINGLE


def _next_group(
    options: Options, size: int, groups: list[BlockGroup], kind: int, profile: Profile
) -> BlockGroup | None:
    """The next block group, behind those that are there; None where it does not fit."""
    if not groups:  # the first one has no profile's figures
        first = (Place(DEVID, c.RESERVED_AT_START),)
        return BlockGroup(c.RESERVED_AT_START, _FIRST_SYSTEM_LENGTH, _SYSTEM, first, options.sectorsize, 0)
    last = groups[-1]
    start, physical = last.start + last.length, last.stripes[-1].physical + last.length
    count = profile.copies if profile.whole else 1
    length = _stripe_length(size, kind, profile)
    if physical + count * length > size:
        length = _stripe_length(size, kind, profile, most=(size - physical) // count)
    if physical + count * length > size:
        return None
    stripes = tuple(Place(DEVID, physical + index * length) for index in range(count))
    return BlockGroup(start, length, kind | profile.flag, stripes, c.STRIPE_LEN, profile.sub_stripes)


def _stripe_length(size: int, kind: int, profile: Profile, most: int | None = None) -> int:
    """Bytes of one stripe on a device of `size` bytes; `most` where only so many are left."""
    limits = _UNPROFILED
    if profile.flag:
        limits = next(row for row in _PROFILED if row.kind & kind)
        if kind == _METADATA and size > _LARGE_DEVICE:
            limits = _METADATA_OF_LARGE
    count = profile.copies if profile.whole else 1
    length = limits.stripe if most is None else most
    chunk = min(limits.chunk, size // _SHARE_OF_DEVICE)
    if length > chunk:
        length = chunk // count
    return max(length, limits.least) // c.STRIPE_LEN * c.STRIPE_LEN
