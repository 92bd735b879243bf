"""Headers of tree blocks, as far as they do not decide whether a block can be read (that is the reader's part)."""

from pybtrfs.check.columns import U64
from pybtrfs.check.findings import Severity
from pybtrfs.check.rule import Judged, RowTest, collected, row_test
from pybtrfs.check.tables import Tables
from pybtrfs.ondisk import constants as c

_KNOWN = c.HEADER_FLAG_WRITTEN | c.HEADER_FLAG_RELOC
_REVISION = c.MIXED_BACKREF_REV << c.BACKREF_REV_SHIFT


@row_test("BLK-010", Severity.ERROR, "tree block {bytenr}: flags are {flags}, expected 1 and the backref revision 1")
def known_flags(t: Tables) -> Judged:
    """A block has the one backref revision there is; one that relocation wrote is known to others by its address."""
    b = t.block
    relocated = ((b.flags & U64(c.HEADER_FLAG_RELOC)) != U64(0)) & ~t.referred_by_block
    return b, relocated | ((b.flags | U64(_KNOWN)) != U64(_KNOWN | _REVISION))


TESTS: list[RowTest] = collected(globals(), RowTest)
