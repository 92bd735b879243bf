"""The map of block groups: cells from extents, text of a fixed size, a picture that is well-formed."""

import io
import os
import pty
import random
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from commandline import run
from hypothesis import given
from hypothesis import strategies as st

from pybtrfs.commands._session import escape
from pybtrfs.fs.space import Extent, Usage
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import Chunk
from pybtrfs.render.map import FREE, MIXED, Bar, Cell, cells, scale
from pybtrfs.render.map_svg import boxes, map_svg
from pybtrfs.render.map_text import Picture, map_lines, write_map
from pybtrfs.render.sizes import HUMAN

DATA, METADATA, SYSTEM = c.BLOCK_GROUP_DATA, c.BLOCK_GROUP_METADATA, c.BLOCK_GROUP_SYSTEM
GIB, TIB = 1 << 30, 1 << 40
SVG = "{http://www.w3.org/2000/svg}"


def extent(start: int, length: int, flags: int, used: float = 0.0, devid: int = 1) -> Extent:
    chunk = Chunk(length, 2, 65536, flags, 65536, 65536, 4096, 1, 1, ())
    return Extent(devid, start, length, start, chunk, round(length * used))


def picture(*bars: Bar) -> Picture:
    total, raw = {}, {}
    for bar in bars:
        for found in bar.extents:
            flags = found.chunk.type
            before = total.get(flags, Usage(flags, 0, 0))
            total[flags] = Usage(flags, before.total + found.chunk.length, before.used + found.used)
            raw[flags] = raw.get(flags, 0) + found.length
    return Picture(list(bars), list(total.values()), raw, HUMAN)


def disk(size: int, devid: int = 1, path: str | None = "/disk.img") -> Bar:
    """A device that is three quarters full of data chunks, with system and metadata at the beginning."""
    chunk = min(GIB, size // 8)
    found = [extent(1 << 20, 8 << 20, SYSTEM, 0.01, devid), extent(9 << 20, 32 << 20, METADATA, 0.5, devid)]
    count = min(20000, size * 3 // 4 // chunk)
    found += [extent((41 << 20) + number * chunk, chunk, DATA, number / count, devid) for number in range(count)]
    return Bar(devid, size, path, found)


def test_a_cell_shows_the_kind_that_has_the_most_of_it_and_how_full_that_is() -> None:
    found = cells([extent(0, 100, DATA, 0.5), extent(100, 70, METADATA), extent(170, 30, DATA, 1.0)], 400, 4)
    assert found == [Cell(DATA, 0.5), Cell(METADATA, 0.0), Cell(FREE, 0.0), Cell(FREE, 0.0)]


def test_a_kind_that_nowhere_has_the_most_gets_a_cell_but_not_the_only_one_of_another() -> None:
    tiny, large = extent(110, 5, SYSTEM, 1.0), extent(100, 300, DATA, 0.5)
    assert [cell.kind for cell in cells([tiny, large], 400, 4)] == [FREE, SYSTEM, DATA, DATA]
    assert [cell.kind for cell in cells([tiny, extent(115, 85, DATA)], 400, 4)] == [FREE, DATA, FREE, FREE]


def test_a_cell_counts_each_extent_by_its_share() -> None:
    [cell] = cells([extent(0, 100, DATA, 1.0), extent(100, 300, DATA, 0.0)], 400, 1)
    assert cell == Cell(DATA, 0.25)


def test_extents_that_a_damaged_chunk_puts_behind_the_end_are_cut_off() -> None:
    found = cells([extent(300, 1 << 63, DATA, 2.0), extent(1 << 62, 100, METADATA)], 400, 4)
    assert found == [Cell(FREE, 0.0)] * 3 + [Cell(DATA, 1.0)]
    assert cells([extent(0, 100, DATA)], 0, 4) == []


ranges = st.tuples(st.integers(0, 60), st.integers(1, 40), st.sampled_from([DATA, METADATA, MIXED]), st.integers(0, 40))


@given(st.lists(ranges, max_size=6), st.integers(1, 80), st.integers(1, 90))
def test_the_sums_of_cells_are_those_of_counting_bytes(
    found: list[tuple[int, int, int, int]], size: int, n: int
) -> None:
    extents = [extent(start, length, kind)._replace(used=min(used, length)) for start, length, kind, used in found]
    for number, cell in enumerate(cells(extents, size, n)):
        part = range(size * number // n, size * (number + 1) // n)
        taken = dict.fromkeys((DATA, METADATA, MIXED), 0)
        used = dict.fromkeys(taken, 0.0)
        for one in extents:
            inside = len(range(max(part.start, one.start), min(part.stop, one.start + one.length)))
            taken[one.chunk.type] += inside
            used[one.chunk.type] += inside * one.used / one.length
        if cell.kind:
            assert taken[cell.kind] > 0
            assert cell.fill == pytest.approx(used[cell.kind] / taken[cell.kind])
        else:
            assert max(taken.values()) <= len(part) - sum(taken.values()) or not any(taken.values())


@pytest.mark.parametrize("devices", range(1, 7))
@pytest.mark.parametrize("size", [GIB, 300 * GIB, 20 * TIB])
def test_any_filesystem_fits_one_screen(devices: int, size: int) -> None:
    drawn = picture(*(disk(size * (number + 1) // devices, number + 1) for number in range(devices)))
    for width, height in ((80, 40), (80, 24), (200, 60)):
        lines = list(map_lines(drawn, escape, width, height))
        assert len(lines) <= height
        assert max(map(len, lines)) <= width
        rows = [line for line in lines if line.startswith("  ") and set(line.strip()) <= set("DMSX.")]
        assert {letter for row in rows for letter in row.strip()} >= set("DM.")


def test_all_devices_are_drawn_to_one_scale_and_none_vanishes() -> None:
    found = scale([10 * TIB, 5 * TIB, 1], 70, 8)
    assert found.counts == [280, 140, 1]
    assert [found.rows(number) for number in range(3)] == [4, 2, 1]


def test_a_pipe_gets_letters_digits_and_a_legend() -> None:
    bar = Bar(1, 760, "/a\x1b[1m", [extent(0, 190, DATA, 0.5), extent(190, 190, METADATA, 0.0)])
    missing = Bar(2, 380, None, [extent(0, 190, DATA | c.BLOCK_GROUP_RAID1, 1.0, devid=2)])
    assert list(map_lines(picture(bar, missing), escape, width=80, height=14)) == [
        "devid 1: 760.00B, 380.00B allocated, /a\\x1b[1m",
        "  " + "D" * 19 + "M" * 19 + "." * 38,
        "  " + "5" * 19 + "-" * 19,
        "devid 2: 380.00B, 190.00B allocated, missing",
        "  " + "D" * 19 + "." * 19,
        "  " + "9" * 19,
        "",
        "  D Data, single      190.00B, 95.00B used (50.00%), 190.00B on devices",
        "  M Metadata, single  190.00B, 0.00B used (0.00%), 190.00B on devices",
        "  D Data, RAID1       190.00B, 190.00B used (100.00%), 190.00B on devices",
        "  . Unallocated       570.00B",
        "A cell is 10.00B; below it its tenths in use, - for none",
    ]


def test_without_colour_a_terminal_gets_what_a_pipe_gets() -> None:
    stream = io.StringIO()
    write_map(picture(disk(GIB)), escape, stream, plain=True)
    assert "DDDD" in stream.getvalue()
    assert stream.getvalue().isascii()


def test_a_terminal_gets_colours_unless_told_not_to(tmp_path: Path) -> None:
    image = tmp_path / "image"
    assert run("mkfs", "-q", "-b", "1G", image).status == 0
    for no_color, block in (("", "\x1b[38;5;215;48;5;94m"), ("1", "MMM")):
        ours, theirs = pty.openpty()
        environment = os.environ | {"NO_COLOR": no_color, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
        environment |= {"COLUMNS": "100", "LINES": "30"}
        words = [sys.executable, "-m", "pybtrfs", "inspect", "map", str(image)]
        subprocess.run(words, stdout=theirs, check=True, env=environment)
        os.close(theirs)
        shown = os.read(ours, 1 << 16).decode()
        os.close(ours)
        assert block in shown
        assert ("\x1b" in shown) == (not no_color)


def test_the_picture_is_well_formed_and_has_a_box_for_each_extent() -> None:
    bar = disk(8 * GIB, path='/<b>&"quoted"\udcff\x00')
    root = ET.fromstring(map_svg(picture(bar), "Label: '</svg>&'", escape).encode())
    texts = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    assert texts[0] == "Label: '</svg>&'"
    assert any('/<b>&"quoted"\\xff\\x00' in text for text in texts)
    titles = [str(title.text) for title in root.iterfind(f"{SVG}g/{SVG}title")]
    assert len(titles) == len(bar.extents)
    assert titles[1] == f"Metadata, single, 32.00MiB at 9.00MiB, chunk {9 << 20}, 50% used"


def test_boxes_stay_inside_their_device_and_are_bounded_in_number() -> None:
    rng = random.Random(1)
    wild = [extent(rng.randrange(2 * TIB), rng.randrange(1, 2 * TIB), DATA, rng.random()) for _ in range(30)]
    for bar in (Bar(1, TIB, None, wild), disk(20 * TIB), disk(8 * GIB)):
        found = boxes(bar, HUMAN)
        assert 0 < len(found) <= 400
        assert all(0 <= box.start < box.start + box.length <= bar.size for box in found)
        assert all(0 <= box.fill <= 1 and box.title for box in found)
    assert len(disk(20 * TIB).extents) > 10000


def test_svg_goes_to_a_file_or_to_standard_output_but_never_over_a_device(tmp_path: Path) -> None:
    image, picture_file = tmp_path / "image", tmp_path / "map.svg"
    assert run("mkfs", "-q", "-b", "200M", "-L", "<odd & label>", image).status == 0
    assert run("inspect", "map", "--svg", picture_file, image).output == ""
    assert run("inspect", "map", "--svg", "-", image).output == picture_file.read_text()
    assert "Label: '<odd & label>'" in str(ET.parse(picture_file).getroot()[0].text)
    before = image.read_bytes()
    link = tmp_path / "link"
    link.symlink_to(image)
    for way in (image, link):
        refused = run("inspect", "map", "--svg", way, image)
        assert (refused.status, refused.complaint()) == (1, None)
        assert "it is not overwritten" in refused.errors
    assert image.read_bytes() == before
    assert run("inspect", "map", "--svg", "-", "--format", "json", image).status == 2
    assert run("inspect", "map", "--svg", tmp_path / "none" / "x", image).complaint() is None
