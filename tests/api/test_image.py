"""The Python API on the golden image: paths, facts, subvolumes, errors, what is closed when, threads, damage."""

import gc
import io
import os
import random
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from damage import Blocks, Patch, applied

import pybtrfs
from pybtrfs import CorruptError, Image, NotFoundError, PybtrfsError, UnsupportedError
from pybtrfs.fs.filesystem import open_filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.header import HEADER, ITEM
from pybtrfs.ondisk.inode import INODE_ITEM
from pybtrfs.ondisk.key import Key
from pybtrfs.volume.device import FileDevice

HOME = ["notes", "log", "random", "linked", "symlink"]
LOG = b"compressible\n" * 20000 + b"more\n" * 1000


# -- looking -----------------------------------------------------------------------------------------


def test_names_come_in_the_kind_in_which_the_path_was_given(fs: Image) -> None:
    assert fs.listdir() == fs.listdir("/") == fs.listdir(Path("/")) == ["home", "backup", "received"]
    assert fs.listdir(b"home") == [name.encode() for name in HOME]
    assert [entry.path for entry in fs.scandir("home/")] == [f"home/{name}" for name in HOME]
    assert next((entry.name, entry.path) for entry in fs.scandir(b"/")) == (b"home", b"/home")
    assert (fs.readlink("home/symlink"), fs.readlink(b"home/symlink")) == ("notes", b"notes")
    assert fs.xattrs("home/notes") == {"user.colour": b"blue"}


def test_stat_has_the_names_of_python_and_the_facts_of_btrfs(fs: Image) -> None:
    found, link = fs.stat("home/symlink"), fs.stat("home/symlink", follow=False)
    assert found == fs.stat("/home/linked") == fs.stat(b"home/notes")
    assert (found.size, found.nlink, found.ino, found.subvolume_id) == (33, 2, 257, 256)
    assert stat.S_ISREG(found.st_mode)
    assert stat.S_ISLNK(link.mode)
    for name in ("mode", "ino", "nlink", "uid", "gid", "size", "rdev", "atime_ns", "mtime_ns", "ctime_ns"):
        assert getattr(found, f"st_{name}") == getattr(found, name)
    assert found.mtime_ns > found.otime_ns > 1_700_000_000_000_000_000


def test_questions_about_a_path_are_answered_with_and_without_links(fs: Image) -> None:
    assert fs.exists("home/symlink")
    assert (fs.is_file("home/symlink"), fs.is_file("home/symlink", follow=False)) == (True, False)
    assert (fs.is_symlink("home/symlink"), fs.is_symlink("home/notes")) == (True, False)
    assert (fs.is_dir("backup/home-1"), fs.is_dir("home/notes"), fs.is_dir("none")) == (True, False, False)
    assert not fs.exists("home/notes/deeper")


def test_an_entry_knows_what_it_is(fs: Image) -> None:
    found = {entry.name: entry for entry in fs.scandir("/home")}
    link, notes = found["symlink"], found["notes"]
    assert (link.is_symlink(), link.is_file(), link.is_file(follow=False), link.is_dir()) == (True, True, False, False)
    assert (link.stat(), link.stat(follow=False).size) == (notes.stat(), len("notes"))
    assert (notes.ino, notes.subvolume_id, notes.is_subvolume) == (257, 256, False)
    home = next(fs.scandir())
    assert (home.name, home.is_subvolume, home.is_dir(), home.is_dir(follow=False)) == ("home", True, True, True)
    assert repr(home) == "<Entry '/home'>"


def test_walk_is_os_walk_and_can_be_cut(fs: Image) -> None:
    found = []
    for top, directories, others in fs.walk():
        found.append((top, list(directories), others))
        if "home-2" in directories:
            directories.remove("home-2")
    assert found[0] == ("/", ["home", "backup", "received"], [])
    assert found[1] == ("/home", [], HOME)
    assert [top for top, _, _ in found if "home-" in top] == ["/backup/home-1", "/received/home-1"]
    assert list(fs.walk(b"home")) == [(b"home", [], [name.encode() for name in HOME])]


def test_scantree_gives_everything_below_with_its_inode(fs: Image) -> None:
    found = {entry.path: entry.stat(follow=False) for entry in fs.scantree()}
    walked = [f"{top.rstrip('/')}/{name}" for top, below, others in fs.walk() for name in below + others]
    assert sorted(found) == sorted(walked)
    assert all(facts == fs.stat(path, follow=False) for path, facts in found.items())
    assert [entry.path for entry in fs.scantree("home")] == [f"home/{name}" for name in HOME]


def test_extents_say_what_a_file_consists_of(fs: Image) -> None:
    [inline] = fs.extents("home/notes")
    assert inline == (0, 33, "inline", None, 33, 0, "none")
    log = fs.extents("home/log")
    assert [part.compression for part in log] == ["zstd"] * len(log)
    assert sum(part.length for part in log) == len(LOG)
    assert all(part.kind == "data" and part.disk_bytenr for part in log)


# -- subvolumes --------------------------------------------------------------------------------------


def test_a_subvolume_is_a_view_that_begins_at_its_top(fs: Image) -> None:
    home = fs.subvolume("/backup/home-2")
    assert (home.id, home.path, home.read_only) == (258, "/backup/home-2", True)
    assert home.listdir() == home.listdir("../../..") == HOME
    assert home.read_bytes("log") == LOG
    assert fs.subvolume(258).info == home.info == fs.subvolumes()[3]
    assert home.subvolume(256).uuid == home.info.parent_uuid == fs.subvolume("home").uuid
    assert (fs.id, fs.path, fs.read_only, fs.default_subvolume_id) == (5, "/", False, 5)
    assert fs.label == "made-by-the-kernel"
    assert [info.path for info in fs.subvolumes()[:3]] == ["/", "/home", "/backup/home-1"]
    received = fs.subvolume("received/home-1").info
    assert (received.received_uuid, received.parent_id) == (fs.subvolume(257).uuid, 5)


@pytest.mark.parametrize("what", ["backup", "home/notes", "none", 2, 999])
def test_what_is_no_subvolume_is_not_found(fs: Image, what: str | int) -> None:
    with pytest.raises(NotFoundError):
        fs.subvolume(what)


# -- errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "kind", "says"),
    [
        (lambda fs: fs.stat("home/none/x"), FileNotFoundError, "/home/none: no such file or directory"),
        (lambda fs: fs.open("home/notes/x"), NotADirectoryError, "/home/notes: not a directory"),
        (lambda fs: fs.listdir("home/notes"), NotADirectoryError, "home/notes: not a directory"),
        (lambda fs: next(fs.walk("home/notes")), NotADirectoryError, "home/notes: not a directory"),
        (lambda fs: fs.read_bytes(b"home"), IsADirectoryError, "home: is a directory"),
        (lambda fs: fs.readlink("home"), OSError, "home: is not a symbolic link"),
    ],
)
def test_errors_are_those_of_python_and_ours(fs: Image, act: Callable[[Image], Any], kind: type, says: str) -> None:
    with pytest.raises(PybtrfsError, match=says) as caught:
        act(fs)
    assert isinstance(caught.value, kind)
    assert isinstance(caught.value, OSError)
    assert caught.value.errno == {FileNotFoundError: 2, NotADirectoryError: 20, IsADirectoryError: 21}.get(kind, 22)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"writable": True}, UnsupportedError),
        ({"replay_log": "memory"}, UnsupportedError),
        ({"replay_log": "disk"}, UnsupportedError),
        ({"replay_log": "both"}, pybtrfs.UsageError),
        ({"offset": 0, "partition": 1}, pybtrfs.UsageError),
        ({"super_copy": 2}, pybtrfs.UsageError),
        ({"partition": 3}, pybtrfs.UsageError),
        ({"devices": ["none"]}, pybtrfs.DeviceError),
    ],
)
def test_what_cannot_be_opened_so_is_refused(image: Path, options: dict[str, Any], kind: type[PybtrfsError]) -> None:
    with pytest.raises(kind):
        pybtrfs.open(image, **options)


# -- images of all kinds, and what is closed when ------------------------------------------------------


def test_an_image_may_be_a_path_a_file_object_or_a_device(image: Path) -> None:
    class Counted(FileDevice):
        closed = 0

        def close(self) -> None:
            self.closed += 1
            super().close()

    device = Counted(str(image))
    with image.open("rb") as file:
        for source in (str(image), os.fsencode(image), file, io.BytesIO(image.read_bytes()), device):
            with pybtrfs.open(source) as fs:
                assert fs.read_bytes("home/log") == LOG
        assert not file.closed
    assert device.closed == 1


def test_an_error_on_opening_names_the_object() -> None:
    with pytest.raises(pybtrfs.NotBtrfsError, match=r"^<BytesIO>: no valid superblock"):
        pybtrfs.open(io.BytesIO(bytes(1 << 20)))
    with pytest.raises(pybtrfs.NotBtrfsError, match=r"^<BytesIO>: 3 bytes, too short"):
        pybtrfs.open(io.BytesIO(b"abc"))


def test_what_is_no_image_is_named(image: Path) -> None:
    with image.open(errors="ignore") as text, pytest.raises(pybtrfs.DeviceError, match="is open as text"):
        pybtrfs.open(text)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a dict is no image"):
        pybtrfs.open({})  # type: ignore[arg-type]


def test_a_closed_image_reads_no_more_and_may_be_closed_again(image: Path) -> None:
    fs = pybtrfs.open(image)
    file, entries = fs.open("home/log", buffering=0), fs.scandir()
    next(entries)
    fs.close()
    fs.close()
    for act in (fs.listdir, lambda: file.read(1), file.readall, lambda: next(entries), lambda: fs.subvolume(256)):
        with pytest.raises(ValueError, match="closed"):
            act()


def test_an_image_closes_itself_when_its_last_file_is_gone(image: Path) -> None:
    closed = threading.Event()

    class Watched(FileDevice):
        def close(self) -> None:
            closed.set()
            super().close()

    file = pybtrfs.open(Watched(str(image))).subvolume("home").open("log")
    gc.collect()
    assert not closed.is_set()
    assert file.read() == LOG
    del file
    gc.collect()
    assert closed.is_set()


# -- threads -----------------------------------------------------------------------------------------


def test_several_threads_read_what_one_reads(fs: Image, seed: int) -> None:
    whole = {path: fs.read_bytes(path) for path in ("home/log", "home/random", "backup/home-1/log", "home/notes")}
    tree = [(entry.path, entry.stat(follow=False)) for entry in fs.scantree()]
    shared, problems = fs.open("home/log", buffering=0), list[str]()

    def reader(number: int) -> None:
        rng = random.Random(seed + number)
        for _ in range(60):
            path = rng.choice(list(whole))
            at, length = rng.randrange(len(whole[path])), rng.randrange(1, 100_000)
            if fs.read_bytes(path, at, length) != whole[path][at : at + length]:
                problems.append(f"{path} at {at}")
            shared.seek(0)
            shared.read(10)
        if [(entry.path, entry.stat(follow=False)) for entry in fs.scantree()] != tree:
            problems.append("the tree")

    threads = [threading.Thread(target=reader, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems


# -- damage ------------------------------------------------------------------------------------------


def flipped_data(image: Path, content: bytes, at: int) -> Patch:
    """One bit of a file's data on disk."""
    begin = image.read_bytes().find(content[:4096])
    assert begin > 0
    return Patch(f"byte {at}", ((begin + at, bytes([content[at] ^ 1])),))


def test_bytes_in_front_of_bad_ones_are_read_and_those_behind_after_a_seek(image: Path) -> None:
    with pybtrfs.open(image) as fs:
        content = fs.read_bytes("home/random")
    with applied(image, flipped_data(image, content, 21_000)), pybtrfs.open(image) as fs:
        file = fs.open("home/random", buffering=0)
        assert file.read(65_536) == content[:20_480]
        for act in (lambda: file.read(1), file.readall, lambda: fs.read_bytes("home/random")):
            with pytest.raises(CorruptError, match=r"^home/random: .*byte 20480: data at \d+: .*stored is"):
                act()
        file.seek(24_576)
        assert file.readall() == content[24_576:]
        with pybtrfs.open(image, verify=False) as trusting:
            assert trusting.read_bytes("home/random") != content


def test_a_damaged_inode_costs_only_itself(image: Path) -> None:
    key = Key(259, c.INODE_ITEM_KEY, 0)
    with open_filesystem(str(image)) as filesystem:
        item = filesystem.tree(256).find(key)
        assert item is not None
    blocks = Blocks(image)
    block = bytearray(blocks.data[item.bytenr])
    at = HEADER.size + ITEM.unpack_from(block, HEADER.size + item.slot * ITEM.size).offset
    mode = at + INODE_ITEM.offset_of("mode")
    block[mode : mode + 4] = bytes(4)
    told = list[str]()
    with applied(image, blocks.patch(item.bytenr, block, "mode", mend=True)), pybtrfs.open(image) as fs:
        left = [entry.name for entry in fs.scantree("/home", lambda error: told.append(str(error)))]
        with pytest.raises(CorruptError, match=r"^/home/random: subvolume 256 inode 259: leaf \d+ slot \d+: mode is 0"):
            list(fs.scantree("/home"))
        assert next(fs.walk("/home"))[2] == HOME
    assert left == [name for name in HOME if name != "random"]
    assert len(told) == 1
    assert told[0].startswith("/home/random: ")


def test_an_unreadable_leaf_of_a_directory_is_told_and_the_rest_is_walked(image: Path) -> None:
    blocks = Blocks(image)
    with open_filesystem(str(image)) as filesystem:
        root = filesystem.tree(257).root.bytenr
    told = list[str]()
    patch = blocks.patch(root, bytearray(blocks.nodesize), "gone", mend=False)
    with applied(image, patch), pybtrfs.open(image) as fs:
        with pytest.raises(CorruptError, match=f"tree block {root}"):
            list(fs.walk("/backup"))
        found = [top for top, _, _ in fs.walk("/backup", lambda error: told.append(str(error)))]
    assert found == ["/backup", "/backup/home-1", "/backup/home-2"]
    assert told
    assert all(text.startswith("/backup/home-1: ") for text in told)
