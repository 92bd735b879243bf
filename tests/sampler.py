"""A small forged image with a little of everything in it, for tests that break it in many ways."""

from __future__ import annotations

import stat
import zlib

import forge
import zoo


def everything(**request: object) -> forge.Forge:
    """A little of each thing that the forge can make."""
    made = forge.Forge(**request)
    top = made.top
    top.file(b"inline", b"inline bytes", mode=0o4755, uid=1000, gid=4_000_000_000)
    folder = top.folder(b"folder", mode=0o1777)
    large = top.file(b"large", parent=folder)
    content = zoo.noise(300_000)
    at = made.data(content)
    length = len(made.extents[0].content)
    top.extent(large, 0, at, length)
    top.change(large, size=300_000)
    top.extent(top.file(b"part"), 8192, at, length, offset=4096, num_bytes=8192)
    stored = zlib.compress(zoo.text(100_000))
    at = made.data(stored)
    top.extent(top.file(b"words"), 0, at, len(made.extents[-1].content), ram_bytes=102_400, compression=1)
    top.inline(top.file(b"inline words"), zlib.compress(zoo.text(1500)), ram_bytes=1500, compression=1)
    top.entry(b"another name", large)
    top.entry(b"one more", large, parent=folder)
    top.symlink(b"symlink", b"folder/large")
    top.node(b"fifo", stat.S_IFIFO | 0o600)
    top.node(b"device", stat.S_IFBLK | 0o660, 259 << 20 | 70_000)
    top.xattr(large, b"user.colour", b"blue")
    for name in map(str.encode, zoo.COLLIDING):
        top.xattr(large, b"user." + name, name)
        top.file(name)
    inner = made.subvolume(b"subvolume", parent=folder)
    for number in range(300):
        inner.file(b"%d" % number, b"x" * number)
    innermost = made.subvolume(b"innermost", inside=inner)
    nodatacow = innermost.file(b"nodatacow", flags=1)
    innermost.extent(nodatacow, 0, made.data(content[:8192], summed=False), 8192)
    return made
