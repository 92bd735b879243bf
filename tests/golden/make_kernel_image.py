"""Make kernel.img.xz again: a small filesystem that the kernel filled. Needs root; see PROVENANCE.md."""

import lzma
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import judge

MIB = 1 << 20
HERE = Path(__file__).resolve().parent


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "kernel.img"
        judge.mkfs(image, 128 * MIB, "--label", "made-by-the-kernel")
        with judge.mounted(image, "compress=zstd") as top:
            fill(top, Path(folder))
        judge.btrfs_check(image)
        (HERE / "kernel.img.xz").write_bytes(lzma.compress(image.read_bytes(), preset=9 | lzma.PRESET_EXTREME))


def fill(top: Path, scratch: Path) -> None:
    home, backup = top / "home", top / "backup"
    judge.btrfs("subvolume", "create", home)
    backup.mkdir()
    (home / "notes").write_bytes(b"a small file, inline in the tree\n")
    (home / "log").write_bytes(b"compressible\n" * 20000)
    (home / "random").write_bytes(os.urandom(70000))
    os.link(home / "notes", home / "linked")
    (home / "symlink").symlink_to("notes")
    os.setxattr(home / "notes", "user.colour", b"blue")
    judge.btrfs("subvolume", "snapshot", "-r", home, backup / "home-1")
    with (home / "log").open("ab") as log:
        log.write(b"more\n" * 1000)
    judge.btrfs("subvolume", "snapshot", "-r", home, backup / "home-2")
    received, stream = top / "received", scratch / "stream"
    received.mkdir()
    for options in (["home-1"], ["-p", backup / "home-1", "home-2"]):
        judge.btrfs("send", "-q", "-f", stream, *options[:-1], backup / options[-1])
        judge.btrfs("receive", "-q", "-f", stream, received)


if __name__ == "__main__":
    main()
