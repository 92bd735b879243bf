"""The bytes of files: all kinds of extents against a model; mended from the other mirror, named where lost."""

import zlib

import pytest
from files import DATA, DATA_END, SECTOR, Files, regular
from hypothesis import given, settings
from hypothesis import strategies as st

from pybtrfs.checksum import CSUM_TYPES
from pybtrfs.errors import CorruptError, NotFoundError
from pybtrfs.fs.data import read_data
from pybtrfs.fs.file import READ_BYTES, File, read_symlink
from pybtrfs.fs.inode import Place
from pybtrfs.fs.path import resolve
from pybtrfs.ondisk import constants as c

FILE = Place(5, 257)


def noise(size: int, seed: int = 0) -> bytes:
    import random

    return random.Random(seed).randbytes(size)


def one_extent(content: bytes, csum_type: int = 0) -> tuple[Files, int]:
    """A file of one data extent, and where that is."""
    files = Files(CSUM_TYPES[csum_type])
    files.file(FILE, len(content))
    at = files.data(content)
    files.extent(FILE, 0, regular(at, -(-len(content) // SECTOR) * SECTOR))
    return files, at


def pieces(files: Files) -> list[tuple[int, int, bytes | None, str | None]]:
    return [
        (piece.offset, piece.length, None if piece.data is None else bytes(piece.data), piece.problem)
        for piece in File(files.open(), FILE).pieces()
    ]


parts = st.lists(
    st.tuples(
        st.sampled_from(["hole", "no item", "plain", "part", "zlib", "part of zlib", "prealloc"]), st.integers(1, 6)
    ),
    max_size=8,
)


@settings(max_examples=60)
@given(parts, st.binary(max_size=2000), st.integers(0, SECTOR - 1), st.data())
def test_any_layout_reads_as_its_model(
    layout: list[tuple[str, int]], beginning: bytes, cut: int, data: st.DataObject
) -> None:
    files, model = Files(), bytearray()
    if beginning and not layout:
        files.inline(FILE, beginning)
        model += beginning
    for number, (kind, sectors) in enumerate(layout):
        at, size = len(model), sectors * SECTOR
        content = (noise(40, number) * (size // 40 + 1))[:size]
        if kind in ("plain", "part"):
            more = 2 * SECTOR if kind == "part" else 0
            bytenr = files.data(noise(more) + content + noise(more))
            files.extent(FILE, at, regular(bytenr, size + 2 * more, offset=more, num_bytes=size))
        elif kind in ("zlib", "part of zlib"):
            more = SECTOR if kind == "part of zlib" else 0
            stream = zlib.compress(bytes(more) + content)
            stored = -(-len(stream) // SECTOR) * SECTOR
            squeezed = regular(files.data(stream), stored, offset=more, num_bytes=size, ram_bytes=size + more)
            files.extent(FILE, at, squeezed._replace(compression=1))
        elif kind == "prealloc":
            files.extent(FILE, at, regular(files.data(content, csums=False), size, type=c.FILE_EXTENT_PREALLOC))
        elif kind == "hole":
            files.extent(FILE, at, regular(0, 0, num_bytes=size))
        model += bytes(size) if kind in ("hole", "no item", "prealloc") else content
    size = max(0, len(model) - (cut if layout else 0))
    del model[size:]
    files.file(FILE, size)
    file = File(files.open(), FILE)
    assert file.read() == bytes(model)
    for _ in range(5):
        offset, length = data.draw(st.integers(0, size + 10)), data.draw(st.integers(0, size + 10))
        assert file.read(offset, length) == bytes(model[offset : offset + length])


def test_an_inline_extent_may_be_compressed_and_shorter_than_the_file() -> None:
    files = Files()
    files.file(FILE, 3 * SECTOR)
    files.inline(FILE, zlib.compress(b"word " * 300), 1500, 1)
    assert File(files.open(), FILE).read() == (b"word " * 300).ljust(3 * SECTOR, b"\0")


def test_a_sparse_file_of_an_exbibyte_is_holes_that_cost_nothing() -> None:
    files = Files()
    files.file(FILE, 1 << 60)
    at = files.data(b"end")
    files.extent(FILE, (1 << 60) - SECTOR, regular(at, SECTOR))
    file = File(files.open(), FILE)
    assert [(piece.offset, piece.length, piece.data is None) for piece in file.pieces()] == [
        (0, (1 << 60) - SECTOR, True),
        ((1 << 60) - SECTOR, SECTOR, False),
    ]
    assert file.read((1 << 60) - SECTOR, 3) == b"end"


def test_a_long_extent_is_read_a_mebibyte_at_a_time() -> None:
    content = noise(SECTOR) * (READ_BYTES // SECTOR * 2 + 1)
    files, _ = one_extent(content)
    assert b"".join(data or b"" for _, _, data, _ in pieces(files)) == content
    assert [length for _, length in files.volume.reads] == [READ_BYTES, READ_BYTES, SECTOR]


@pytest.mark.parametrize("csum_type", CSUM_TYPES)
@pytest.mark.parametrize("spoilt", [b"other bytes", None])
def test_a_bad_sector_of_one_mirror_is_taken_from_the_other(csum_type: int, spoilt: bytes | None) -> None:
    content = noise(40 * SECTOR)
    for bad in ((0,), (39,), (3, 4, 5), (15, 16), tuple(range(40))):
        files, at = one_extent(content, csum_type)
        for sector in bad:
            files.spoil(at + sector * SECTOR, (0,), spoilt)
        assert File(files.open(), FILE).read() == content


@pytest.mark.parametrize("csum_type", CSUM_TYPES)
def test_a_sector_that_holds_in_no_mirror_is_named_and_the_rest_still_comes(csum_type: int) -> None:
    content = noise(40 * SECTOR)
    files, at = one_extent(content, csum_type)
    files.spoil(at + 7 * SECTOR)
    before, lost, behind = pieces(files)
    assert before == (0, 7 * SECTOR, content[: 7 * SECTOR], None)
    assert behind == (8 * SECTOR, 32 * SECTOR, content[8 * SECTOR :], None)
    assert lost[:3] == (7 * SECTOR, SECTOR, None)
    assert lost[3].startswith(f"data at {at + 7 * SECTOR}: mirror 1: {CSUM_TYPES[csum_type].name} is ")
    assert "; mirror 2: " in lost[3]
    with pytest.raises(CorruptError, match=rf"subvolume 5 inode 257: byte {7 * SECTOR}: data at {at + 7 * SECTOR}"):
        File(files.open(), FILE).read()
    assert File(files.open(), FILE).read(8 * SECTOR, SECTOR) == content[8 * SECTOR : 9 * SECTOR]


def test_without_verification_the_first_mirror_that_can_be_read_is_taken() -> None:
    content = noise(4 * SECTOR)
    files, at = one_extent(content)
    files.spoil(at, (0,), b"what it is now")
    files.spoil(at + SECTOR, (0,), None)
    found = File(files.open(), FILE, verify=False).read()
    assert found == b"what it is now".ljust(SECTOR, b"!") + content[SECTOR:]


def test_a_sector_without_a_checksum_is_lost_unless_the_inode_has_none() -> None:
    content = noise(4 * SECTOR)
    for flags in (0, c.INODE_NODATASUM):
        files = Files()
        files.file(FILE, len(content), flags=flags)
        at = files.data(content, csums=False)
        files.csums(at, CSUM_TYPES[0].digest(content[:SECTOR]))
        files.extent(FILE, 0, regular(at, len(content)))
        problems = [problem for *_, problem in pieces(files) if problem]
        assert len(problems) == (0 if flags else 3)
        assert all("the csum tree has no checksum of it" in problem for problem in problems)


def test_a_compressed_extent_with_a_bad_sector_or_stream_is_lost_as_a_whole_and_no_more() -> None:
    stream = zlib.compress(noise(3000) * 4)
    files = Files()
    files.file(FILE, 12 * SECTOR)
    for number, content in enumerate((stream, stream, b"no stream at all")):
        at = files.data(content)
        size = -(-len(content) // SECTOR) * SECTOR
        squeezed = regular(at, size, num_bytes=4 * SECTOR, ram_bytes=4 * SECTOR, compression=1)
        files.extent(FILE, number * 4 * SECTOR, squeezed)
        if number == 0:
            files.spoil(at)
    first, second, third = pieces(files)
    assert first[2] is None
    assert "crc32c is" in str(first[3])
    assert second[2:] == ((noise(3000) * 4).ljust(4 * SECTOR, b"\0"), None)
    assert third[2] is None
    assert ": zlib: " in str(third[3])


def test_a_stream_that_inflates_to_less_than_it_says_is_filled_up_with_zeros() -> None:
    files = Files()
    files.file(FILE, 2 * SECTOR)
    at = files.data(zlib.compress(b"few"))
    files.extent(FILE, 0, regular(at, SECTOR, num_bytes=2 * SECTOR, ram_bytes=2 * SECTOR, compression=1))
    assert File(files.open(), FILE).read() == b"few".ljust(2 * SECTOR, b"\0")


def test_a_csum_tree_that_cannot_be_read_costs_the_data_below_it_and_is_named() -> None:
    content = noise(300 * SECTOR)
    files, at = one_extent(content)
    for number in range(400):
        files.csums(at + (1000 + number * 1000) * SECTOR, bytes(1000))
    opened = files.open()
    opened.break_leaf(7, c.EXTENT_CSUM_KEY)
    problems = [piece.problem for piece in File(opened, FILE).pieces() if piece.problem]
    assert problems
    assert all("tree block" in problem for problem in problems)
    assert File(opened, FILE, verify=False).read() == content


def test_checksums_may_lie_in_several_items_and_begin_before_the_range() -> None:
    content = noise(600 * SECTOR)
    files, at = one_extent(content)
    opened = files.open()
    for first, length in ((0, 600), (255, 2), (256, 1), (599, 1), (100, 400)):
        data, bad = read_data(opened, at + first * SECTOR, length * SECTOR)
        assert (bytes(data), bad) == (content[first * SECTOR : (first + length) * SECTOR], [])


def test_the_target_of_a_link_is_its_data_and_one_that_cannot_be_is_named() -> None:
    files = Files()
    files.link(Place(5, 300), b"../there")
    files.link(Place(5, 301), b"a\0b")
    files.inode(Place(5, 302), 0o120777, size=0)
    files.inode(Place(5, 303), 0o120777, size=1 << 40)
    opened = files.open()
    assert read_symlink(opened, Place(5, 300)) == b"../there"
    for ino, message in ((301, "zero byte"), (302, "a symbolic link of 0 bytes"), (303, "of 1099511627776 bytes")):
        with pytest.raises(CorruptError, match=message):
            read_symlink(opened, Place(5, ino))


def test_links_are_followed_inside_the_image_and_loops_end() -> None:
    files = Files()
    folder = files.directory(Place(5, 300))
    files.name(Place(5, 256), b"folder", folder, 0o040000)
    files.name(folder, b"file", files.file(Place(5, 301), 0))
    for number, (name, target) in enumerate(
        [(b"up", b"../../../folder/file"), (b"absolute", b"/folder/up"), (b"loop", b"loop"), (b"gone", b"nowhere/file")]
    ):
        files.name(folder, name, files.link(Place(5, 310 + number), target), 0o120000)
    opened = files.open()
    assert resolve(opened, b"/folder/up") == resolve(opened, b"/folder/absolute") == Place(5, 301)
    assert resolve(opened, b"/folder/up", follow=False) == Place(5, 310)
    with pytest.raises(NotFoundError, match="/folder/loop: too many levels of symbolic links"):
        resolve(opened, b"/folder/loop")
    with pytest.raises(NotFoundError, match="/folder/nowhere: no such file or directory"):
        resolve(opened, b"/folder/gone")


def test_an_extent_in_no_chunk_is_one_piece_however_long_and_is_named() -> None:
    files = Files()
    files.file(FILE, 1 << 33)
    files.extent(FILE, 0, regular(DATA_END, 1 << 33))
    assert pieces(files) == [(0, 1 << 33, None, f"extent {DATA_END}: no chunk holds address {DATA_END}")]


def test_data_that_was_never_written_is_named() -> None:
    files = Files()
    files.file(FILE, SECTOR)
    files.extent(FILE, 0, regular(DATA + SECTOR, SECTOR))
    [(_, _, data, problem)] = pieces(files)
    assert data is None
    assert problem == f"data at {DATA + SECTOR}: mirror 1: cannot be read; mirror 2: cannot be read"
