"""Superblocks as text, line for line what `btrfs inspect-internal dump-super` of btrfs-progs 7.3 prints.

Most lines are a row of `_ROWS`: a name, the tabs or the space behind it, and how the value reads. Nothing here
raises on damage: what is wrong goes to `complain`, a line at a time.
"""

from collections.abc import Callable, Iterable, Iterator

from pybtrfs.checksum import CSUM_SIZE, CSUM_TYPES, block_digest
from pybtrfs.errors import CorruptError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.superblock import SUPERBLOCK, RootBackup, Superblock
from pybtrfs.ondisk.uuid import uuid_text
from pybtrfs.render.items_space import chunk_text
from pybtrfs.render.keys import key_text
from pybtrfs.render.tree_text import Complain
from pybtrfs.render.values import dotted

Value = Callable[[Superblock], object]
_RULE = "-" * 57


def dump_super_text(
    copies: Iterable[tuple[int, bytes]], device: str, complain: Complain, *, full: bool = False, force: bool = False
) -> Iterator[str]:
    """Each copy, (byte offset on the device, its 4096 bytes), under its title.

    A copy with the wrong magic ends the dump with a complaint, unless `force` is given.
    """
    for offset, raw in copies:
        yield f"superblock: bytenr={offset}, device={device}\n{_RULE}\n"
        if SUPERBLOCK.unpack_from(raw).magic != c.MAGIC and not force:
            complain(f"bad magic on superblock on {device} at {offset} (use --force to dump it anyway)")
            return
        yield superblock_text(raw, complain, full=full) + "\n"


def superblock_text(raw: bytes, complain: Complain, *, full: bool = False) -> str:
    """The fields of a superblock; with `full` also its system chunks and backup roots."""
    superblock = SUPERBLOCK.unpack_from(raw)
    text = _csum_text(superblock, raw) + "".join(f"{name}{value(superblock)}\n" for name, value in _ROWS)
    if not full:
        return text
    chunks = "".join(_system_chunks(superblock, complain))
    backups = "".join(_backup_roots(superblock))
    return (
        f"{text}sys_chunk_array[{len(superblock.sys_chunk_array)}]:\n{chunks}"
        f"backup_roots[{len(superblock.super_roots)}]:\n{backups}"
    )


def _csum_text(superblock: Superblock, raw: bytes) -> str:
    csum_type = CSUM_TYPES.get(superblock.csum_type)
    if csum_type is None:
        name, size, verdict = "INVALID", CSUM_SIZE, "[UNKNOWN CSUM TYPE OR SIZE]"
    else:
        name, size = csum_type.name, csum_type.size
        verdict = _match(superblock.csum[:size] == block_digest(csum_type, raw))
    return (
        f"csum_type\t\t{superblock.csum_type} ({name})\n"
        f"csum_size\t\t{size}\n"
        f"csum\t\t\t0x{superblock.csum[:size].hex()} {verdict}\n"
    )


def _match(matches: bool) -> str:
    return "[match]" if matches else "[DON'T MATCH]"


def _flags(flags: int, names: dict[int, str]) -> str:
    """The number, and below it the names in brackets, one a line."""
    found = c.flag_names(flags, names)
    unknown = c.unnamed(flags, names)
    if unknown:
        found.append(f"unknown flag: 0x{unknown:x}")
    lines = " |\n\t\t\t  ".join(found)
    return f"0x{flags:x}\n\t\t\t( {lines} )" if found else f"0x{flags:x}"


def _magic(superblock: Superblock) -> str:
    text = "".join(dotted(superblock.magic[at : at + 1]) or "." for at in range(len(superblock.magic)))
    return f"{text} {_match(superblock.magic == c.MAGIC)}"


def _device_fsid(superblock: Superblock) -> str:
    fsid = superblock.dev_item.fsid
    return f"{uuid_text(fsid)} {_match(fsid == superblock.block_fsid)}"


_ROWS: tuple[tuple[str, Value], ...] = (
    ("bytenr\t\t\t", lambda sb: sb.bytenr),
    ("flags\t\t\t", lambda sb: _flags(sb.flags, c.SUPER_FLAG_NAMES)),
    ("magic\t\t\t", _magic),
    ("fsid\t\t\t", lambda sb: uuid_text(sb.fsid)),
    ("metadata_uuid\t\t", lambda sb: uuid_text(sb.metadata_uuid)),
    ("label\t\t\t", lambda sb: dotted(sb.label)),
    ("generation\t\t", lambda sb: sb.generation),
    ("root\t\t\t", lambda sb: sb.root),
    ("sys_array_size\t\t", lambda sb: sb.sys_chunk_array_size),
    ("chunk_root_generation\t", lambda sb: sb.chunk_root_generation),
    ("root_level\t\t", lambda sb: sb.root_level),
    ("chunk_root\t\t", lambda sb: sb.chunk_root),
    ("chunk_root_level\t", lambda sb: sb.chunk_root_level),
    ("log_root\t\t", lambda sb: sb.log_root),
    ("log_root_transid (deprecated)\t", lambda sb: sb.log_root_transid),
    ("log_root_level\t\t", lambda sb: sb.log_root_level),
    ("total_bytes\t\t", lambda sb: sb.total_bytes),
    ("bytes_used\t\t", lambda sb: sb.bytes_used),
    ("sectorsize\t\t", lambda sb: sb.sectorsize),
    ("nodesize\t\t", lambda sb: sb.nodesize),
    ("leafsize (deprecated)\t", lambda sb: sb.leafsize),
    ("stripesize\t\t", lambda sb: sb.stripesize),
    ("root_dir\t\t", lambda sb: sb.root_dir_objectid),
    ("num_devices\t\t", lambda sb: sb.num_devices),
    ("compat_flags\t\t", lambda sb: f"0x{sb.compat_flags:x}"),
    ("compat_ro_flags\t\t", lambda sb: _flags(sb.compat_ro_flags, c.COMPAT_RO_NAMES)),
    ("incompat_flags\t\t", lambda sb: _flags(sb.incompat_flags, c.INCOMPAT_NAMES)),
    ("cache_generation\t", lambda sb: sb.cache_generation),
    ("uuid_tree_generation\t", lambda sb: sb.uuid_tree_generation),
    ("dev_item.uuid\t\t", lambda sb: uuid_text(sb.dev_item.uuid)),
    ("dev_item.fsid\t\t", _device_fsid),
    ("dev_item.type\t\t", lambda sb: sb.dev_item.type),
    ("dev_item.total_bytes\t", lambda sb: sb.dev_item.total_bytes),
    ("dev_item.bytes_used\t", lambda sb: sb.dev_item.bytes_used),
    ("dev_item.io_align\t", lambda sb: sb.dev_item.io_align),
    ("dev_item.io_width\t", lambda sb: sb.dev_item.io_width),
    ("dev_item.sector_size\t", lambda sb: sb.dev_item.sector_size),
    ("dev_item.devid\t\t", lambda sb: sb.dev_item.devid),
    ("dev_item.dev_group\t", lambda sb: sb.dev_item.dev_group),
    ("dev_item.seek_speed\t", lambda sb: sb.dev_item.seek_speed),
    ("dev_item.bandwidth\t", lambda sb: sb.dev_item.bandwidth),
    ("dev_item.generation\t", lambda sb: sb.dev_item.generation),
)


def _system_chunks(superblock: Superblock, complain: Complain) -> Iterator[str]:
    try:
        for number, (key, chunk) in enumerate(superblock.system_chunks()):
            yield f"\titem {number} {key_text(*key)}\n{chunk_text(chunk)}"
    except CorruptError as error:
        complain(str(error))


def _backup_roots(superblock: Superblock) -> Iterator[str]:
    v2 = superblock.incompat_flags & c.INCOMPAT_EXTENT_TREE_V2
    extent_name = "backup_block_group_root" if v2 else "backup_extent_root"
    for slot, backup in enumerate(superblock.super_roots):
        if backup.tree_root or backup.tree_root_gen:
            yield f"\tbackup {slot}:\n{_backup_text(backup, extent_name)}\n"


def _backup_text(backup: RootBackup, extent_name: str) -> str:
    roots = (
        ("backup_tree_root:\t", backup.tree_root, backup.tree_root_gen, backup.tree_root_level),
        ("backup_chunk_root:\t", backup.chunk_root, backup.chunk_root_gen, backup.chunk_root_level),
        (f"{extent_name}:\t", backup.extent_root, backup.extent_root_gen, backup.extent_root_level),
        ("backup_fs_root:\t\t", backup.fs_root, backup.fs_root_gen, backup.fs_root_level),
        ("backup_dev_root:\t", backup.dev_root, backup.dev_root_gen, backup.dev_root_level),
        ("csum_root:\t", backup.csum_root, backup.csum_root_gen, backup.csum_root_level),
    )
    lines = "".join(f"\t\t{name}{bytenr}\tgen: {gen}\tlevel: {level}\n" for name, bytenr, gen, level in roots)
    return (
        f"{lines}\t\tbackup_total_bytes:\t{backup.total_bytes}\n"
        f"\t\tbackup_bytes_used:\t{backup.bytes_used}\n"
        f"\t\tbackup_num_devices:\t{backup.num_devices}\n"
    )
