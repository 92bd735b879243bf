"""The fsspec filesystem: registered, chained, read only, and the same as the API beneath it."""

import datetime
import errno
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from damage import Blocks, applied

import pybtrfs
from pybtrfs import CorruptError
from pybtrfs.api.fsspec import BtrfsFileSystem
from pybtrfs.fs.filesystem import open_filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.header import HEADER, ITEM
from pybtrfs.ondisk.key import Key

NOTES = b"a small file, inline in the tree\n"


@pytest.fixture
def btrfs(image: Path) -> BtrfsFileSystem:
    made = fsspec.filesystem("btrfs", fo=str(image))
    assert isinstance(made, BtrfsFileSystem)
    return made


def test_listings_have_names_sizes_and_types(btrfs: BtrfsFileSystem) -> None:
    assert btrfs.ls("", detail=False) == btrfs.ls("/", detail=False) == ["home", "backup", "received"]
    found = {info["name"]: info for info in btrfs.ls("/home/")}
    assert {name: info["type"] for name, info in found.items()} == {
        "home/notes": "file",
        "home/log": "file",
        "home/random": "file",
        "home/linked": "file",
        "home/symlink": "link",
    }
    assert (found["home/random"]["size"], found["home/symlink"]["size"]) == (70_000, 5)
    assert btrfs.ls("home/notes") == [btrfs.info("home/notes")] == [found["home/notes"]]
    assert btrfs.info("home/symlink") == btrfs.info("home/notes") | {"name": "home/symlink", "islink": True}
    assert btrfs.info("")["type"] == "directory"


def test_what_fsspec_builds_on_listings_works(btrfs: BtrfsFileSystem) -> None:
    assert btrfs.find("backup", maxdepth=1) == []
    assert len(btrfs.find("")) == 25
    assert btrfs.glob("*/home-?/n*") == [f"{top}/home-{n}/notes" for top in ("backup", "received") for n in (1, 2)]
    assert btrfs.du("home") == 33 + 265_000 + 70_000 + 33 + 33  # a link counts as what it leads to
    assert next((top, sorted(below)) for top, below, _ in btrfs.walk("received")) == ("received", ["home-1", "home-2"])
    assert (btrfs.isdir("home"), btrfs.isfile("home/notes"), btrfs.exists("home/none")) == (True, True, False)
    assert btrfs.modified("home/notes") > btrfs.created("home") > datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


def test_bytes_come_whole_in_ranges_and_as_file_objects(btrfs: BtrfsFileSystem) -> None:
    assert btrfs.cat("home/notes") == btrfs.cat_file("home/symlink") == NOTES
    for start, end in ((0, 7), (2, None), (None, 5), (-5, None), (-9, -2), (5, 2), (30, 99), (99, None)):
        assert btrfs.cat_file("home/notes", start, end) == NOTES[start:end]
    assert btrfs.cat_ranges(["home/notes", "home/log"], [0, 13], [7, 20]) == [b"a small", b"compres"]
    assert btrfs.head("home/log", 5) == b"compr"
    with btrfs.open("home/log", "rt") as file:
        assert next(iter(file)) == "compressible\n"
    with btrfs.open("home/log", block_size=16) as file:
        assert (file.seek(-5, 2), file.read()) == (264_995, b"more\n")


@pytest.mark.parametrize(
    "act",
    [
        lambda fs: fs.open("new", "wb"),
        lambda fs: fs.mkdir("new"),
        lambda fs: fs.makedirs("new", exist_ok=True),
        lambda fs: fs.rmdir("backup"),
        lambda fs: fs.rm("home/notes"),
        lambda fs: fs.rm_file("home/notes"),
        lambda fs: fs.touch("home/notes"),
        lambda fs: fs.pipe("new", b""),
        lambda fs: fs.mv("home/notes", "new"),
        lambda fs: fs.cp("home/notes", "new"),
        lambda fs: fs.put(__file__, "new"),
        lambda fs: fs.write_text("new", ""),
    ],
)
def test_what_would_change_the_image_is_refused(btrfs: BtrfsFileSystem, act: Callable[[Any], Any]) -> None:
    with pytest.raises(pybtrfs.ReadOnlyError, match=": the image is open for reading only") as caught:
        act(btrfs)
    assert isinstance(caught.value, OSError)
    assert caught.value.errno == errno.EROFS


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (lambda fs: fs.cat("home/none"), FileNotFoundError),
        (lambda fs: fs.ls("home/none"), FileNotFoundError),
        (lambda fs: fs.info("home/notes/x"), NotADirectoryError),
        (lambda fs: fs.open("home"), IsADirectoryError),
    ],
)
def test_errors_are_those_of_python(btrfs: BtrfsFileSystem, act: Callable[[Any], Any], kind: type[OSError]) -> None:
    with pytest.raises(kind):
        act(btrfs)


def test_urls_are_chained_with_those_of_the_image(image: Path, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(image), "/disk.img")
    shutil.make_archive(str(tmp_path / "archive"), "zip", image.parent, image.name)
    for end in (
        f"file://{image}",
        str(image),
        "memory://disk.img",
        f"zip://{image.name}::file://{tmp_path}/archive.zip",
    ):
        with fsspec.open(f"btrfs://home/notes::{end}") as file:
            assert file.read() == NOTES, end
    memory.rm("/disk.img")
    with pytest.raises(pybtrfs.DeviceError, match=r"^memory:///disk.img: cannot open: no such file"):
        fsspec.open("btrfs://home/notes::memory://disk.img").open()


def test_options_reach_the_image(image: Path) -> None:
    btrfs = fsspec.filesystem("btrfs", fo=str(image), subvolume="backup/home-1")
    assert "notes" in btrfs.ls("", detail=False)
    assert fsspec.filesystem("btrfs", fo=str(image), subvolume=257).find("") == btrfs.find("")
    with image.open("rb") as file:
        assert fsspec.filesystem("btrfs", fo=file).cat("home/notes") == NOTES
    again = pickle.loads(pickle.dumps(btrfs))
    assert again.cat("notes") == NOTES
    again.close()
    with pytest.raises(ValueError, match="closed"):
        again.ls("")


def test_a_damaged_inode_is_listed_and_says_what_is_wrong_when_opened(image: Path) -> None:
    with open_filesystem(str(image)) as filesystem:
        item = filesystem.tree(256).find(Key(259, c.INODE_ITEM_KEY, 0))
        assert item is not None
    blocks = Blocks(image)
    block = bytearray(blocks.data[item.bytenr])
    at = HEADER.size + ITEM.unpack_from(block, HEADER.size + item.slot * ITEM.size).offset
    block[at : at + 160] = bytes(160)
    with applied(image, blocks.patch(item.bytenr, block, "inode", mend=True)):
        btrfs = fsspec.filesystem("btrfs", fo=str(image))
        [found] = [info for info in btrfs.ls("home") if info["name"] == "home/random"]
        assert found == {"name": "home/random", "size": None, "type": "other"}
        with pytest.raises(CorruptError, match="mode is 0"):
            btrfs.open("home/random")
