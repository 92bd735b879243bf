"""Superblocks: every copy on every device against the one that is believed, and that one against the trees.

A commit writes all copies; an fsync the primary alone, with another log root. (`btrfs_validate_super`,
`write_all_supers`.)
"""

from collections.abc import Iterator

from pybtrfs.check.findings import Finding, Severity
from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import CHUNK, Chunk
from pybtrfs.ondisk.superblock import RootBackup, Superblock
from pybtrfs.volume.superblocks import SuperCopy, read_copies
from pybtrfs.volume.volume import unknown_compat_ro

_OF_ITS_OWN = {"csum", "bytenr", "dev_item"}  # fields in which copies differ
_OF_THE_LOG = {"log_root", "log_root_level", "log_root_transid"}  # an fsync writes them to the primary alone
_KNOWN_FLAGS = (
    c.HEADER_FLAG_WRITTEN | c.HEADER_FLAG_RELOC | c.SUPER_FLAG_ERROR | c.SUPER_FLAG_SEEDING
    | c.SUPER_FLAG_METADUMP | c.SUPER_FLAG_METADUMP_V2
)  # fmt: skip
_BACKUPS = ("tree_root", "chunk_root", "extent_root", "fs_root", "dev_root", "csum_root")


def findings(filesystem: Filesystem) -> Iterator[Finding]:
    """All of what is wrong with superblocks."""
    for devid, device in sorted(filesystem.volume.devices.items()):
        member = filesystem.volume.superblocks.get(devid, filesystem.superblock)
        for copy in read_copies(device):
            yield from _copy(filesystem, f"devid {devid}: superblock {copy.number}", copy, member)
    sb = filesystem.superblock
    yield from _flags(sb)
    yield from _features(filesystem)
    yield from _fields(sb)
    yield from _system_chunks(filesystem)
    yield from _backups(filesystem)


def _found(code: str, severity: Severity, text: str) -> Finding:
    return Finding(code, severity, text)


def _copy(filesystem: Filesystem, place: str, copy: SuperCopy, member: Superblock) -> Iterator[Finding]:
    """`member`: what was read of the device; where that is a seed, its own copies are to say the same."""
    believed, sb = filesystem.superblock, copy.superblock
    if member.flags & c.SUPER_FLAG_SEEDING:
        believed = member
    if copy.problem is not None:
        severity = Severity.WARNING if copy.number else Severity.ERROR
        yield _found("SUP-002" if copy.number else "SUP-001", severity, f"{place}: {copy.problem}")
        return
    if (sb.fsid, sb.metadata_uuid) != (believed.fsid, believed.metadata_uuid):
        yield _found("SUP-003", Severity.WARNING, f"{place} is of another filesystem, {sb.fsid.hex()}")
        return
    if sb.generation != believed.generation:
        text = f"{place}: generation is {sb.generation}, of the one that is believed {believed.generation}"
        yield _found("SUP-006", Severity.WARNING, text)
        return
    for name in set(Superblock._fields) - _OF_ITS_OWN - (_OF_THE_LOG if copy.number else set()):
        if getattr(sb, name) != getattr(believed, name):
            yield _found("SUP-007", Severity.WARNING, f"{place}: {name} is not that of the one that is believed")
    yield from _device(filesystem, place, sb)


def _device(filesystem: Filesystem, place: str, sb: Superblock) -> Iterator[Finding]:
    """What a superblock says of its device, against the chunk tree."""
    ours, known = sb.dev_item, filesystem.device_items.get(sb.dev_item.devid)
    if known is None:
        yield _found("SUP-008", Severity.ERROR, f"{place}: devid {ours.devid} is not in the chunk tree")
        return
    seed = bool(sb.flags & c.SUPER_FLAG_SEEDING)  # whose space has been counted anew since
    for name in ("uuid", "fsid", *(() if seed else ("total_bytes", "bytes_used", "sector_size"))):
        said, expected = getattr(ours, name), getattr(known, name)
        if said != expected:
            said, expected = (value.hex() if isinstance(value, bytes) else value for value in (said, expected))
            text = f"{place}: dev_item.{name} is {said}, the chunk tree has {expected}"
            yield _found("SUP-008", Severity.ERROR if name in ("uuid", "fsid") else Severity.WARNING, text)


def _flags(sb: Superblock) -> Iterator[Finding]:
    for name in c.flag_names(sb.flags, c.SUPER_FLAG_NAMES):
        if name.startswith("CHANGING_"):
            yield _found("SUP-009", Severity.ERROR, f"superblock: a conversion was not finished: {name}")
        if name.startswith("METADUMP"):
            yield _found("SUP-010", Severity.NOTE, f"superblock: this is a dump of metadata without data: {name}")
    if sb.flags & c.SUPER_FLAG_ERROR:
        yield _found("SUP-011", Severity.ERROR, "superblock: flag ERROR: the filesystem was stopped by an error")
    unknown = c.unnamed(sb.flags & ~_KNOWN_FLAGS, c.SUPER_FLAG_NAMES)
    if unknown:
        yield _found("SUP-012", Severity.ERROR, f"superblock: unknown flags {unknown:#x}")


def _features(filesystem: Filesystem) -> Iterator[Finding]:
    sb = filesystem.superblock
    for name in unknown_compat_ro(sb):
        yield _found("SUP-013", Severity.WARNING, f"superblock: it can only be read: {name}")
    if sb.compat_flags:
        yield _found("SUP-013", Severity.NOTE, f"superblock: unknown compat bits {sb.compat_flags:#x}")
    space, groups = c.COMPAT_RO_FREE_SPACE_TREE, c.COMPAT_RO_BLOCK_GROUP_TREE
    for flag, needed, text in (
        (groups, space, "BLOCK_GROUP_TREE without FREE_SPACE_TREE"),
        (c.COMPAT_RO_FREE_SPACE_TREE_VALID, space, "FREE_SPACE_TREE_VALID without FREE_SPACE_TREE"),
    ):
        if sb.compat_ro_flags & flag and not sb.compat_ro_flags & needed:
            yield _found("SUP-014", Severity.ERROR, f"superblock: compat_ro has {text}")
    if sb.compat_ro_flags & groups and not sb.incompat_flags & c.INCOMPAT_NO_HOLES:
        yield _found("SUP-014", Severity.ERROR, "superblock: BLOCK_GROUP_TREE without NO_HOLES")
    if sb.incompat_flags & c.INCOMPAT_MIXED_GROUPS and sb.nodesize != sb.sectorsize:
        text = f"superblock: MIXED_GROUPS with nodesize {sb.nodesize} and sectorsize {sb.sectorsize}"
        yield _found("SUP-014", Severity.ERROR, text)
    for flag, tree_id in ((space, c.FREE_SPACE_TREE_OBJECTID), (groups, c.BLOCK_GROUP_TREE_OBJECTID)):
        has = filesystem.find_tree(tree_id) is not None
        if bool(sb.compat_ro_flags & flag) != has:
            name = c.COMPAT_RO_NAMES[flag]
            text = (
                f"superblock: {name} is {'not ' if has else ''}set, and there is {'a' if has else 'no'} tree {tree_id}"
            )
            yield _found("SUP-015", Severity.NOTE if has else Severity.ERROR, text)


def _fields(sb: Superblock) -> Iterator[Finding]:
    if b"\0" not in sb.label:
        yield _found("SUP-016", Severity.WARNING, f"superblock: the label does not end within {len(sb.label)} bytes")
    for name in ("cache_generation", "uuid_tree_generation"):
        value = getattr(sb, name)
        if value > sb.generation and value != c.U64_MAX:
            yield _found("SUP-017", Severity.WARNING, f"superblock: {name} is {value}, generation {sb.generation}")
    if sb.root_dir_objectid != c.ROOT_TREE_DIR_OBJECTID:
        text = f"superblock: root_dir_objectid is {sb.root_dir_objectid}, expected {c.ROOT_TREE_DIR_OBJECTID}"
        yield _found("SUP-018", Severity.ERROR, text)


def _system_chunks(filesystem: Filesystem) -> Iterator[Finding]:
    """The array of system chunks holds those of the chunk tree, and no others."""
    inside: dict[int, Chunk] = {}
    for item in filesystem.chunk_tree.items(trouble=lambda error: None):
        if item.key.type == c.CHUNK_ITEM_KEY:
            try:
                inside[item.key.offset] = item.read(CHUNK)
            except CorruptError:
                continue  # rules/chunks.py tells of it
    array = {key.offset: chunk for key, chunk in filesystem.superblock.system_chunks()}
    for start, chunk in array.items():
        if inside.get(start) != chunk:
            found = "differs from that" if start in inside else "is not"
            yield _found("SUP-019", Severity.ERROR, f"superblock: system chunk {start} {found} in the chunk tree")
    for start, chunk in inside.items():
        if chunk.type & c.BLOCK_GROUP_SYSTEM and start not in array:
            yield _found("SUP-020", Severity.ERROR, f"chunk {start} is a system chunk and not in the superblock")


def _backups(filesystem: Filesystem) -> Iterator[Finding]:
    sb = filesystem.superblock
    for number, backup in enumerate(sb.super_roots):
        if backup.tree_root:
            yield from (
                _found("SUP-021", Severity.WARNING, f"superblock: backup {number}: {problem}")
                for problem in _backup_problems(filesystem, backup)
            )
    current = [backup for backup in sb.super_roots if backup.tree_root_gen == sb.generation]
    for backup in current:
        ours, theirs = (
            (sb.root, sb.root_level, sb.chunk_root),
            (backup.tree_root, backup.tree_root_level, backup.chunk_root),
        )
        if ours != theirs:
            text = f"superblock: the backup of generation {sb.generation} has roots {theirs}, the superblock {ours}"
            yield _found("SUP-022", Severity.WARNING, text)


def _backup_problems(filesystem: Filesystem, backup: RootBackup) -> Iterator[str]:
    sb = filesystem.superblock
    for name in _BACKUPS:
        bytenr, generation, level = (getattr(backup, f"{name}{part}") for part in ("", "_gen", "_level"))
        if not bytenr:
            continue  # a filesystem may have no such tree
        if bytenr % sb.sectorsize or level >= c.MAX_LEVEL:
            yield f"{name} is {bytenr} of level {level}, which no block can have"
        elif generation > sb.generation + 1:  # the next transaction may begin before the superblock is filled in
            yield f"{name} is of generation {generation}, the superblock of {sb.generation}"
        elif generation == sb.generation and filesystem.volume.chunks.find(bytenr) is None:
            yield f"{name} is {bytenr}, and no chunk holds that"
