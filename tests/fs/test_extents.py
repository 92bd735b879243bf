"""What a file consists of: each problem of a file extent by its sentence, and segments without gaps."""

from itertools import pairwise

import pytest
from files import DATA, SECTOR, Files, regular
from hypothesis import given
from hypothesis import strategies as st

from pybtrfs.compression import MAX_COMPRESSED, MAX_UNCOMPRESSED
from pybtrfs.errors import CorruptError
from pybtrfs.fs.extents import Tally, extent_problems, segments, tally
from pybtrfs.fs.inode import Place
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.file_extent import FileExtent, InlineExtent
from pybtrfs.ondisk.key import Key

FILE = Place(5, 257)
ZLIB = 1
REGULAR = regular(DATA, 4 * SECTOR)
SQUEEZED = regular(DATA, SECTOR, ram_bytes=4 * SECTOR, num_bytes=4 * SECTOR, compression=ZLIB)
INLINE = InlineExtent(1, 5, 0, 0, 0, c.FILE_EXTENT_INLINE, b"hello")
HOLE = regular(0, 0, num_bytes=4 * SECTOR)

PROBLEMS = [
    (INLINE._replace(compression=4), 0, "compression is 4, expected 0 to 3"),
    (REGULAR._replace(encryption=1), 0, "encryption is 1 and other_encoding 0, expected 0"),
    (REGULAR._replace(other_encoding=2), 0, "encryption is 0 and other_encoding 2, expected 0"),
    (INLINE, SECTOR, f"an inline extent at {SECTOR}, expected at 0"),
    (INLINE._replace(ram_bytes=6), 0, "an inline extent of 5 bytes says that it has 6"),
    (INLINE._replace(compression=1, ram_bytes=1 << 30), 0, "a compressed inline extent of 1073741824 bytes"),
    (REGULAR._replace(type=3), 0, "type is 3, expected one of 0, 1, 2"),
    (REGULAR, 100, "file offset is 100, expected a multiple of 4096"),
    (REGULAR._replace(num_bytes=5000), 0, "num_bytes is 5000, expected a multiple"),
    (REGULAR._replace(disk_bytenr=DATA + 1), 0, f"disk_bytenr is {DATA + 1}, expected a multiple"),
    (REGULAR._replace(disk_num_bytes=4 * SECTOR + 1), 0, "disk_num_bytes is 16385, expected a multiple"),
    (REGULAR._replace(offset=1, num_bytes=SECTOR), 0, "offset is 1, expected a multiple"),
    (regular(DATA, 1 << 35), 0, "disk_num_bytes is 34359738368, expected at most 17179869184"),
    (REGULAR._replace(num_bytes=0), 0, "num_bytes is 0 at 0, expected to end in the file"),
    (HOLE._replace(num_bytes=1 << 63), SECTOR, "num_bytes is 9223372036854775808 at 4096, expected to end in the file"),
    (REGULAR._replace(offset=SECTOR), 0, "bytes 4096 to 20480 of an extent of 16384"),
    (SQUEEZED._replace(offset=SECTOR), 0, "bytes 4096 to 20480 of an extent of 16384"),
    (SQUEEZED._replace(ram_bytes=MAX_UNCOMPRESSED + SECTOR), 0, "a compressed extent of 4096 bytes with 135168 in it"),
    (SQUEEZED._replace(disk_num_bytes=MAX_COMPRESSED + SECTOR), 0, "a compressed extent of 135168 bytes with 16384"),
]


@pytest.mark.parametrize(
    ("extent", "at", "problem"), PROBLEMS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_problem_of_a_file_extent_has_its_sentence(
    extent: FileExtent | InlineExtent, at: int, problem: str
) -> None:
    [found] = extent_problems(extent, at, 0, SECTOR)
    assert found.startswith(problem)


@pytest.mark.parametrize("extent", [REGULAR, SQUEEZED, INLINE, HOLE, REGULAR._replace(type=c.FILE_EXTENT_PREALLOC)])
def test_a_sound_extent_has_none_and_an_overlapping_one_is_named(extent: FileExtent | InlineExtent) -> None:
    assert list(extent_problems(extent, 0, 0, SECTOR)) == []
    assert list(extent_problems(extent, 0, SECTOR, SECTOR)) == [
        "a file extent at 0 begins before the end of the one before it, 4096"
    ]


def laid_out(*extents: tuple[int, FileExtent]) -> Files:
    files = Files()
    files.file(FILE, 1 << 30)
    for at, extent in extents:
        files.extent(FILE, at * SECTOR, extent)
    return files


def spans(files: Files, first: int, end: int) -> list[tuple[int, int, bool]]:
    found = list(segments(files.open(), FILE, first, end))
    assert all(left.file_offset + left.length == right.file_offset for left, right in pairwise(found))
    return [(segment.file_offset, segment.length, segment.is_hole) for segment in found]


def test_what_no_item_says_and_what_one_says_is_nowhere_are_holes() -> None:
    files = laid_out((2, regular(DATA, SECTOR)), (3, regular(0, 0, num_bytes=SECTOR)), (6, regular(DATA, SECTOR)))
    unit = SECTOR
    assert spans(files, 0, 8 * unit) == [
        (0, 2 * unit, True),
        (2 * unit, unit, False),
        (3 * unit, unit, True),
        (4 * unit, 2 * unit, True),
        (6 * unit, unit, False),
        (7 * unit, unit, True),
    ]
    assert spans(files, 2 * unit + 10, 2 * unit + 20) == [(2 * unit + 10, 10, False)]
    assert spans(files, 5 * unit, 5 * unit) == []


@given(st.sets(st.integers(0, 40), max_size=12), st.integers(0, 45 * SECTOR), st.integers(0, 45 * SECTOR))
def test_any_range_is_covered_once_and_by_the_right_extents(places: set[int], first: int, end: int) -> None:
    files = laid_out(*((at, regular(DATA + at * SECTOR, SECTOR)) for at in places))
    covered = [
        at
        for offset, length, is_hole in spans(files, first, end)
        for at in range(offset, offset + length)
        if not is_hole
    ][:: SECTOR // 4]
    assert all(at // SECTOR in places for at in covered)
    assert sum(length for _, length, _ in spans(files, first, end)) == max(0, end - first)


def test_a_damaged_item_is_told_and_what_it_said_is_a_hole() -> None:
    files = laid_out((0, regular(DATA, SECTOR)), (1, regular(DATA, SECTOR, encryption=1)), (2, regular(DATA, SECTOR)))
    files.put(Key(257, c.EXTENT_DATA_KEY, 3 * SECTOR), b"short")
    opened, told = files.open(), []
    found = list(segments(opened, FILE, 0, 5 * SECTOR, told.append))
    assert [(segment.file_offset // SECTOR, segment.is_hole) for segment in found] == [
        (0, False),
        (1, True),
        (2, False),
        (3, True),
    ]
    assert ["encryption" in str(told[0]), "EXTENT_DATA" in str(told[1])] == [True, True]
    with pytest.raises(CorruptError, match=r"leaf \d+ slot \d+: encryption is 1"):
        list(segments(opened, FILE, 0, 5 * SECTOR))


def test_a_tally_counts_all_kinds() -> None:
    prealloc = regular(DATA, SECTOR, type=c.FILE_EXTENT_PREALLOC)
    files = laid_out((0, SQUEEZED), (4, regular(DATA, SECTOR)), (5, HOLE), (9, prealloc), (1000, prealloc))
    assert tally(files.open(), FILE) == Tally(2, 0, 2, 1, {ZLIB: 1})
