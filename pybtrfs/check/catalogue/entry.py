"""How entries of the catalogue are written down: families of codes, and rows in them."""

from collections.abc import Iterable
from typing import NamedTuple


class Entry(NamedTuple):
    """The texts of one code; whole sentences, for people."""

    title: str
    meaning: str
    risk: str
    next: str


class Row(NamedTuple):
    """One code of a family."""

    number: str
    title: str
    meaning: str
    risk: str | None = None  # where it is not the family's
    next: str | None = None


class Family(NamedTuple):
    """Codes with a prefix, and what most of them share."""

    prefix: str
    risk: str
    next: str
    rows: tuple[Row, ...]


COPY_OUT = "Copy what matters out first (pybtrfs restore), then make the filesystem anew or try a repair on a copy."
"""For what cannot be mended in place with certainty."""
HARMLESS = "Nothing."
NOTHING_TO_DO = "Nothing needs to be done."


def entries(families: Iterable[Family]) -> dict[str, Entry]:
    """The entry of each code, in the order of the families."""
    return {
        f"{family.prefix}-{row.number}": Entry(row.title, row.meaning, row.risk or family.risk, row.next or family.next)
        for family in families
        for row in family.rows
    }
