"""The map of block groups as text: coloured blocks on a terminal; letters and digits in a pipe or without colour.

A coloured block is as high as its cell is full. Without colour a row of letters says the kind, and a row below how
full each cell is, in tenths.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from math import ceil
from typing import TYPE_CHECKING, NamedTuple, TextIO

from pybtrfs.fs.space import Usage
from pybtrfs.ondisk import constants as c
from pybtrfs.render.map import FREE, KINDS, MIXED, Bar, Cell, Scale, cells, scale
from pybtrfs.render.sizes import Units, size_text
from pybtrfs.render.space import profile_name, type_name
from pybtrfs.render.tables import can_print

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Escape = Callable[..., str]
PIPE_WIDTH, PIPE_HEIGHT = 80, 40
_INDENT = "  "
_BLOCKS = " ▁▂▃▄▅▆▇█"
_FREE_BLOCK = "·"
_LETTERS = {c.BLOCK_GROUP_DATA: "D", c.BLOCK_GROUP_METADATA: "M", c.BLOCK_GROUP_SYSTEM: "S", MIXED: "X", FREE: "."}
_STYLES = {  # colours that terminals of 256 have, too
    c.BLOCK_GROUP_DATA: "color(75) on color(18)",
    c.BLOCK_GROUP_METADATA: "color(215) on color(94)",
    c.BLOCK_GROUP_SYSTEM: "color(176) on color(53)",
    MIXED: "color(79) on color(23)",
    FREE: "bright_black",
}


class Picture(NamedTuple):
    """What is drawn: the devices, and the sums for the legend."""

    bars: list[Bar]
    usages: list[Usage]
    raw: dict[int, int]  # bytes on devices, by the flags of `usages`
    units: Units

    @property
    def unallocated(self) -> int:
        return sum(bar.size - bar.allocated for bar in self.bars)


def write_map(picture: Picture, escape: Escape, stream: TextIO, *, plain: bool) -> None:
    """Draw on a terminal, as wide and at most as high as it is; `plain` leaves out colour (NO_COLOR)."""
    from rich.console import Console  # noqa: PLC0415  start-up

    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if plain or console.color_system is None or not can_print(_BLOCKS, console.encoding):
        stream.writelines(f"{line}\n" for line in map_lines(picture, escape, console.width, console.height))
        return
    _draw(picture, escape, console)


def map_lines(picture: Picture, escape: Escape, width: int = PIPE_WIDTH, height: int = PIPE_HEIGHT) -> Iterator[str]:
    """The map without colour, in ASCII but for paths; in a pipe its size does not depend on a terminal."""
    layout = _layout(picture, width, height, lines_of_row=2)
    for bar, row in _rows(picture, layout):
        if row is None:
            yield _heading(bar, picture.units, escape)
        else:
            yield _INDENT + "".join(_LETTERS[cell.kind] for cell in row)
            if any(cell.kind for cell in row):
                yield (_INDENT + "".join(map(_digit, row))).rstrip()
    yield ""
    yield from _legend(picture, (f"{_LETTERS[kind]} " for kind in _legend_kinds(picture)))
    yield f"{_cell_text(picture, layout)}; below it its tenths in use, - for none"


def _draw(picture: Picture, escape: Escape, console: "Console") -> None:
    from rich.text import Text  # noqa: PLC0415  start-up

    layout = _layout(picture, console.width, console.height, lines_of_row=1)
    lines: list[Text] = []
    for bar, row in _rows(picture, layout):
        if row is None:
            lines.append(Text(_heading(bar, picture.units, escape), "bold"))
        else:
            lines.append(Text(_INDENT).append_text(_coloured(row)))
    lines.append(Text(""))
    for kind, text in zip(_legend_kinds(picture), _legend(picture), strict=True):
        lines.append(Text(_INDENT).append_text(_coloured([Cell(kind, 0.5)] * 2)).append(text))
    lines.append(Text(f"{_cell_text(picture, layout)}; it is as high as its block groups are full", "dim"))
    for line in lines:
        console.print(line, soft_wrap=True)


def _coloured(row: Iterable[Cell]) -> "Text":
    from rich.text import Text  # noqa: PLC0415  start-up

    text = Text()
    for kind, run in groupby(row, key=lambda cell: cell.kind):
        text.append("".join(_BLOCKS[ceil(cell.fill * 8)] if kind else _FREE_BLOCK for cell in run), _STYLES[kind])
    return text


def _layout(picture: Picture, width: int, height: int, *, lines_of_row: int) -> Scale:
    others = len(picture.bars) + len(picture.usages) + 4  # headings, legend, what is free, what a cell is, the prompt
    cells_wide = max(10, width - 2 * len(_INDENT))
    return scale([bar.size for bar in picture.bars], cells_wide, (height - others) // lines_of_row)


def _rows(picture: Picture, layout: Scale) -> Iterator[tuple[Bar, Sequence[Cell] | None]]:
    """Each device, first with None for its heading and then row by row."""
    for bar, count in zip(picture.bars, layout.counts, strict=True):
        yield bar, None
        found = cells(bar.extents, bar.size, count)
        for start in range(0, len(found), layout.width):
            yield bar, found[start : start + layout.width]


def _heading(bar: Bar, units: Units, escape: Escape) -> str:
    where = "missing" if bar.path is None else escape(bar.path)
    sizes = f"{size_text(bar.size, units)}, {size_text(bar.allocated, units)} allocated"
    return f"devid {bar.devid}: {sizes}, {where}"


def _legend_kinds(picture: Picture) -> list[int]:
    return [*(_shown_kind(usage.flags) for usage in picture.usages), FREE]


def _legend(picture: Picture, marks: Iterable[str] | None = None) -> Iterator[str]:
    """A line for each type and profile, and one for what is free."""
    rows = [_legend_row(usage, picture) for usage in picture.usages]
    rows.append(("Unallocated", size_text(picture.unallocated, picture.units), ""))
    names, sizes = (max(len(row[column]) for row in rows) for column in (0, 1))
    for row, mark in zip(rows, marks or [" "] * len(rows), strict=True):
        yield f"{_INDENT if marks else ''}{mark}{row[0]:<{names}}  {row[1]:>{sizes}}{row[2]}"


def _legend_row(usage: Usage, picture: Picture) -> tuple[str, str, str]:
    units, percent = picture.units, 100 * usage.used / max(1, usage.total)
    raw = size_text(picture.raw[usage.flags], units)
    used = f", {size_text(usage.used, units)} used ({percent:.2f}%), {raw} on devices"
    return f"{type_name(usage.flags)}, {profile_name(usage.flags)}", size_text(usage.total, units), used


def _cell_text(picture: Picture, layout: Scale) -> str:
    sizes = [bar.size // count for bar, count in zip(picture.bars, layout.counts, strict=True)]
    return f"A cell is {size_text(max(sizes, default=0), picture.units)}"


def _digit(cell: Cell) -> str:
    if not cell.kind:
        return " "
    return str(min(9, int(cell.fill * 10))) if cell.fill else "-"


def _shown_kind(flags: int) -> int:
    kind = flags & c.BLOCK_GROUP_TYPE_MASK
    return kind if kind in KINDS else FREE
