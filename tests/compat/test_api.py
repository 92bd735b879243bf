"""The API against the kernel: what Python's `os` says of the mounted filesystem, ours says of the image."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import judge
import pytest
import zoo

import pybtrfs
from pybtrfs.fs.file import READ_BYTES
from pybtrfs.ondisk import constants as c

pytestmark = pytest.mark.kernel
FACTS = ("mode", "ino", "nlink", "uid", "gid", "size", "rdev", "mtime_ns", "ctime_ns")  # reading changes atime
NORMAL = ("default", "compressed", "kinds", "extents", "snapshots", "hard-links")
LONG = ("nodesize-4k", "sha256", "mixed", "single-dup", "old", "compress-force", "reflinks", "fragmented", "received")
IMAGES = [*NORMAL, *(pytest.param(name, marks=pytest.mark.soak) for name in LONG)]
MOST_READ = 32 * zoo.MiB
Zoo = Callable[[str], Path]


@pytest.mark.parametrize("name", IMAGES)
def test_every_path_is_what_the_kernel_says(kernel_image: Zoo, name: str) -> None:
    image = kernel_image(name)
    with judge.mounted(image, "subvolid=5,noatime", read_only=True) as top, pybtrfs.open(image) as fs:
        assert [text.partition(" by ")[0] for text in fs.notices] == [f"{image}: is held"]
        ours = {entry.path: entry for entry in fs.scantree(b"")}
        theirs = set(_paths(os.fsencode(top)))
        assert set(ours) == theirs
        for path, entry in ours.items():
            there = os.path.join(os.fsencode(top), path)
            wanted, found = os.lstat(there), entry.stat(follow=False)
            facts = FACTS[:-2] if entry.ino == c.EMPTY_SUBVOL_DIR_OBJECTID else FACTS  # the kernel makes its times up
            for fact in facts:
                assert (path, fact, getattr(found, f"st_{fact}")) == (path, fact, getattr(wanted, f"st_{fact}"))
            assert fs.xattrs(path, follow=False) == {
                key: os.getxattr(there, key, follow_symlinks=False)
                for key in os.listxattr(there, follow_symlinks=False)
            }
            if stat.S_ISREG(wanted.st_mode):
                _compare_bytes(fs, path, there)
            elif stat.S_ISDIR(wanted.st_mode):
                assert fs.listdir(path) == os.listdir(there)
            elif stat.S_ISLNK(wanted.st_mode):
                assert fs.readlink(path) == os.readlink(there)


def _paths(top: bytes) -> Iterator[bytes]:
    for folder, directories, others in os.walk(top):
        yield from (os.path.relpath(os.path.join(folder, name), top) for name in directories + others)


def _compare_bytes(fs: pybtrfs.Image, path: bytes, there: bytes) -> None:
    with open(there, "rb", buffering=0) as theirs, fs.open(path, buffering=0) as ours:
        assert (path, _data(ours)) == (path, _data(theirs))
        for begin, end in _data(theirs):
            ours.seek(begin)
            theirs.seek(begin)
            for at in range(begin, min(end, begin + MOST_READ), READ_BYTES):
                length = min(READ_BYTES, end - at)
                assert ours.read(length) == theirs.read(length), f"{path!r} at {at}"


def _data(file: Any) -> list[tuple[int, int]]:
    """Where the file has data, by SEEK_DATA and SEEK_HOLE."""
    found, at = list[tuple[int, int]](), 0
    while True:
        try:
            at = file.seek(at, os.SEEK_DATA)
        except OSError as error:
            return found if error.errno == errno.ENXIO else [(error.errno or 0, 0)]
        end = file.seek(at, os.SEEK_HOLE)
        found.append((at, end))
        at = end


PATHS = (
    "none", "none/x", "inline/x", "inline/", "symlink", "symlink/", "symlink/x", "subvolume", "subvolume/many", "", ".",
    "subvolume/..", "subvolume/many/../none", "./inline", "hard link", "loop", "dangling",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("verb", ["stat", "lstat", "listdir", "open"])
def test_a_path_that_cannot_be_opened_raises_what_python_raises(kernel_image: Zoo, path: str, verb: str) -> None:
    image = kernel_image("default")
    with judge.mounted(image, "subvolid=5", read_only=True) as top, pybtrfs.open(image) as fs:
        theirs = {
            "stat": lambda: os.stat(f"{top}/{path}").st_ino,
            "lstat": lambda: os.lstat(f"{top}/{path}").st_ino,
            "listdir": lambda: os.listdir(f"{top}/{path}"),
            "open": lambda: _content(f"{top}/{path}"),
        }
        ours = {
            "stat": lambda: fs.stat(path).ino,
            "lstat": lambda: fs.stat(path, follow=False).ino,
            "listdir": lambda: fs.listdir(path),
            "open": lambda: fs.open(path).read(),
        }
        assert _outcome(ours[verb]) == _outcome(theirs[verb])


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _outcome(act: Callable[[], object]) -> object:
    """What comes of it: a value, or the most telling of Python's own classes."""
    try:
        return act()
    except OSError as error:
        kinds = (NotADirectoryError, IsADirectoryError, FileNotFoundError)
        return next((kind for kind in kinds if isinstance(error, kind)), error.errno)
