"""File objects: any sequence of seeks and reads gives what it gives on the bytes of the whole."""

import errno
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pybtrfs
from pybtrfs import Image

PATHS = ("home/log", "home/random", "home/notes")
WHENCE = (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END)
offsets = st.one_of(st.integers(-300_000, 300_000), st.sampled_from([0, 1, 4096, 65_536, 131_072, 265_000]))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("seek"), offsets, st.sampled_from(WHENCE)),
        st.tuples(st.sampled_from(["read", "readinto", "readline"]), st.integers(0, 150_000), st.just(0)),
        st.tuples(st.just("read"), st.just(-1), st.just(0)),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def opened(image: Path) -> Image:
    return pybtrfs.open(image)


@given(path=st.sampled_from(PATHS), buffering=st.sampled_from([-1, 0, 17]), steps=steps)
def test_seeks_and_reads_give_what_they_give_on_the_whole(
    opened: Image, path: str, buffering: int, steps: list[tuple[str, int, int]]
) -> None:
    model, file = io.BytesIO(opened.read_bytes(path)), opened.open(path, buffering=buffering)
    for verb, number, whence in steps:
        if verb == "seek":
            base = {os.SEEK_SET: 0, os.SEEK_CUR: model.tell(), os.SEEK_END: len(model.getvalue())}[whence]
            if base + number < 0:
                with pytest.raises((OSError, ValueError)):
                    file.seek(number, whence)
            else:
                assert file.seek(number, whence) == model.seek(base + number)
        elif verb == "readinto":
            ours, theirs = bytearray(number), bytearray(number)
            assert (file.readinto(ours), ours) == (model.readinto(theirs), theirs)
        elif verb == "readline":
            assert file.readline(min(number, 200)) == model.readline(min(number, 200))
        else:
            assert file.read(number) == model.read(number)
        assert file.tell() == model.tell()


@given(path=st.sampled_from(PATHS), offset=st.integers(0, 300_000), length=st.none() | st.integers(0, 300_000))
def test_a_range_is_a_part_of_the_whole(opened: Image, path: str, offset: int, length: int | None) -> None:
    whole = opened.read_bytes(path)
    assert opened.read_bytes(path, offset, length) == whole[offset : None if length is None else offset + length]


def test_a_file_object_is_one_of_pythons(opened: Image) -> None:
    with opened.open("home/notes", buffering=0) as file:
        assert isinstance(file, io.RawIOBase)
        assert (file.readable(), file.seekable(), file.writable(), file.isatty()) == (True, True, False, False)
        assert (file.name, file.mode, file.size, file.stat().ino) == ("home/notes", "rb", 33, 257)
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"x")
        with pytest.raises(io.UnsupportedOperation):
            file.fileno()
    for act in (lambda: file.read(1), file.tell, lambda: file.seek(0), file.readall, file.readable, file.seekable):
        with pytest.raises(ValueError, match="closed"):
            act()
    buffered = opened.open("home/notes")
    assert isinstance(buffered, io.BufferedReader)
    assert io.TextIOWrapper(buffered).readlines() == ["a small file, inline in the tree\n"]


def test_a_seek_that_cannot_be_meant_is_refused(opened: Image) -> None:
    file = opened.open("home/log", buffering=0)
    assert (file.seek(0, os.SEEK_DATA), file.seek(5, os.SEEK_HOLE)) == (0, file.size)
    for offset, whence, number in ((-1, os.SEEK_SET, errno.EINVAL), (file.size, os.SEEK_DATA, errno.ENXIO)):
        with pytest.raises(OSError, match=r"\[Errno") as caught:
            file.seek(offset, whence)
        assert caught.value.errno == number
    with pytest.raises(ValueError, match="whence is 77"):
        file.seek(0, 77)
    assert file.tell() == file.size
