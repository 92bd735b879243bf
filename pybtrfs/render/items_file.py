"""Items of files and directories as text: inodes, their names, attributes and extents."""

from pybtrfs.btree.block import Item
from pybtrfs.errors import CorruptError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.dir import DIR_ITEM
from pybtrfs.ondisk.file_extent import FILE_EXTENT, INLINE_EXTENT
from pybtrfs.ondisk.inode import INODE_EXTREF, INODE_ITEM, INODE_REF
from pybtrfs.ondisk.log import DIR_LOG_ITEM
from pybtrfs.render.keys import key_text
from pybtrfs.render.options import Options
from pybtrfs.render.values import escaped, joined_flags, time_text

_unpack_inode = INODE_ITEM.struct.unpack_from
_unpack_ref = INODE_REF.struct.unpack_from
_unpack_extref = INODE_EXTREF.struct.unpack_from
_unpack_dir = DIR_ITEM.struct.unpack_from
_unpack_extent = FILE_EXTENT.struct.unpack_from
_unpack_inline = INLINE_EXTENT.struct.unpack_from
_FILE_TYPES = [c.FT_NAMES.get(number, f"DIR_ITEM.{number}") for number in range(128)]


def inode_item(item: Item, _: Options) -> str:
    """What INODE_ITEM says."""
    (generation, transid, size, nbytes, group, nlink, uid, gid, mode, rdev, flags, sequence, _reserved, *times) = (
        _unpack_inode(item.data)
    )
    asec, ansec, csec, cnsec, msec, mnsec, osec, onsec = times
    return (
        f"\t\tgeneration {generation} transid {transid} size {size} nbytes {nbytes}\n"
        f"\t\tblock group {group} mode {mode:o} links {nlink} uid {uid} gid {gid} rdev {rdev}\n"
        f"\t\tsequence {sequence} flags 0x{flags:x}({joined_flags(flags, c.INODE_FLAG_NAMES) if flags else 'none'})\n"
        f"\t\tatime {time_text(asec, ansec)}\n"
        f"\t\tctime {time_text(csec, cnsec)}\n"
        f"\t\tmtime {time_text(msec, mnsec)}\n"
        f"\t\totime {time_text(osec, onsec)}\n"
    )


def inode_ref(item: Item, options: Options) -> str:
    """Each name in an INODE_REF."""
    data, at, lines = item.data, 0, ""
    while at < len(data):
        index, length = _unpack_ref(data, at)
        at += INODE_REF.size
        name = "HIDDEN" if options.hide_names else escaped(_piece(data, at, length))
        at += length
        lines += f"\t\tindex {index} namelen {length} name: {name}\n"
    return lines


def inode_extref(item: Item, options: Options) -> str:
    """Each name in an INODE_EXTREF."""
    data, at, lines = item.data, 0, ""
    while at < len(data):
        parent, index, length = _unpack_extref(data, at)
        at += INODE_EXTREF.size
        name = "HIDDEN" if options.hide_names else escaped(_piece(data, at, length))
        at += length
        lines += f"\t\tindex {index} parent {parent} namelen {length} name: {name}\n"
    return lines


def dir_item(item: Item, options: Options) -> str:
    """DIR_ITEM, DIR_INDEX and XATTR_ITEM."""
    data, at, lines = item.data, 0, ""
    while at < len(data):
        objectid, kind, offset, transid, data_len, name_len, file_type = _unpack_dir(data, at)
        at += DIR_ITEM.size
        name = "HIDDEN" if options.hide_names else escaped(_piece(data, at, name_len))
        at += name_len
        lines += (
            f"\t\tlocation {key_text(objectid, kind, offset)} type {_FILE_TYPES[file_type & ~c.FT_ENCRYPTED]}\n"
            f"\t\ttransid {transid} data_len {data_len} name_len {name_len}\n"
            f"\t\tname: {name}\n"
        )
        if data_len:
            value = "HIDDEN" if options.hide_names else escaped(_piece(data, at, data_len))
            lines += f"\t\tdata {value}\n"
            at += data_len
    return lines


def dir_log(item: Item, _: Options) -> str:
    """The end of a range that the log knows."""
    return f"\t\tdir log end {DIR_LOG_ITEM.unpack_from(item.data).end}\n"


def extent_data(item: Item, _: Options) -> str:
    """Inline bytes by their size; or the extent, and the file's part of it."""
    data = item.data
    generation, ram_bytes, compression, encryption, _other, kind = _unpack_inline(data)
    algorithm = c.COMPRESSION_NAMES.get(compression) or f"UNKNOWN.{compression}"
    head = f"\t\tgeneration {generation} type {kind} ({c.FILE_EXTENT_TYPE_NAMES.get(kind, 'unknown')})\n"
    if kind == c.FILE_EXTENT_INLINE:
        return (
            f"{head}\t\tinline extent data size {len(data) - INLINE_EXTENT.size} ram_bytes {ram_bytes} "
            f"compression {compression} ({algorithm}) encryption {encryption}\n"
        )
    bytenr, disk_num_bytes, offset, num_bytes = _unpack_extent(data)[6:]
    if kind == c.FILE_EXTENT_PREALLOC:
        return (
            f"{head}\t\tprealloc data disk byte {bytenr} nr {disk_num_bytes}\n"
            f"\t\tprealloc data offset {offset} nr {num_bytes}\n"
        )
    return (
        f"{head}\t\textent data disk byte {bytenr} nr {disk_num_bytes}\n"
        f"\t\textent data offset {offset} nr {num_bytes} ram {ram_bytes}\n"
        f"\t\textent compression {compression} ({algorithm})\n"
        f"\t\textent encryption {encryption}\n"
    )


def fscrypt_context(item: Item, _: Options) -> str:
    """The encryption context, as bytes."""
    return f"\t\tvalue: {item.data.hex()}\n"


def _piece(data: bytes, at: int, length: int) -> bytes:
    piece = data[at : at + length]
    if len(piece) < length:
        raise CorruptError(f"{length} bytes at byte {at} of an item of {len(data)}")
    return piece
