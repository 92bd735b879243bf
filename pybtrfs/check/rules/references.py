"""References to extents, from all trees, against the backrefs and counts that the extent tree holds."""

from collections.abc import Iterator

import numpy as np

from pybtrfs.check.columns import U64
from pybtrfs.check.findings import Severity
from pybtrfs.check.ledger import Ledger, Posting
from pybtrfs.check.rule import collected, ledger
from pybtrfs.check.tables import Tables
from pybtrfs.ondisk import constants as c


@ledger(
    "EXT-001",
    Severity.ERROR,
    "extent {bytenr}: backref of type {kind} ({a}, {b}, {c}): references less what it counts: {difference}",
    "bytenr", "kind", "a", "b", "c",
)  # fmt: skip
def backrefs(t: Tables) -> Iterator[Posting]:
    """Each reference from a tree has its backref, with the right count, and the reverse."""
    r, b = t.reference, t.backref
    yield 1, r, (r.bytenr, r.kind, r.a, r.b, r.c)
    yield np.negative(b.count), b, (b.bytenr, b.kind, b.a, b.b, b.c)


@ledger("EXT-002", Severity.ERROR, "extent {bytenr}: refs less the counts of its backrefs is {difference}", "bytenr")
def counts(t: Tables) -> Iterator[Posting]:
    """The count in an extent item is the sum of its backrefs, inline and keyed."""
    yield t.extent_item.refs, t.extent_item, (t.extent_item.bytenr,)
    yield np.negative(t.backref.count), t.backref, (t.backref.bytenr,)


@ledger(
    "EXT-003", Severity.ERROR, "extent {bytenr}: lengths in file extents less length times refs: {difference}", "bytenr"
)
def lengths(t: Tables) -> Iterator[Posting]:
    """Whoever refers to an extent says the length that its item has."""
    r, e = t.reference, t.extent_item
    yield r.length, r, (r.bytenr,)
    yield np.negative(e.length * e.refs), e, (e.bytenr,)


LEDGERS: list[Ledger] = collected(globals(), Ledger)
TREE_BLOCK_REF = U64(c.TREE_BLOCK_REF_KEY)
