"""Filesystems of several devices: made by the C program, filled by the kernel, read by us, damaged row by row."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import judge
from commandline import run

from pybtrfs.fs.filesystem import open_filesystem
from pybtrfs.ondisk.chunk import Chunk
from pybtrfs.ondisk.constants import BLOCK_GROUP_DATA as DATA
from pybtrfs.ondisk.constants import BLOCK_GROUP_TYPE_MASK as TYPE_MASK
from pybtrfs.ondisk.constants import STRIPE_LEN
from pybtrfs.volume.opening import Where
from pybtrfs.volume.profiles import find_profile

MIB = 1 << 20


def blank(folder: Path, devices: int, size: int = 300 * MIB) -> list[Path]:
    """New sparse files."""
    images = [folder / f"device-{number}" for number in range(1, devices + 1)]
    for image in images:
        with image.open("wb") as file:
            file.truncate(size)
    return images


def make(
    folder: Path,
    options: str,
    devices: int,
    fill: Callable[[Path], None] | None = None,
    after: Sequence[str] = (),
) -> tuple[list[Path], str]:
    """Images of one filesystem, filled by the kernel, and the C program's dump of it, without its first line.

    `after`: a command on the first device, once it is unmounted.
    """
    images = blank(folder, devices)
    with attached(images, scan=False) as loops:
        judge.run("mkfs.btrfs", "--quiet", *options.split(), *loops)
        judge.run("btrfs", "device", "scan", *loops)
        with mounted(loops, folder) as top:
            (fill or some_files)(top)
        if after:
            judge.run(*after, loops[0])
        dump = judge.dump_tree(loops[0])
    return images, dump.partition("\n")[2]


@contextmanager
def attached(images: Sequence[Path], scan: bool = True) -> Iterator[list[Path]]:
    """Loop devices over the images; `scan` makes them known to the kernel as members."""
    with ExitStack() as stack:
        loops = [Path(stack.enter_context(judge.loop_device(image))) for image in images]
        if scan:
            judge.run("btrfs", "device", "scan", *loops)
        yield loops


@contextmanager
def mounted(devices: Sequence[Path], folder: Path, options: str = "rw") -> Iterator[Path]:
    """The filesystem of these devices, mounted in the folder."""
    top = folder / "top"
    top.mkdir(exist_ok=True)
    judge.run("mount", "-t", "btrfs", "-o", options, devices[0], top)
    try:
        yield top
    finally:
        judge.run("umount", top)


def some_files(top: Path) -> None:
    """Small files and a large one; some trees of two levels."""
    for number in range(400):
        (top / f"file-{number}").write_bytes(b"%d" % number * (number * 3))
    judge.btrfs("subvolume", "snapshot", top, top / "snapshot")
    (top / "big").write_bytes(bytes(range(256)) * 4096)


def dumped(images: Sequence[Path]) -> tuple[str, str]:
    """Our dump of all trees without its first line, and what was said, without notices of loop devices."""
    first, *others = images
    result = run("inspect", "dump-tree", *[word for image in others for word in ("--device", image)], first)
    assert result.complaint() is None
    assert result.status == 0, result.errors
    errors = [line for line in result.errors.splitlines(keepends=True) if " is held by /dev/loop" not in line]
    return result.output.partition("\n")[2], "".join(errors)  # the kernel lets go of a loop device when it likes


def damage_rows(images: Sequence[Path], errors: int, spared: Path | None = None) -> None:
    """Write over `errors` elements of each row of the metadata, in turn on all devices but the one that is spared."""
    first, *others = map(str, images)
    with open_filesystem(first, Where(devices=tuple(others))) as filesystem:
        names = {devid: device.name for devid, device in filesystem.volume.devices.items()}
        chunks = [chunk for _, chunk in filesystem.volume.chunks if chunk.type & TYPE_MASK != DATA]
    for chunk in chunks:
        left = [stripe for stripe in chunk.stripes if names[stripe.devid] != str(spared)]
        for row in range(_rows(chunk)):
            for error in range(errors):
                stripe = left[(row * 7 + error) % len(left)]
                with Path(names[stripe.devid]).open("r+b") as file:
                    os.pwrite(file.fileno(), b"damage" * (STRIPE_LEN // 6), stripe.offset + row * STRIPE_LEN)


def _rows(chunk: Chunk) -> int:
    """How many rows of 64 KiB the chunk has; no more than the files reach."""
    profile = find_profile(chunk.type)
    assert profile is not None
    columns = 1 if profile.whole else (chunk.num_stripes - profile.parity) // profile.sub_stripes
    return min(chunk.length // STRIPE_LEN // columns, 200)
