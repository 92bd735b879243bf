"""What a filesystem is to be: features, sizes, profiles and names, judged together.

`resolve` turns what a user asked for into `Options` that fit together, with the defaults of btrfs-progs 7.3, or
raises `UsageError` by name. A feature is a row of `FEATURES`; `-O name,^name` sets and clears, left to right.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from pybtrfs.checksum import CSUM_TYPES, CsumType
from pybtrfs.errors import UsageError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.superblock import SUPERBLOCK
from pybtrfs.volume.profiles import BY_NAME, Profile

T = TypeVar("T")

DEFAULT_NODESIZE = 16 * 1024
DEFAULT_SECTORSIZE = 4096
LABEL_MAX = SUPERBLOCK.offset_of("cache_generation") - SUPERBLOCK.offset_of("label") - 1


class Feature(NamedTuple):
    """One feature that `-O` knows, and the kernels that mount it, hold it for safe, and have it by default."""

    name: str
    incompat: int
    compat_ro: int
    compat: str
    safe: str
    default: str  # "" where it is off by default
    meaning: str
    unnamed: int = 0  # a bit of ours, where no superblock has one
    runtime: bool = False  # `-R` knows it, too


_ALWAYS = c.INCOMPAT_MIXED_BACKREF | c.INCOMPAT_BIG_METADATA
_FREE_SPACE_TREE = c.COMPAT_RO_FREE_SPACE_TREE | c.COMPAT_RO_FREE_SPACE_TREE_VALID

_QUOTA = 1

FEATURES = (
    Feature("mixed-bg", c.INCOMPAT_MIXED_GROUPS, 0, "2.6.37", "2.6.37", "", "data and metadata in shared block groups"),
    Feature("quota", 0, 0, "3.4", "", "", "accounts and limits of subvolumes (qgroups)", _QUOTA, runtime=True),
    Feature("extref", c.INCOMPAT_EXTENDED_IREF, 0, "3.7", "3.12", "3.12", "more hard links to a file in one directory"),
    Feature("raid56", c.INCOMPAT_RAID56, 0, "3.9", "", "", "raid5 and raid6 profiles"),
    Feature("skinny-metadata", c.INCOMPAT_SKINNY_METADATA, 0, "3.10", "3.18", "3.18", "short extent items"),
    Feature("no-holes", c.INCOMPAT_NO_HOLES, 0, "3.14", "4.0", "5.15", "holes in files take no items"),
    Feature("free-space-tree", 0, _FREE_SPACE_TREE, "4.5", "4.9", "5.15", "free space kept in a tree", runtime=True),
    Feature("raid1c34", c.INCOMPAT_RAID1C34, 0, "5.5", "", "", "raid1 with three or four copies"),
    Feature("block-group-tree", 0, c.COMPAT_RO_BLOCK_GROUP_TREE, "6.1", "6.6", "6.19", "a tree of block groups"),
    Feature("squota", c.INCOMPAT_SIMPLE_QUOTA, 0, "6.7", "", "", "simple quotas: an extent counts for its first owner"),
)
BY_FEATURE_NAME = {feature.name: feature for feature in FEATURES}
ALIASES = {"fst": "free-space-tree", "bgt": "block-group-tree"}
NOT_BUILT = frozenset({"zoned", "extent-tree-v2", "rst", "raid-stripe-tree", "remap-tree"})
"""Names that btrfs-progs know and this version does not make."""

CSUM_NAMES = {name: csum for csum in CSUM_TYPES.values() for name in csum.option_names}
SINGLE, DUP, RAID1 = BY_NAME["single"], BY_NAME["dup"], BY_NAME["raid1"]
MOST_DEVICES = 58  # stripes of two chunks fit the superblock's array
_PROFILE_FEATURES = {
    c.BLOCK_GROUP_RAID5: "raid56",
    c.BLOCK_GROUP_RAID6: "raid56",
    c.BLOCK_GROUP_RAID1C3: "raid1c34",
    c.BLOCK_GROUP_RAID1C4: "raid1c34",
}


class Features(NamedTuple):
    """The feature bits of a superblock, and those that stand in none."""

    incompat: int
    compat_ro: int
    unnamed: int = 0

    def has(self, name: str) -> bool:
        return any(have & bits for have, bits in zip(self, _bits(name), strict=True))

    def with_(self, name: str) -> "Features":
        return Features(*(have | bits for have, bits in zip(self, _bits(name), strict=True)))

    def without(self, name: str) -> "Features":
        return Features(*(have & ~bits for have, bits in zip(self, _bits(name), strict=True)))

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in FEATURES if self.has(feature.name)]


def _bits(name: str) -> tuple[int, int, int]:
    feature = BY_FEATURE_NAME[name]
    return feature.incompat, feature.compat_ro, feature.unnamed


class Request(NamedTuple):
    """What a user asked for; None where nothing was said."""

    label: bytes = b""
    fsid: bytes | None = None
    device_uuid: bytes | None = None
    nodesize: int | None = None
    sectorsize: int = DEFAULT_SECTORSIZE
    data: str | None = None
    metadata: str | None = None
    mixed: bool = False
    csum: str = "crc32c"
    features: tuple[str, ...] = ()  # lists as `-O` takes them
    runtime_features: tuple[str, ...] = ()  # lists as `-R` takes them; they come after the others


class Options(NamedTuple):
    """A filesystem's parameters, which fit together."""

    label: bytes
    fsid: bytes | None
    device_uuid: bytes | None
    nodesize: int
    sectorsize: int
    data: Profile
    metadata: Profile
    csum_type: CsumType
    features: Features

    @property
    def mixed(self) -> bool:
        return self.features.has("mixed-bg")


def resolve(request: Request, devices: int = 1, notice: Callable[[str], None] = lambda text: None) -> Options:
    """The options that `request` means on so many devices; `UsageError` where they cannot be meant."""
    _check_runtime_features(request.runtime_features, notice)
    features = parse_features((*request.features, *request.runtime_features))
    if request.mixed:
        features = features.with_("mixed-bg")
    mixed = features.has("mixed-bg")
    if devices > MOST_DEVICES:
        raise UsageError(f"{devices} devices are given, at most {MOST_DEVICES} can be")
    if devices > 1 and request.device_uuid is not None:
        raise UsageError(f"a device's UUID can be given where there is one device, given are {devices}")
    data, metadata = _profiles(request, mixed, devices)
    for profile in (metadata, data):
        if profile.flag in _PROFILE_FEATURES:
            features = features.with_(_PROFILE_FEATURES[profile.flag])
    _check_label(request.label)
    sectorsize = _checked_size("sectorsize", request.sectorsize, c.MIN_BLOCK_SIZE)
    if sectorsize != DEFAULT_SECTORSIZE:
        notice(f"sectorsize {sectorsize}: kernels with another page size may not mount it, {DEFAULT_SECTORSIZE} all do")
    preferred = sectorsize if mixed else max(sectorsize, DEFAULT_NODESIZE)
    nodesize = _checked_size("nodesize", request.nodesize or preferred, sectorsize)
    if mixed and nodesize != sectorsize:
        raise UsageError(f"nodesize {nodesize}: mixed block groups need the sectorsize, {sectorsize}")
    features = _settle(features, notice)
    csum_type = _by_name(request.csum, CSUM_NAMES, "checksum")
    ids = request.fsid, request.device_uuid
    return Options(request.label, *ids, nodesize, sectorsize, data, metadata, csum_type, features)


def parse_features(lists: Iterable[str]) -> Features:
    """The defaults, changed by comma-separated lists of `name` and `^name`, in order."""
    features = Features(_ALWAYS, 0)
    for feature in FEATURES:
        if feature.default:
            features = features.with_(feature.name)
    for word in ",".join(lists).split(","):
        off, name = word.startswith("^"), word.removeprefix("^")
        name = ALIASES.get(name, name)
        if name in BY_FEATURE_NAME:
            features = features.without(name) if off else features.with_(name)
        elif name in NOT_BUILT and not off:
            raise UsageError(f"feature '{name}' is not supported by this version")
        elif name and name not in NOT_BUILT:
            raise UsageError(f"unknown feature '{name}' (known: {', '.join(BY_FEATURE_NAME)})")
    return features


def feature_lines(*, runtime: bool = False) -> list[str]:
    """What `-O list-all` prints, or `-R list-all`: a line a feature."""
    lines = []
    for feature in FEATURES:
        if runtime and not feature.runtime:
            continue
        versions = (("compat", feature.compat), ("safe", feature.safe), ("default", feature.default))
        since = ", ".join(f"{word}={version}" for word, version in versions if version)
        lines.append(f"{feature.name:<20}- {feature.meaning} ({since})")
    aliases = {} if runtime else ALIASES
    return lines + [f"{alias:<20}- the same as {name}" for alias, name in aliases.items()]


def _check_runtime_features(lists: Iterable[str], notice: Callable[[str], None]) -> None:
    known = [feature.name for feature in FEATURES if feature.runtime]
    names = [word.removeprefix("^") for word in ",".join(lists).split(",") if word]
    for name in names:
        if name not in known:
            raise UsageError(f"unknown runtime feature '{name}' (known: {', '.join(known)})")
    if names:
        notice("-R, --runtime-features is deprecated: -O, --features takes the same names")


def _profiles(request: Request, mixed: bool, devices: int) -> tuple[Profile, Profile]:
    defaults = (SINGLE, SINGLE) if mixed else (SINGLE, DUP if devices == 1 else RAID1)
    asked = ("data", request.data), ("metadata", request.metadata)
    data, metadata = (
        default if name is None else _by_name(name, BY_NAME, f"{kind} profile")
        for (kind, name), default in zip(asked, defaults, strict=True)
    )
    if mixed and data != metadata:
        raise UsageError(f"mixed block groups need one profile: data is {data.name}, metadata {metadata.name}")
    for kind, profile in (("metadata", metadata), ("data", data)):
        if devices < profile.devices_min:
            raise UsageError(f"{kind} profile {profile.name} needs {profile.devices_min} devices, given is {devices}")
    return data, metadata


def _settle(features: Features, notice: Callable[[str], None]) -> Features:
    """Features that follow from others."""
    needed = [name for name in ("no-holes", "free-space-tree") if not features.has(name)]
    if needed and features.has("block-group-tree"):
        notice(f"feature block-group-tree is left out: it needs {' and '.join(needed)}")
        features = features.without("block-group-tree")
    return features


def _check_label(label: bytes) -> None:
    if len(label) > LABEL_MAX:
        raise UsageError(f"the label has {len(label)} bytes, at most {LABEL_MAX} fit")
    if b"\0" in label or b"\n" in label:
        raise UsageError("the label must not hold a newline or a NUL byte")


def _checked_size(name: str, size: int, least: int) -> int:
    if size & (size - 1) or not least <= size <= c.MAX_BLOCK_SIZE:
        raise UsageError(f"{name} {size}: expected a power of 2 from {least} to {c.MAX_BLOCK_SIZE}")
    return size


def _by_name(name: str, table: dict[str, T], kind: str) -> T:
    found = table.get(name.lower())
    if found is None:
        raise UsageError(f"unknown {kind} '{name}' (known: {', '.join(table)})")
    return found
