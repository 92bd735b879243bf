"""The zoo: small images that the kernel itself filled, one for each corner of the format.

    zoo.build("reflinks", path)       # needs root; seconds; a sparse file

A recipe is a row of `RECIPES`: how `mkfs.btrfs` is called, how the kernel mounts, what is done at the mount
point. `fill(top, image)` is mostly a plain function. Where it is a generator the image is *mid-flight*: each
`yield` is a moment at which the image is copied as a power cut would leave it, and the last copy is the
result: a waiting log, an orphan, a balance at work. `after(image)` then works on the unmounted image.
What each image must contain, item type by item type, is in compat/test_zoo.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import random
import re
import socket
import stat
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import judge

KiB, MiB = 1 << 10, 1 << 20
OLD = "-O ^no-holes,^extref,^skinny-metadata,^free-space-tree,^block-group-tree"
COLLIDING = ("hngminivn", "tahuwmvdy", "xdxrohsij")  # one crc32c; being of one length, under any seed or prefix

Fill = Callable[[Path, Path], Iterator[None] | None]


@dataclass(frozen=True)
class Recipe:
    """How an image comes to be, and why it is worth having."""

    about: str
    fill: Fill
    mkfs: str = ""
    mount: str = ""
    size: int = 256 * MiB
    after: Callable[[Path], None] | None = None
    midflight: bool = False  # copied while mounted: sound only after the kernel has mounted it


class MissedError(Exception):
    """The moment to be caught had passed."""


def build(name: str, path: Path) -> None:
    """Make the image called `name` at `path`; nothing is left at `path` if that fails."""
    for patience in reversed(range(20)):
        try:
            return _build(RECIPES[name], path)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if not (isinstance(error, MissedError) and patience):
                raise
    return None


def _build(recipe: Recipe, path: Path) -> None:
    work = path.with_name(f"{path.name}.making")
    try:
        judge.mkfs(work, recipe.size, *recipe.mkfs.split())
        with judge.mounted(work, recipe.mount) as top:
            for _ in recipe.fill(top, work) or ():
                copy(work, path)
        if recipe.after:
            recipe.after(work)
        if not recipe.midflight:
            copy(work, path)
    finally:
        work.unlink(missing_ok=True)


def copy(image: Path, to: Path) -> Path:
    """A writable, sparse copy."""
    judge.run("cp", "--sparse=always", image, to)
    to.chmod(0o644)
    return to


# -- content -----------------------------------------------------------------------------------------


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that no compressor makes smaller."""
    return random.Random(seed).randbytes(size)


def text(size: int, seed: int = 0) -> bytes:
    """Words, which compress about as well as source code does."""
    rng = random.Random(seed)
    words = [rng.randbytes(rng.randrange(2, 9)).hex().encode() for _ in range(200)]
    return b" ".join(rng.choices(words, k=size // 5))[:size]


def write(path: Path, content: bytes, at: int = 0) -> None:
    """Write into a file that may exist, at an offset; all around it stays."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.pwrite(fd, content, at)
    os.close(fd)


def fsync(*paths: Path) -> None:
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def commit(top: Path) -> None:
    judge.btrfs("filesystem", "sync", top)


def subvolume(*words: str | Path) -> None:
    judge.btrfs("subvolume", *words)


def clone(source: Path, to: Path, length: int = 0, source_offset: int = 0, offset: int = 0) -> None:
    """Reflink a range (length 0: to the end) into a file that may exist."""
    ficlonerange = 0x4020940D
    to.touch()
    with source.open("rb") as file, to.open("r+b") as target:
        fcntl.ioctl(target, ficlonerange, struct.pack("=qQQQ", file.fileno(), source_offset, length, offset))


def fallocate(path: Path, way: str, offset: int, length: int) -> None:
    """way: an option of fallocate(1), such as --punch-hole, --keep-size."""
    judge.run("fallocate", way, "--offset", str(offset), "--length", str(length), path)


def many(folder: Path, count: int, size: int = 0) -> None:
    """A folder of `count` files with names of many lengths."""
    folder.mkdir(exist_ok=True)
    for i in range(count):
        (folder / f"{i:05}-{'x' * (i % 90)}").write_bytes(noise(size, i) if size else b"")


# -- fills: the plain ones -----------------------------------------------------------------------------


def assorted(top: Path, image: Path) -> None:
    """A little of everything; most features are only another way to write down the same files."""
    (top / "empty").touch()
    (top / "inline").write_bytes(noise(100))
    (top / "inline words").write_bytes(text(1800))
    (top / "one block").write_bytes(noise(4 * KiB))
    (top / "large").write_bytes(noise(3 * MiB))
    (top / "words").write_bytes(text(600 * KiB))
    (top / "gone").write_bytes(text(100 * KiB))
    write(top / "sparse", noise(10 * KiB), at=1 * MiB)
    write(top / "sparse", noise(5000), at=9 * MiB + 100)
    os.truncate(top / "sparse", 20 * MiB)
    (top / "symlink").symlink_to("inline")
    os.link(top / "inline", top / "hard link")
    os.setxattr(top / "inline", "user.colour", b"blue")
    subvolume("create", top / "subvolume")
    many(top / "subvolume" / "many", 500, size=70)
    commit(top)
    write(top / "large", noise(300 * KiB, 1), at=1 * MiB + 5)
    (top / "gone").unlink()


def compressed(top: Path, image: Path) -> None:
    """Three algorithms; inline and not; with bytes that resist; ends that are no multiple of a block."""
    for method in ("zlib", "lzo", "zstd"):
        folder = top / method
        folder.mkdir()
        judge.btrfs("property", "set", folder, "compression", method)
        (folder / "inline").write_bytes(text(1500))
        (folder / "words").write_bytes(text(700 * KiB + 123))
        (folder / "zeros").write_bytes(bytes(300 * KiB))
        (folder / "mixed").write_bytes(text(200 * KiB) + noise(200 * KiB) + text(100 * KiB))
        (folder / "holes").write_bytes(text(128 * KiB))
        commit(top)
        write(folder / "words", text(9000, 1), at=150_000)
        fallocate(folder / "holes", "--punch-hole", 20 * KiB, 40 * KiB)
        clone(folder / "words", folder / "clone", 64 * KiB, 32 * KiB, 16 * KiB)


def snapshots(top: Path, image: Path) -> None:
    """Subvolumes in subvolumes; blocks that are shared by several trees, and changed in their first owner."""
    subvolume("create", top / "work")
    subvolume("create", top / "work" / "inner")
    many(top / "work" / "many", 1200, size=60)
    (top / "work" / "large").write_bytes(noise(2 * MiB))
    subvolume("snapshot", "-r", top / "work", top / "read-only")
    subvolume("snapshot", top / "work", top / "writable")
    for i, path in enumerate(sorted((top / "work" / "many").iterdir())):
        if i % 40 == 0:
            path.write_bytes(noise(50, 1))
    write(top / "work" / "large", noise(64 * KiB, 2), at=1 * MiB)
    write(top / "writable" / "large", noise(64 * KiB, 3), at=1 * MiB + 32 * KiB)
    subvolume("snapshot", top / "writable", top / "work" / "inner" / "snapshot of a snapshot")
    subvolume("snapshot", "-r", top / "writable", top / "short-lived")
    subvolume("delete", "-c", top / "short-lived")
    judge.btrfs("subvolume", "sync", top)


def crowded(top: Path, image: Path) -> None:
    """So many snapshots that the references of one block outgrow its extent item."""
    subvolume("create", top / "work")
    many(top / "work" / "many", 1100)
    (top / "snapshots").mkdir()
    for i in range(130):
        subvolume("snapshot", top / "work", top / "snapshots" / f"{i}")
    for i in range(125):
        (top / "snapshots" / f"{i}" / "many").touch()
    commit(top)
    (top / "work" / "many").touch()


def reflinks(top: Path, image: Path) -> None:
    """One extent in hundreds of files, in two subvolumes."""
    subvolume("create", top / "work")
    source = top / "work" / "source"
    source.write_bytes(noise(256 * KiB))
    (top / "work" / "clones").mkdir()
    for i in range(300):
        clone(source, top / "work" / "clones" / f"{i}", 16 * KiB, (i % 64) * 4 * KiB % (240 * KiB))
    for i in range(60):
        clone(source, top / "work" / "patchwork", 4 * KiB, (i * 7 % 64) * 4 * KiB, i * 4 * KiB)
    subvolume("snapshot", top / "work", top / "snapshot")
    for i in range(0, 300, 3):
        clone(source, top / "work" / "clones" / f"{i}", 4 * KiB, 8 * KiB, 4 * KiB)
    write(source, noise(8 * KiB, 1), at=64 * KiB)  # the extent's middle has only the clones now


def quotas(top: Path, image: Path) -> None:
    judge.btrfs("quota", "enable", top)
    grouped(top)


def simple_quotas(top: Path, image: Path) -> None:
    grouped(top)


def grouped(top: Path) -> None:
    """Two subvolumes under one qgroup with limits of both kinds."""
    judge.btrfs("qgroup", "create", "1/100", top)
    for name in ("one", "two"):
        subvolume("create", top / name)
        (top / name / "file").write_bytes(noise(300 * KiB))
        number = judge.btrfs("inspect-internal", "rootid", top / name).strip()
        judge.btrfs("qgroup", "assign", "--no-rescan", f"0/{number}", "1/100", top)
    subvolume("snapshot", top / "one", top / "three")
    judge.btrfs("qgroup", "limit", "100M", "1/100", top)
    judge.btrfs("qgroup", "limit", "-e", "50M", top / "one")
    commit(top)
    judge.run("btrfs", "quota", "rescan", "-w", top, check=False)  # simple quotas have none


def hard_links(top: Path, image: Path) -> None:
    """More names than fit into one INODE_REF; names that share a hash, in every item that hashes a name."""
    (top / "file").write_bytes(noise(100))
    for i in range(150):
        os.link(top / "file", top / f"{i:03}{'n' * 230}")
    for name in COLLIDING:
        os.link(top / "file", top / name)
        os.setxattr(top / "file", f"user.{name}", name.encode())
    (top / "folder").mkdir()
    for i in range(40):
        os.link(top / "file", top / "folder" / f"link {i}")
    for name in COLLIDING[:2]:
        (top / "folder" / name).mkdir()


def kinds(top: Path, image: Path, large: int = 15_000) -> None:
    """Every kind of inode, every kind of name, owners, modes, times, flags, xattrs and ACLs."""
    os.mkfifo(top / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(top / "socket"))
    os.mknod(top / "character", stat.S_IFCHR | 0o620, os.makedev(4, 64))
    os.mknod(top / "block", stat.S_IFBLK | 0o660, os.makedev(259, 70_000))
    (top / "a long symlink").symlink_to("x" * 3000)
    (top / "symlink").symlink_to("nowhere")
    names = [b"l" * 255, b"\xff\xfe not UTF-8", b"line\nfeed\ttab\x01\x7f", "naïve ☃".encode(), b"-dash", b" "]
    for i, name in enumerate(names):
        (top / os.fsdecode(name)).write_bytes(noise(10 + i))
    for mode in (0o000, 0o1777, 0o2755, 0o4711):
        (top / f"{mode:o}").touch()
        os.chown(top / f"{mode:o}", 1000, 4_000_000_000)
        (top / f"{mode:o}").chmod(mode)
    (top / "old").touch()
    os.utime(top / "old", ns=(-1_500_000_000, 4_102_444_800_123_456_789))
    for flag in "aAcCdDmSi":
        (top / f"chattr {flag}").mkdir()
        judge.run("chattr", f"+{flag}", top / f"chattr {flag}")
    attributed(top / "attributed", large)


def attributed(path: Path, large: int) -> None:
    """A file with xattrs from empty to as large as a leaf of 16 KiB takes, in several namespaces, and ACLs."""
    acl = struct.pack("<I", 2)
    for tag, permissions, number in ((1, 6, -1), (2, 7, 1000), (4, 4, -1), (16, 7, -1), (32, 0, -1)):
        acl += struct.pack("<HHi", tag, permissions, number)
    path.mkdir()
    os.setxattr(path, "system.posix_acl_access", acl)
    os.setxattr(path, "system.posix_acl_default", acl)
    os.setxattr(path, "user.empty", b"")
    os.setxattr(path, "user." + "n" * 250, noise(3))
    os.setxattr(path, "user.large", noise(large))
    os.setxattr(path, "trusted.secret", b"\x00\xff")
    os.setxattr(path, "security.capability", struct.pack("<5I", 0x02000001, 0x2000, 0, 0, 0))


def extents(top: Path, image: Path) -> None:
    """Preallocated, partly written, punched, nodatacow, beyond the end of the file; verity where it is."""
    (top / "preallocated").touch()
    with (top / "preallocated").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 1 * MiB)
    write(top / "preallocated", noise(20 * KiB), at=300 * KiB)
    (top / "kept size").write_bytes(noise(100 * KiB))
    fallocate(top / "kept size", "--keep-size", 100 * KiB, 500 * KiB)
    (top / "punched").write_bytes(noise(1 * MiB))
    (top / "nodatacow").touch()
    judge.run("chattr", "+C", top / "nodatacow")
    write(top / "nodatacow", noise(500 * KiB))
    (top / "verity").write_bytes(noise(100 * KiB))
    commit(top)
    fallocate(top / "punched", "--punch-hole", 100_000, 300_000)
    fallocate(top / "punched", "--zero-range", 700 * KiB, 64 * KiB)
    write(top / "nodatacow", noise(8 * KiB, 1), at=64 * KiB)
    write(top / "islands", b"end", at=1 << 40)
    for i in range(5):
        write(top / "islands", noise(4 * KiB, i), at=i << 33)
    fs_ioc_enable_verity = 0x40806685
    with contextlib.suppress(OSError), (top / "verity").open("rb") as file:
        fcntl.ioctl(file, fs_ioc_enable_verity, struct.pack("=IIII112x", 1, 1, 4 * KiB, 0))


def fragmented(top: Path, image: Path) -> None:
    """A file of thousands of extents, free space in thousands of pieces, and a large directory."""
    blocks = [noise(4 * KiB, i) for i in range(16)]
    for parity in (0, 1):
        with (top / "file").open("r+b" if parity else "wb") as file:
            for i in range(parity, 2000, 2):
                os.pwrite(file.fileno(), blocks[i % 16], i * 4 * KiB)
        commit(top)
    many(top / "blocks", 1500, size=4 * KiB)
    many(top / "many", 4000)
    commit(top)
    for i, path in enumerate(sorted((top / "blocks").iterdir())):
        if i % 2:
            path.unlink()
    commit(top)
    write(top / "file", noise(4 * KiB))  # a v1 cache has no bitmap for what its own transaction freed


def received(top: Path, image: Path) -> None:
    """A full and an incremental stream, each received twice: a received_uuid that has two subvolumes."""
    subvolume("create", top / "source")
    (top / "source" / "file").write_bytes(noise(200 * KiB))
    many(top / "source" / "many", 50, size=30)
    subvolume("snapshot", "-r", top / "source", top / "first")
    write(top / "source" / "file", noise(10 * KiB, 1), at=50 * KiB)
    (top / "source" / "new").write_bytes(text(3000))
    subvolume("snapshot", "-r", top / "source", top / "second")
    full, incremental = top / "full.stream", top / "incremental.stream"
    judge.btrfs("send", "-q", "-f", full, top / "first")
    judge.btrfs("send", "-q", "-f", incremental, "-p", top / "first", top / "second")
    for where in (top / "here", top / "there"):
        where.mkdir()
        judge.btrfs("receive", "-q", "-f", full, where)
        judge.btrfs("receive", "-q", "-f", incremental, where)


def bad_sector(top: Path, image: Path) -> None:
    """One that was read, counted, and overwritten since: the device's statistics remember it."""
    content = noise(4 * KiB)
    (top / "file").write_bytes(content)
    commit(top)
    with image.open("r+b") as whole, mmap.mmap(whole.fileno(), 0) as disk:
        disk[disk.find(content)] ^= 1
    with (top / "file").open("rb") as file, contextlib.suppress(OSError):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.read()
    (top / "file").unlink()


def labelled(top: Path, image: Path) -> None:
    """A label and a default subvolume."""
    judge.btrfs("filesystem", "label", top, "the zoo's own ☃")
    subvolume("create", top / "default")
    (top / "default" / "file").write_bytes(noise(100))
    subvolume("set-default", top / "default")


# -- fills: mid-flight ---------------------------------------------------------------------------------


def orphans(top: Path, image: Path) -> Iterator[None]:
    """Files without a name, that were open when the power went."""
    with contextlib.ExitStack() as stack:
        for size in (10, 5000, 2 * MiB):
            path = top / f"{size}"
            path.write_bytes(noise(size))
            stack.enter_context(path.open("rb"))
            path.unlink()
        stack.callback(os.close, os.open(top, os.O_TMPFILE | os.O_RDWR))
        commit(top)
        yield


def prepared(top: Path) -> None:
    """What was committed before the log began, with room for what is to come: a new chunk would end the log."""
    (top / "ballast").write_bytes(noise(6 * MiB))
    for name in ("grown", "cut", "punched", "cloned", "attributed", "renamed", "linked", "unlinked", "replaced"):
        (top / name).write_bytes(noise(40 * KiB))
    os.setxattr(top / "attributed", "user.old", b"1")
    os.link(top / "unlinked", top / "its other name")
    many(top / "folder", 200)
    subvolume("create", top / "subvolume")
    many(top / "subvolume" / "folder", 20, size=20)
    (top / "ballast").unlink()
    commit(top)


def log(top: Path, image: Path) -> Iterator[None]:
    """What fsync writes for new files, data and attributes; in two subvolumes, thus in two log trees."""
    prepared(top)
    write(top / "grown", noise(30_000, 1), at=40 * KiB)
    os.truncate(top / "cut", 10_000)
    fallocate(top / "punched", "--punch-hole", 8 * KiB, 16 * KiB)
    fallocate(top / "punched", "--keep-size", 64 * KiB, 64 * KiB)
    clone(top / "grown", top / "cloned", 16 * KiB, 0, 4 * KiB)
    os.setxattr(top / "attributed", "user.new", noise(200))
    os.removexattr(top / "attributed", "user.old")
    for name in ("grown", "cut", "punched", "cloned", "attributed"):
        fsync(top / name)
    (top / "inline").write_bytes(text(900))
    (top / "new").write_bytes(text(100 * KiB))
    write(top / "holes", noise(4 * KiB), at=256 * KiB)
    (top / "new folder" / "within").mkdir(parents=True)
    (top / "new folder" / "within" / "file").write_bytes(noise(300))
    fsync(top / "inline", top / "new", top / "holes", top / "new folder" / "within" / "file")
    (top / "subvolume" / "new").write_bytes(noise(5000))
    fsync(top / "subvolume" / "new")
    yield


def log_names(top: Path, image: Path) -> Iterator[None]:
    """What fsync writes for names: renames, links, removals, replaced files, whole directories."""
    prepared(top)
    (top / "replaced.new").write_bytes(noise(3000, 1))
    fsync(top / "replaced.new")
    (top / "replaced.new").rename(top / "replaced")
    (top / "renamed").rename(top / "new name")
    os.link(top / "linked", top / "folder" / "linked")
    fsync(top / "new name", top / "linked")
    (top / "new name").rename(top / "folder" / "moved")
    for path in sorted((top / "folder").glob("0*"))[::3]:
        path.unlink()
    (top / "folder" / "symlink").symlink_to("moved")
    (top / "folder" / "within").mkdir()
    os.mkfifo(top / "folder" / "within" / "fifo")
    fsync(top / "folder")
    (top / "unlinked").unlink()
    (top / "unlinked").write_bytes(b"of the same name")
    fsync(top / "unlinked")
    for name in COLLIDING:
        (top / name).touch()
        fsync(top / name)
    yield


def balancing(top: Path, image: Path) -> Iterator[None]:
    """A balance at work, between two of its commits, with the relocation trees on disk."""
    start_balance(top, image)
    while is_balancing(top):
        generation = superblock_generation(image)
        yield
        taken = image.with_suffix("")
        if superblock_generation(image) == generation and "TREE_RELOC" in judge.dump_tree(taken, "-t", "root"):
            judge.run("btrfs", "balance", "cancel", top, check=False)  # unless it is through by now
            return
    raise MissedError


def paused_balance(top: Path, image: Path) -> None:
    """A balance that the next mount would resume."""
    start_balance(top, image)
    if judge.run("btrfs", "balance", "pause", top, check=False).returncode:
        raise MissedError


def start_balance(top: Path, image: Path) -> None:
    crowded(top, image)
    commit(top)
    judge.btrfs("balance", "start", "--full-balance", "--background", top)
    deadline = time.monotonic() + 1
    while not is_balancing(top) and time.monotonic() < deadline:
        time.sleep(0.001)


def is_balancing(top: Path) -> bool:
    return "running" in str(judge.run("btrfs", "balance", "status", top, check=False).stdout)


def superblock_generation(image: Path) -> bytes:
    """Copied between two equal answers, an image is what one commit left: later writes go elsewhere."""
    with image.open("rb") as file:
        return os.pread(file.fileno(), 8, 64 * KiB + 0x48)


def half_deleted(top: Path, image: Path) -> None:
    """Subvolumes that the cleaner was still removing when the filesystem was unmounted."""
    for name in ("one", "two", "three"):
        subvolume("create", top / name)
        many(top / name / "many", 4000, size=300)
    subvolume("snapshot", top / "one", top / "kept")
    subvolume("delete", "-c", top / "one", top / "two", top / "three")


def forest(top: Path, image: Path) -> None:
    """Two hundred subvolumes and snapshots in each other, of all kinds; some renamed, received, on their way out."""
    rng = random.Random(3)
    subvolume("create", top / "going")
    many(top / "going" / "many", 6000, size=300)
    homes, made = [top], list[Path]()
    for number in range(220):
        home = homes[min(rng.randrange(len(homes)), rng.randrange(len(homes)))]
        place = home / f"{ODD_NAMES[number % len(ODD_NAMES)]}{number}"
        read_only = number > 3 and rng.random() < 0.3
        if number > 3 and rng.random() < 0.7:
            subvolume("snapshot", *(["-r"] if read_only else []), rng.choice(made), place)
        else:
            subvolume("create", place)
        made.append(place)
        if not read_only:
            folder = place / f"folder {number}" / "deeper"
            folder.mkdir(parents=True)
            homes += [place, folder]
    subvolume("snapshot", "-r", made[0], top / "sent")
    judge.btrfs("send", "-q", "-f", top / "stream", top / "sent")
    for home in homes[1:8]:
        judge.btrfs("receive", "-q", "-f", top / "stream", home)
    leaves = [place for place in made[3:] if not any(other.is_relative_to(place / "") for other in {*made} - {place})]
    going = [place for place in rng.sample(leaves, 12) if not place.is_relative_to(made[1])]
    made[1].rename(top / "renamed")
    subvolume("delete", "-c", top / "going", *going)


ODD_NAMES = (
    *("plain", "two words ", "ünï→☃", "\udcff\udcfe", "-dash", "DELETED", "<FS_TREE>", "[red]", "\x1b[31m"),
    "x" * 200,
)


def on_its_way_out(image: Path) -> None:
    if "refs 0" not in judge.dump_tree(image, "-t", "root"):
        raise MissedError


def half_way(image: Path) -> None:
    if not re.search(r"drop_progress key \([1-9]", judge.dump_tree(image, "-t", "root")):
        raise MissedError


# -- once unmounted ------------------------------------------------------------------------------------


def new_fsid(image: Path) -> None:
    judge.run("btrfstune", "-f", "-m", image)


def seeding(image: Path) -> None:
    judge.run("btrfstune", "-f", "-S", "1", image)


RECIPES: dict[str, Recipe] = {
    "default": Recipe("what mkfs and mount give when not asked for anything", assorted),
    "nodesize-4k": Recipe("small nodes, so that trees grow tall", fragmented, "-n 4k"),
    "nodesize-64k": Recipe("the largest nodes", assorted, "-n 64k"),
    "xxhash": Recipe("8 bytes of checksum", assorted, "--csum xxhash"),
    "sha256": Recipe("32 bytes of checksum", assorted, "--csum sha256"),
    "blake2": Recipe("32 bytes of checksum, the other way", assorted, "--csum blake2"),
    "mixed": Recipe("data and metadata in the same block groups", assorted, "-M", size=128 * MiB),
    "single-dup": Recipe("the profiles the other way round", assorted, "-m single -d dup", size=1024 * MiB),
    "old": Recipe("as in 2012: holes, fat metadata, no extref", assorted, f"{OLD} -m single"),
    "v1-cache": Recipe("the same with a space cache in files", fragmented, OLD, "space_cache=v1", size=2048 * MiB),
    "old-snapshots": Recipe("shared blocks with fat metadata", snapshots, f"{OLD} -n 4k"),
    "no-bgt": Recipe("block groups in the extent tree", assorted, "-O ^block-group-tree"),
    "compressed": Recipe("zlib, lzo and zstd", compressed),
    "compressed-4k": Recipe("the same with small nodes and forced", compressed, "-n 4k", "compress-force=lzo"),
    "compress-force": Recipe("compressed whether it pays or not", assorted, "", "compress-force=zstd:3"),
    "snapshots": Recipe("nested subvolumes and snapshots, changed since", snapshots),
    "crowded": Recipe("keyed TREE_BLOCK_REF: a block of 130 trees", crowded, "-n 4k"),
    "reflinks": Recipe("keyed and shared data references", reflinks, "-n 4k"),
    "quotas": Recipe("qgroups, relations, limits", quotas),
    "simple-quotas": Recipe("extents that know who pays for them", simple_quotas, "-O squota"),
    "hard-links": Recipe("INODE_EXTREF, and names with one hash", hard_links),
    "kinds": Recipe("every kind of inode, name, mode, flag, xattr", kinds),
    "extents": Recipe("preallocation, holes, nodatacow", extents),
    "fragmented": Recipe("many extents, free-space bitmaps, large directories", fragmented),
    "received": Recipe("subvolumes that were sent", received),
    "bad-sector": Recipe("device statistics that are not zero", bad_sector),
    "labelled": Recipe("a label and a default subvolume", labelled),
    "metadata-uuid": Recipe("an fsid that differs from the blocks' own", assorted, after=new_fsid),
    "seeding": Recipe("the seed of other filesystems", assorted, after=seeding),
    "paused-balance": Recipe("a balance to be resumed", paused_balance, "-n 4k"),
    "forest": Recipe("200 subvolumes in each other", forest, "-n 4k", after=on_its_way_out),
    "half-deleted": Recipe("subvolumes on their way out, drop_progress", half_deleted, "-n 4k", after=half_way),
    "orphans": Recipe("unlinked but open", orphans, midflight=True),
    "log": Recipe("a waiting log: data and attributes", log, "", "commit=3000", midflight=True),
    "log-4k": Recipe("the same with small nodes, compressed", log, "-n 4k", "commit=3000,compress", midflight=True),
    "log-old": Recipe("the same with explicit holes", log, OLD, "commit=3000", midflight=True),
    "log-names": Recipe("a waiting log: names", log_names, "", "commit=3000", midflight=True),
    "balancing": Recipe("a balance at work", balancing, "-n 4k", midflight=True),
}
