"""The headers of a tar archive in the PAX form (POSIX.1-2001): bytes for a member, without I/O.

What the old header has no room for stands in records before it: long names, large numbers, nanoseconds, extended
attributes. The standard library's tarfile writes such headers, too, but takes five times as long, knows values only
as text, and does not write sparse files.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

BLOCK = 512
RECORD = 20 * BLOCK
"""An archive ends with zeros, up to a whole number of these."""

FILE, LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO, _EXTENDED = (b"%c" % byte for byte in b"0123456x")

_NAME, _SHORT, _LONG = 100, 8**7, 8**11  # bytes of a name; what numbers of 7 and 11 octal digits stay below
_SECOND = 10**9
_NO_CHECKSUM = b" " * 8
_MAGIC = b"ustar\x0000" + bytes(64)  # with the names of user and group, which the image does not know


class Member(NamedTuple):
    """A file in an archive. `size` is of what follows the header; times are nanoseconds since 1970."""

    kind: bytes
    name: bytes
    mode: int
    uid: int
    gid: int
    mtime: int
    size: int = 0
    target: bytes = b""  # of a hard or symbolic link
    device: tuple[int, int] = (0, 0)
    records: Sequence[tuple[bytes, bytes]] = ()  # more of them
    real_name: bytes = b""  # of a sparse file: what stands for `name` in the records


def header(member: Member) -> bytes:
    """All that stands before the content of a member."""
    records = b"".join(record(key, value) for key, value in (*_needed(member), *member.records))
    seconds = member.mtime // _SECOND
    plain = _block(
        member.name,
        (member.mode & 0o7777, _fit(member.uid, _SHORT), _fit(member.gid, _SHORT)),
        (_fit(member.size, _LONG), _fit(seconds, _LONG)),
        member.kind,
        member.target,
        member.device,
    )
    if not records:
        return plain
    name = b"PaxHeaders/" + member.name.rstrip(b"/").rpartition(b"/")[2][:80]
    extended = _block(name, (0o644, 0, 0), (len(records), 0), _EXTENDED, b"", (0, 0))
    return extended + padded(records) + plain


def record(key: bytes, value: bytes) -> bytes:
    """One record: it begins with its own length, in decimal digits that count, too."""
    size = len(key) + len(value) + 3
    digits = len(str(size))
    digits = len(str(size + digits))
    return b"%d %b=%b\n" % (size + digits, key, value)


def padded(data: bytes) -> bytes:
    """With zeros up to a whole number of blocks."""
    return data + bytes(-len(data) % BLOCK)


def xattr_records(xattrs: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Records of extended attributes, as star and GNU tar have them; ACLs also as text, for tar --acls."""
    for name, value in xattrs:
        encoded = name.replace(b"%", b"%25").replace(b"=", b"%3D")
        yield b"SCHILY.xattr." + encoded, value
        acl = _ACLS.get(name)
        text = None if acl is None else acl_text(value)
        if acl is not None and text is not None:
            yield acl, text


def sparse_records(name: bytes, size: int) -> Iterator[tuple[bytes, bytes]]:
    """What says that a member is a sparse file in the form 1.0 of GNU tar, whose content begins with a map."""
    yield b"GNU.sparse.major", b"1"
    yield b"GNU.sparse.minor", b"0"
    yield b"GNU.sparse.name", name
    yield b"GNU.sparse.realsize", b"%d" % size


def acl_text(value: bytes) -> bytes | None:
    """A POSIX ACL as an extended attribute holds it (`posix_acl_xattr_header`), as text; None where it is none."""
    if len(value) < 4 or (len(value) - 4) % 8 or value[:4] != b"\2\0\0\0":
        return None
    entries = []
    for at in range(4, len(value), 8):
        tag, permissions, number = (
            int.from_bytes(value[first:end], "little")
            for first, end in ((at, at + 2), (at + 2, at + 4), (at + 4, at + 8))
        )
        if tag not in _TAGS or permissions > 7:
            return None
        name, has_number = _TAGS[tag]
        letters = "".join(letter if permissions & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
        entries.append(f"{name}:{number if has_number else ''}:{letters}")
    return ",".join(entries).encode()


_ACLS = {
    b"system.posix_acl_access": b"SCHILY.acl.access",
    b"system.posix_acl_default": b"SCHILY.acl.default",
}
_TAGS = {
    1: ("user", False),
    2: ("user", True),
    4: ("group", False),
    8: ("group", True),
    16: ("mask", False),
    32: ("other", False),
}


def _needed(member: Member) -> Iterator[tuple[bytes, bytes]]:
    """The records for what the old header cannot say."""
    names = [] if member.real_name else [(b"path", member.name)]
    names.append((b"linkpath", member.target))
    said = [(key, name) for key, name in names if len(name) > _NAME or not name.isascii()]
    if not all(map(_is_utf8, (member.real_name, *(name for _, name in said)))):
        yield b"hdrcharset", b"BINARY"
    yield from said
    for key, value, limit in (
        (b"uid", member.uid, _SHORT),
        (b"gid", member.gid, _SHORT),
        (b"size", member.size, _LONG),
    ):
        if value >= limit:
            yield key, b"%d" % value
    seconds, rest = divmod(member.mtime, _SECOND)
    if rest or not 0 <= seconds < _LONG:
        sign, (seconds, rest) = "-" if member.mtime < 0 else "", divmod(abs(member.mtime), _SECOND)
        yield b"mtime", f"{sign}{seconds}.{rest:09}".encode()


def _block(
    name: bytes,
    small: tuple[int, int, int],
    large: tuple[int, int],
    kind: bytes,
    target: bytes,
    device: tuple[int, int],
) -> bytes:
    """One header of 512 bytes; names are cut where a record has them whole."""
    first = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (name[:_NAME].ljust(_NAME, b"\0"), *small, *large)
    last = b"%b%b%b%07o\0%07o\0" % (kind, target[:_NAME].ljust(_NAME, b"\0"), _MAGIC, *device)
    last = last.ljust(BLOCK - len(first) - len(_NO_CHECKSUM), b"\0")
    return b"%b%06o\0 %b" % (first, sum(first) + sum(_NO_CHECKSUM) + sum(last), last)


def _fit(value: int, limit: int) -> int:
    return value if 0 <= value < limit else 0


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
