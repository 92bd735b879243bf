"""Hostile images: trees that no driver writes, with every checksum right, made to lead a reader astray.

    image = hostile.build("twins", path, outside)      # no root needed; a sparse file
    hostile.HEALTHY                                    # what stands in each, and must come through whole

`outside` is a directory that some of them aim at: whatever is done with an image, nothing may change in it (see
`fence`). What each image says is verified with the C program's dump in compat/test_hostile.py.
"""

from __future__ import annotations

import stat
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from forge import ROOT, SECTOR, Forge, Subvolume

from pybtrfs.checksum import name_hash
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.dir import DIR_ITEM, DirItem
from pybtrfs.ondisk.file_extent import FILE_EXTENT, FileExtent
from pybtrfs.ondisk.inode import Timespec
from pybtrfs.ondisk.key import Key

MiB, GiB, TiB = 1 << 20, 1 << 30, 1 << 40
ZLIB, LZO, ZSTD = 1, 2, 3
LEVELS = 40
HEALTHY = {b"0 healthy": b"still here\n", b"healthy/inside": b"and here\n", b"~ healthy": b"the last one\n"}
"""Paths and contents of the regular files that are in each image, before and after what is wrong with it."""

Make = Callable[[Forge, bytes], None]


@dataclass(frozen=True)
class Hostile:
    """An image: what is wrong with it, how it is made, and patterns that the C program's dump of it must show."""

    about: str
    make: Make
    says: tuple[str, ...]
    label: bytes = b""


def build(name: str, path: Path, outside: Path = Path("/nowhere")) -> Path:
    """Make the image called `name` at `path`."""
    recipe = IMAGES[name]
    made = Forge(label=recipe.label)
    made.top.file(b"0 healthy", HEALTHY[b"0 healthy"])
    made.top.file(b"inside", HEALTHY[b"healthy/inside"], parent=made.top.folder(b"healthy"))
    recipe.make(made, bytes(outside))
    made.top.file(b"~ healthy", HEALTHY[b"~ healthy"])
    return made.write(path)


# -- names -------------------------------------------------------------------------------------------------

LEADING_OUT = (
    *(b"../escape", b"../../escape", b"/etc/x", b"a/b", b"..", b".", b"", b"nul\0here", b"/", b"healthy/planted"),
    *(b"../outside/planted", b"n" * 256, b"n" * 1000),
)


def names(made: Forge, outside: bytes) -> None:
    """Files, and directories with a file in them, whose names lead out of their directory."""
    wrong = made.top.folder(b"wrong")
    for name in (*LEADING_OUT, outside + b"/planted"):
        made.top.file(name, b"planted", parent=wrong)
        made.top.file(b"planted", b"planted", parent=made.top.folder(name, parent=wrong))
    made.subvolume(b"../subvolume", parent=wrong).file(b"planted", b"planted")
    made.top.symlink(b"../symlink", outside, parent=wrong)


TERMINAL = (
    *(b"[bold red]", b"[link=x]", b"[]", b":smile:", b"\x1b[31mred", b"\x1b]0;title\x07"),
    *(
        b"\x9b31m",
        b"\xc2\x9b31m",
        b"line\nfeed",
        b"carriage\rreturn",
        b"back\x08\x08space",
        b"tab\there",
        b"\x7f",
        b"\\x41",
    ),
    *(b"\xff\xfe", "\u202egnp.exe".encode(), "\u2028".encode(), b" ", b"-rf", b"--help", b"$(reboot)", b"'\"`", b"*"),
)


def terminal(made: Forge, outside: bytes) -> None:
    """Names, targets, attributes and a label that mean something to a terminal, to markup, to a shell."""
    folder = made.top.folder(b"terminal")
    for number, name in enumerate(TERMINAL):
        ino = made.top.file(name, b"%d" % number, parent=folder)
        made.top.xattr(ino, b"user." + name, name)
        made.top.symlink(b"symlink %d" % number, name, parent=folder)
    made.top.file(b"bold]", b"x", parent=made.top.folder(b"[", parent=folder))  # as a path, `[/bold]`
    made.subvolume(b"\x1b[31m[bold]", parent=folder).file(b"inside")


def xattrs(made: Forge, outside: bytes) -> None:
    """Attributes of all namespaces and none, and what the kernel's own interpretation must not meet."""
    ino = made.top.file(b"attributed", b"x", mode=0o755)
    capability = b"\x01\x00\x00\x02\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00"
    for name, value in (
        (b"security.capability", capability),
        (b"security.selinux", b"system_u:object_r:shadow_t:s0\0"),
        (b"trusted.overlay.opaque", b"y"),
        (b"system.posix_acl_access", b"\x02\0\0\0garbage"),
        (b"system.unknown", b"x"),
        (b"btrfs.compression", b"zstd"),
        (b"btrfs.unknown", b"x"),
        (b"user.", b"an empty name"),
        (b"nodot", b"x"),
        (b"", b"no name"),
        (b"user.nul\0here", b"x"),
        (b"user.a/b", b"x"),
        (b"user." + b"n" * 251, b"a name of 256 bytes"),
        (b"user.empty", b""),
        (b"user.large", b"v" * 12_000),
    ):
        made.top.xattr(ino, name, value)
    twice = DIR_ITEM.build(DirItem.xattr(8, b"user.twice", b"one")) + DIR_ITEM.build(
        DirItem.xattr(8, b"user.twice", b"two")
    )
    made.top.items[Key(ino, c.XATTR_ITEM_KEY, name_hash(b"user.twice"))] = twice


# -- where names lead ----------------------------------------------------------------------------------------


def twins(made: Forge, outside: bytes) -> None:
    """Two entries of one name, one of them a symbolic link to what is outside: in either order, in all kinds."""
    top = made.top
    for number, order in enumerate((1, -1)):
        for kind, target in (("directory", b""), ("file", b"/file"), ("new file", b"/new"), ("fifo", b"/fifo")):
            name = b"%s %d" % (kind.encode(), number)
            pair = [lambda name=name, target=target: top.symlink(name, outside + target)]
            pair.append(lambda name=name, kind=kind: _twin(made, name, kind))
            for make in pair[::order]:
                make()
    top.symlink(b"subvolume", outside)
    made.subvolume(b"subvolume").file(b"planted", b"planted")
    top.symlink(b"linked", outside + b"/linked")
    top.entry(b"linked", top.file(b"first name", b"planted"))
    for name in (b"upwards", b"upwards"):
        top.symlink(name, b"../outside")
    top.file(b"planted", b"planted", parent=top.folder(b"upwards"))


def _twin(made: Forge, name: bytes, kind: str) -> None:
    if kind == "directory":
        made.top.file(b"planted", b"planted", parent=made.top.folder(name, mode=0o1777, uid=1234))
    elif kind == "fifo":
        made.top.node(name, stat.S_IFIFO | 0o777)
    else:
        ino = made.top.file(name, b"planted", mode=0o4777, uid=1234)
        made.top.xattr(ino, b"user.planted", b"planted")


def loops(made: Forge, outside: bytes) -> None:
    """Directories that contain themselves, a directory above them, and the top."""
    top = made.top
    first = top.folder(b"first")
    second = top.folder(b"second", parent=first)
    third = top.folder(b"third", parent=second)
    for name, ino in ((b"first again", first), (b"itself", third), (b"top", ROOT)):
        top.entry(name, ino, parent=third)
    top.file(b"file", b"x", parent=third)


def doubled(made: Forge, outside: bytes) -> None:
    """Each of 40 directories hangs in the one above under two names: 2 to the 40th paths."""
    at = made.top.folder(b"level 0")
    for level in range(1, LEVELS + 1):
        below = made.top.folder(b"level %d" % level, parent=at)
        made.top.entry(b"again", below, parent=at)
        at = below
    made.top.file(b"bottom", b"x", parent=at)


def subvolume_loops(made: Forge, outside: bytes) -> None:
    """Subvolumes that contain one another and the top-level one, with forged ROOT_REFs; two reachable by no path."""
    one = made.subvolume(b"one")
    two = made.subvolume(b"two", inside=one)
    made.hang(one.id, b"one again", inside=two)
    made.hang(made.top.id, b"top", inside=two)
    two.file(b"file", b"x")
    made.hang(two.id, b"itself", inside=two)
    three = made.subvolumes[ROOT + 2] = Subvolume(ROOT + 2)
    four = made.subvolumes[ROOT + 3] = Subvolume(ROOT + 3)
    made.hang(three.id, b"three", inside=four)
    made.hang(four.id, b"four", inside=three)


def types(made: Forge, outside: bytes) -> None:
    """Entries that say another type than the inode has, lead to no inode, or to one of no type."""
    top = made.top
    folder = top.folder(b"types")
    victim = top.inode(stat.S_IFLNK | 0o777)
    top.inline(victim, outside)
    top.entry(b"a link that says directory", victim, parent=folder, kind=c.FT_DIR)
    top.entry(b"a link that says file", victim, parent=folder, kind=c.FT_REG_FILE)
    real = top.inode(stat.S_IFDIR | 0o755)
    top.entry(b"a directory that says link", real, parent=folder, kind=c.FT_SYMLINK)
    top.file(b"inside", b"x", parent=real)
    file = top.inode(stat.S_IFREG | 0o644)
    top.inline(file, b"x")
    top.entry(b"a file that says directory", file, parent=folder, kind=c.FT_DIR)
    top.entry(b"a file that says 200", file, parent=folder, kind=200)
    top.listing(b"a file that has an entry", Key(file, c.INODE_ITEM_KEY, 0), c.FT_DIR, parent=file)
    for number, mode in enumerate((0, 0o170000, 0o644, 0xFFFFFFFF, 0o030644)):
        ino = top.inode(stat.S_IFREG)
        top.entry(b"mode %d" % number, ino, parent=folder)
        top.change(ino, mode=mode)
    top.listing(b"nowhere", Key(999_999, c.INODE_ITEM_KEY, 0), c.FT_REG_FILE, parent=folder)
    top.listing(b"no subvolume", Key(999_999, c.ROOT_ITEM_KEY, c.U64_MAX), c.FT_DIR, parent=folder)
    top.listing(b"a tree", Key(c.EXTENT_TREE_OBJECTID, c.ROOT_ITEM_KEY, c.U64_MAX), c.FT_DIR, parent=folder)
    top.listing(b"an extent", Key(file, c.EXTENT_DATA_KEY, 0), c.FT_REG_FILE, parent=folder)
    top.listing(b"the greatest", Key(c.U64_MAX, c.INODE_ITEM_KEY, c.U64_MAX), c.FT_REG_FILE, parent=folder)
    made.hang(999_998, b"missing subvolume", inside=top, parent=folder)
    made.hang(c.EXTENT_TREE_OBJECTID, b"extent tree", inside=top, parent=folder)
    del made.root_items[Key(c.EXTENT_TREE_OBJECTID, c.ROOT_BACKREF_KEY, top.id)]  # even the C dump would refuse it


def specials(made: Forge, outside: bytes) -> None:
    """Device nodes, setuid and setgid files, sockets, and owners and numbers that mean something to system calls."""
    top = made.top
    folder = top.folder(b"specials", mode=0o6777)
    top.node(b"mem", stat.S_IFCHR | 0o666, 1 << 20 | 1, parent=folder)
    top.node(b"disk", stat.S_IFBLK | 0o666, 8 << 20, parent=folder)
    top.node(b"greatest", stat.S_IFBLK | 0o666, c.U64_MAX, parent=folder)
    top.node(b"whiteout", stat.S_IFCHR | 0o666, 0, parent=folder)
    top.node(b"socket", stat.S_IFSOCK | 0o777, parent=folder)
    top.node(b"fifo", stat.S_IFIFO | 0o777, parent=folder)
    top.file(b"setuid", b"#!/bin/sh\n", mode=0o4755, parent=folder)
    top.file(b"setgid", b"#!/bin/sh\n", mode=0o2755, gid=0, parent=folder)
    top.file(b"nobody", b"x", uid=0xFFFFFFFF, gid=0xFFFFFFFF, parent=folder)
    immutable = top.file(b"immutable", b"x", flags=c.U64_MAX & ~1, parent=folder)
    top.entry(b"linked", immutable, parent=folder)


def inodes(made: Forge, outside: bytes) -> None:
    """Times, counts and sizes at the ends of their ranges, and symbolic links that are none."""
    top = made.top
    folder = top.folder(b"inodes")
    for number, (sec, nsec) in enumerate(
        (
            (2**63 - 1, 999_999_999),
            (-(2**63), 0),
            (0, 2**32 - 1),
            (10**12, 1_000_000_000),
            (2**34, 0),
            (-(2**31) - 1, 1),
        )
    ):
        moment = Timespec(sec, nsec)
        times = dict.fromkeys(("atime", "mtime", "ctime", "otime"), moment)
        top.file(b"time %d" % number, b"x", parent=folder, **times)
        top.folder(b"directory of time %d" % number, parent=folder, **times)
    for number, nlink in enumerate((0, 2, 0xFFFFFFFF)):
        top.change(top.file(b"nlink %d" % number, b"x", parent=folder), nlink=nlink, nbytes=c.U64_MAX)
    top.change(top.folder(b"large", parent=folder), size=c.U64_MAX)
    for name, target in ((b"no target", b""), (b"nul", b"a\0b"), (b"long", b"x" * 12_000), (b"itself", b"itself")):
        top.symlink(name, target, parent=folder)
    top.change(top.symlink(b"size of 2^40", b"x", parent=folder), size=TiB)
    top.change(top.symlink(b"size of 0", b"x", parent=folder), size=0)
    top.entry(b"no extent", top.inode(stat.S_IFLNK | 0o777, size=5), parent=folder)
    sparse = top.entry(b"all hole", top.inode(stat.S_IFLNK | 0o777, size=SECTOR), parent=folder)
    top.extent(sparse, 0, 0, 0, num_bytes=SECTOR, ram_bytes=SECTOR)


# -- what files say that is in them ----------------------------------------------------------------------------


def sizes(made: Forge, outside: bytes) -> None:
    """Files of eight exbibytes with one extent, at the beginning, in the middle and at the end."""
    at = made.data(b"data" * 1024)
    for name, offset, size in (
        (b"2^63-1", 0, c.S64_MAX),
        (b"2^63-1, in the middle", 2**62, c.S64_MAX),
        (b"2^63-1, at the end", 2**63 - SECTOR, c.S64_MAX),
        (b"2^63", 0, 2**63),
        (b"2^64-1", 0, c.U64_MAX),
        (b"2^64-1, at the end", 2**64 - SECTOR, c.U64_MAX),
    ):
        ino = made.top.file(name)
        made.top.extent(ino, offset, at, SECTOR)
        made.top.change(ino, size=size)
    for name, size in ((b"inline of 2^63-1", c.S64_MAX), (b"inline of 10", 10)):
        made.top.change(made.top.file(name, b"x" * 100), size=size)


def bombs(made: Forge, outside: bytes) -> None:
    """Compressed extents that inflate to far more than they say, or say far more than they hold."""
    zeros = zlib.compress(bytes(8 * SECTOR))
    _compressed(made, b"ram_bytes of 2^40", ZLIB, zeros, ram_bytes=TiB, num_bytes=8 * SECTOR)
    _compressed(made, b"num_bytes of 2^40", ZLIB, zeros, ram_bytes=TiB, num_bytes=TiB)
    _compressed(made, b"ram_bytes of 2^63", ZLIB, zeros, ram_bytes=2**63, num_bytes=SECTOR, offset=2**62)
    _compressed(made, b"zlib past ram_bytes", ZLIB, zlib_of_zeros(100 * MiB))
    _compressed(made, b"zlib of 300 KiB on disk", ZLIB, zlib_of_zeros(300 * MiB))
    _compressed(made, b"zstd past ram_bytes", ZSTD, zstd_of_zeros(8192))
    _compressed(made, b"zstd that says so", ZSTD, zstd_of_zeros(8192, says=GiB))
    _compressed(made, b"zstd that says 2^60", ZSTD, zstd_of_zeros(1, says=2**60))
    _compressed(made, b"zstd with a window of 2^41", ZSTD, zstd_of_zeros(8, window=0xF8))
    _compressed(made, b"lzo past its sector", LZO, lzo_of_one_byte(120_000))
    _compressed(made, b"lzo that says 2^32-1", LZO, b"\xff\xff\xff\xff" + lzo_of_one_byte(4000)[4:])
    _compressed(made, b"compression 4", 4, zeros)
    for name, method, stored in (
        (b"inline zlib", ZLIB, zlib.compress(bytes(2 * MiB), 9)),
        (b"inline zstd", ZSTD, zstd_of_zeros(800)),
        (b"inline lzo", LZO, lzo_of_one_byte(4000)),
    ):
        for size in (SECTOR // 2, TiB):
            ino = made.top.file(name + b" of %d" % size)
            made.top.inline(ino, stored, ram_bytes=size, compression=method)


def _compressed(made: Forge, name: bytes, method: int, stored: bytes, **fields: int) -> None:
    at = made.data(stored)
    length = len(made.extents[-1].content)
    made.top.extent(made.top.file(name), 0, at, length, **{"ram_bytes": 128 * 1024, "compression": method, **fields})


@cache
def zlib_of_zeros(size: int) -> bytes:
    return zlib.compress(bytes(size))


def zstd_of_zeros(blocks: int, *, window: int = 0x38, says: int | None = None) -> bytes:
    """A zstd frame of so many blocks, each 128 KiB in 4 bytes: the format's run-length blocks (RFC 8878, 3.1.1.2)."""
    run = 128 * 1024 << 3 | 1 << 1
    header = bytes([0, window]) if says is None else bytes([0xC0, window]) + says.to_bytes(8, "little")
    body = b"".join((run | (number == blocks - 1)).to_bytes(3, "little") + b"\0" for number in range(blocks))
    return b"\x28\xb5\x2f\xfd" + header + body


def lzo_of_one_byte(size: int) -> bytes:
    """The kernel's framing around one lzo1x segment of `size` bytes that says 'as before' again and again."""
    segment = b"\x15x123" + b"\x20" + bytes(size - 30) + b"\x01" + b"\x0c\x00" + b"\x11\x00\x00"
    return (8 + len(segment)).to_bytes(4, "little") + len(segment).to_bytes(4, "little") + segment


def extents(made: Forge, outside: bytes) -> None:
    """File extents that overlap, are not aligned, lead to metadata or to no chunk, or are cut short."""
    top = made.top
    at = made.data(b"data" * 8192)
    overlapping = top.file(b"overlapping")
    top.extent(overlapping, 0, at, 8 * SECTOR)
    top.extent(overlapping, SECTOR, at, 8 * SECTOR)
    metadata = next(group.start for group in made.spec.groups if group.flags & c.BLOCK_GROUP_METADATA)
    for name, bytenr, length in (
        (b"of metadata", metadata, SECTOR),
        (b"of no chunk", 2**50, SECTOR),
        (b"at the end of all", c.U64_MAX - SECTOR + 1, SECTOR),
        (b"of 2^62", at, 2**62),
        (b"not aligned", at + 7, SECTOR),
        (b"of 7 bytes", at, 7),
        (b"of a sector without checksum", made.data(b"data" * 1024, summed=False), SECTOR),
    ):
        top.extent(top.file(name), 0, bytenr, length)
    plain = FileExtent(8, SECTOR, 0, 0, 0, c.FILE_EXTENT_REG, at, SECTOR, 0, SECTOR)
    for name, value in (
        (b"offset past its end", plain._replace(offset=2**40)),
        (b"no bytes", plain._replace(num_bytes=0)),
        (b"type 9", plain._replace(type=9)),
        (b"encrypted", plain._replace(encryption=1)),
        (b"encoded", plain._replace(other_encoding=7)),
    ):
        top.items[Key(top.file(name, size=SECTOR), c.EXTENT_DATA_KEY, 0)] = FILE_EXTENT.build(value)
    for length in (0, 10, 30, 52):
        short = FILE_EXTENT.build(plain)[:length]
        top.items[Key(top.file(b"cut to %d" % length, size=SECTOR), c.EXTENT_DATA_KEY, 0)] = short
    late = top.file(b"inline at 4096", size=5000)
    top.extent(late, 0, at, SECTOR)
    top.inline(late, b"x" * 100)
    top._listed[-1] = (Key(late, c.EXTENT_DATA_KEY, SECTOR), top._listed[-1][1])
    top.change(late, size=SECTOR + 100)


IMAGES: dict[str, Hostile] = {
    "names": Hostile(
        "names that lead out of their directory",
        names,
        (*(rf"name: {name}$" for name in (r"\.\./escape", "/etc/x", "a/b", r"\.\.", r"\.", "")), "namelen 8 name: nul"),
    ),
    "terminal": Hostile(
        "names that mean something to a terminal",
        terminal,
        (r"name: bold\]$", "name \x1b\\[31m\\[bold\\]$", r"name: \$\(reboot\)$"),
        label=b"\x1b]0;owned\x07[/bold]",
    ),
    "xattrs": Hostile(
        "attributes of odd namespaces",
        xattrs,
        (*(rf"name: {name}$" for name in (r"security\.capability", "nodot", r"user\.twice(?s:.)*name: user\.twice")),),
    ),
    "twins": Hostile(
        "two entries of one name, one a link to outside",
        twins,
        tuple(rf"name: {kind}\\ [01]$(?s:.)*name: {kind}\\ [01]$" for kind in ("directory", "file", r"new\\ file")),
    ),
    "loops": Hostile(
        "directories that contain themselves",
        loops,
        tuple(
            rf"\(262 DIR_INDEX {index}\) .*\n\s+location key \({ino} " for index, ino in ((2, 260), (3, 262), (4, 256))
        ),
    ),
    "doubled": Hostile(
        "a directory that hangs in two places, 40 levels deep",
        doubled,
        (rf"\(\d+ INODE_REF \d+\)(?s:.)*name: level\\ {LEVELS}$", r"name: again$"),
    ),
    "subvolume-loops": Hostile(
        "subvolumes that contain one another",
        subvolume_loops,
        (r"\(257 ROOT_REF 256\)", r"\(257 ROOT_REF 5\)", r"\(258 ROOT_REF 259\)", r"\(259 ROOT_REF 258\)"),
    ),
    "types": Hostile(
        "entries and inodes that disagree",
        types,
        (r"location key \(999999 INODE_ITEM 0\)", r"location key \(999999 ROOT_ITEM ", r"mode 37777777777 "),
    ),
    "specials": Hostile(
        "device nodes, setuid files", specials, (r"mode 104755 ", r"mode 102755 ", r"mode 20666 ", r"mode 60666 ")
    ),
    "inodes": Hostile(
        "times, counts and sizes at the ends of their ranges",
        inodes,
        (
            r"size 1099511627776 ",
            r"size 18446744073709551615 ",
            r"mtime 9223372036854775807\.999999999",
            "links 4294967295 ",
        ),
    ),
    "sizes": Hostile(
        "files of eight exbibytes", sizes, (r"size 9223372036854775807 ", r"EXTENT_DATA 9223372036854771712\)")
    ),
    "bombs": Hostile(
        "streams that inflate past ram_bytes",
        bombs,
        (r"ram 1099511627776$", r"extent compression 3 ", r"inline extent data size \d+ ram_bytes 1099511627776 comp"),
    ),
    "extents": Hostile(
        "file extents that cannot be",
        extents,
        (r"extent data disk byte 1125899906842624 ", r"key \(\d+ EXTENT_DATA 0\) itemoff \d+ itemsize 10$"),
    ),
}
