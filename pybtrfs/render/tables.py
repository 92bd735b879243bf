"""Tables for a terminal, by rich: only there; a pipe gets plain lines that scripts can rely on.

Cells come from images: they are escaped before and are never parsed as markup.
"""

from collections.abc import Iterable, Sequence
from typing import TextIO


def write_table(columns: Sequence[str], rows: Iterable[Sequence[str]], stream: TextIO, *, plain: bool = False) -> None:
    """Write a table with a heading; a cell that is too long for the terminal goes on in the next line.

    `plain` leaves out colour and weight (NO_COLOR).
    """
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415  start-up
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(file=stream, highlight=False, markup=False, emoji=False, color_system=None if plain else "auto").print(
        table
    )


def can_print(text: str, encoding: str) -> bool:
    """Whether a stream of this encoding has all of these characters."""
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def text_table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Lines of a table whose cells begin with `<` (to the left), `>` (to the right) or `*` (a character to fill)."""
    widths = [
        max((len(cell) - 1 for cell in column if cell[:1] in ("<", ">")), default=0)
        for column in zip(*rows, strict=True)
    ]
    for row in rows:
        yield " ".join(_cell(cell, width) for cell, width in zip(row, widths, strict=True))


def _cell(cell: str, width: int) -> str:
    if cell.startswith("*"):
        return cell[1:] * width
    return cell[1:].rjust(width) if cell.startswith(">") else cell[1:].ljust(width)
