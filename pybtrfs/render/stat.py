"""What `stat` prints of a file: coreutils' text and directives, and what btrfs knows beyond them."""

import re
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pybtrfs.fs.extents import Tally
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.inode import InodeItem, Timespec
from pybtrfs.render.files import BLOCK, Node, is_device
from pybtrfs.render.times import full_time
from pybtrfs.render.values import joined_flags

Escape = Callable[[bytes], str]


class Subject(NamedTuple):
    """A file whose inode can be read, and what `stat` says of it."""

    node: Node
    inode: InodeItem
    image: str
    sectorsize: int
    tally: Tally | None  # of a regular file
    xattrs: tuple[tuple[bytes, bytes], ...]
    escape: Escape


def stat_lines(subject: Subject) -> Iterator[str]:
    """coreutils' lines, with the subvolume where they have the device, and what else btrfs knows."""
    inode = subject.inode
    device = "     Device type: %t,%T" if is_device(inode.mode) else ""
    links = "%-5h" if device else "%h"
    for line in (
        "  File: %n%l",
        "  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F",
        f"Subvolume: %d\tInode: %-10i  Links: {links}{device}",
        "Access: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)",
        "Access: %x",
        "Modify: %y",
        "Change: %z",
        " Birth: %w",
    ):
        yield formatted(line, subject)
    yield f"Generation: {inode.generation}\tChanged in: {inode.transid}\tFlags: {_flags(inode)}"
    if subject.tally is not None:
        yield f"Extents: {_extents(subject.tally)}"
    for name, value in subject.xattrs:
        yield f"Attribute: {subject.escape(name)}={_value(value, subject.escape)}"


def formatted(text: str, subject: Subject) -> str:
    """`text` with the directives of coreutils' stat filled in; an unknown one stands for `?`."""
    return _DIRECTIVE.sub(lambda found: _filled(found, subject), text)


def unescaped(text: str) -> str:
    r"""What `--printf` makes of \n, \t, \\ and octal and hexadecimal numbers."""
    return _ESCAPE.sub(_character, text)


def kind_text(inode: InodeItem) -> str:
    """The type of a file in words."""
    kind = _KINDS.get(stat.S_IFMT(inode.mode), "weird file")
    return "regular empty file" if stat.S_ISREG(inode.mode) and not inode.size else kind


_KINDS = {
    stat.S_IFREG: "regular file",
    stat.S_IFDIR: "directory",
    stat.S_IFCHR: "character special file",
    stat.S_IFBLK: "block special file",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFLNK: "symbolic link",
}
_DIRECTIVE = re.compile(
    r"%(?P<flags>['\-+ #0]*)(?P<width>\d{0,4})(?:\.(?P<precision>\d{0,4}))?(?P<half>[HL]?)(?P<letter>[a-zA-Z%])"
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_LETTERS = {"a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _character(found: re.Match[str]) -> str:
    hexadecimal, octal, letter = found.groups()
    if letter is not None:
        return _LETTERS.get(letter, letter)
    return chr(int(hexadecimal, 16) if hexadecimal else int(octal, 8) & 0xFF)


def _filled(found: re.Match[str], subject: Subject) -> str:
    letter, precision = found["half"] + found["letter"], found["precision"]
    if letter == "%":
        return "%"
    if letter in _SECONDS:
        value = _seconds(_SECONDS[letter](subject.inode), precision)
    else:
        value = str(_VALUES[letter](subject)) if letter in _VALUES else "?"
        value = value[: int(precision)] if precision else value
    flags, width = found["flags"], int(found["width"] or 0)
    if "#" in flags:
        value = {"a": "0", "f": "0x", "D": "0x", "t": "0x", "T": "0x"}.get(letter, "") + value
    if "-" in flags:
        return value.ljust(width)
    return value.rjust(width, "0" if "0" in flags and letter not in _TEXTS else " ")


def _seconds(at: Timespec, precision: str | None) -> str:
    if precision is None:
        return str(at.sec)
    digits = int(precision) if precision else 9
    if not digits:
        return str(at.sec)
    return f"{at.sec}.{f'{at.nsec:09}'[:digits].ljust(digits, '0')}"


def _quoted(subject: Subject) -> str:
    node, escape = subject.node, subject.escape
    return " -> ".join(f"'{escape(name)}'" for name in (node.name, node.target) if name is not None)


def _arrow(subject: Subject) -> str:
    target = subject.node.target
    return "" if target is None else f" -> {subject.escape(target)}"


def _major(subject: Subject) -> int:
    return subject.inode.device_numbers[0] if is_device(subject.inode.mode) else 0


def _minor(subject: Subject) -> int:
    return subject.inode.device_numbers[1] if is_device(subject.inode.mode) else 0


_VALUES: dict[str, Callable[[Subject], str | int]] = {
    "a": lambda s: f"{stat.S_IMODE(s.inode.mode):o}",
    "A": lambda s: stat.filemode(s.inode.mode),
    "b": lambda s: s.node.blocks,
    "B": lambda s: BLOCK,
    "C": lambda s: next(
        (s.escape(value.rstrip(b"\0")) for name, value in s.xattrs if name == b"security.selinux"), "?"
    ),
    "d": lambda s: s.node.place.subvolume_id,
    "D": lambda s: f"{s.node.place.subvolume_id:x}",
    "f": lambda s: f"{s.inode.mode:x}",
    "F": lambda s: kind_text(s.inode),
    "g": lambda s: s.inode.gid,
    "G": lambda s: s.inode.gid if s.node.group is None else s.node.group,
    "h": lambda s: s.inode.nlink,
    "i": lambda s: s.node.place.ino,
    "l": _arrow,
    "m": lambda s: s.escape(s.image.encode(errors="surrogateescape")),
    "n": lambda s: s.escape(s.node.name),
    "N": _quoted,
    "o": lambda s: s.sectorsize,
    "s": lambda s: s.inode.size,
    "r": lambda s: _major(s) << 8 | _minor(s) & 0xFF | _minor(s) >> 8 << 20,
    "R": lambda s: f"{_major(s) << 8 | _minor(s) & 0xFF | _minor(s) >> 8 << 20:x}",
    "Hr": _major,
    "Lr": _minor,
    "t": lambda s: f"{_major(s):x}",
    "T": lambda s: f"{_minor(s):x}",
    "u": lambda s: s.inode.uid,
    "U": lambda s: s.inode.uid if s.node.user is None else s.node.user,
    "w": lambda s: full_time(s.inode.otime),
    "x": lambda s: full_time(s.inode.atime),
    "y": lambda s: full_time(s.inode.mtime),
    "z": lambda s: full_time(s.inode.ctime),
}
"""Each directive but those of _SECONDS; `%l` is ours: the arrow and the target of a link."""
_TEXTS = "ACFGmnNUwxyzl"
_SECONDS: dict[str, Callable[[InodeItem], Timespec]] = {
    "W": lambda inode: inode.otime,
    "X": lambda inode: inode.atime,
    "Y": lambda inode: inode.mtime,
    "Z": lambda inode: inode.ctime,
}


def _flags(inode: InodeItem) -> str:
    return joined_flags(inode.flags, c.INODE_FLAG_NAMES) or "-"


def _extents(tally: Tally) -> str:
    parts = [
        f"{count} {word}" for word, count in zip(tally._fields, tally, strict=True) if count and word != "compressed"
    ]
    parts += [f"{count} {c.COMPRESSION_NAMES[number]}" for number, count in sorted(tally.compressed.items())]
    return ", ".join(parts) or "none"


_MOST_OF_A_VALUE = 256


def _value(value: bytes, escape: Escape) -> str:
    """Text in quotes, all else in hexadecimal, as getfattr has it; the beginning of a long one."""
    more = f" ... ({len(value)} bytes)" if len(value) > _MOST_OF_A_VALUE else ""
    value = value[:_MOST_OF_A_VALUE]
    if value.decode(errors="surrogateescape").isprintable():
        return f'"{escape(value)}"{more}'
    return f"0x{value.hex()}{more}"
