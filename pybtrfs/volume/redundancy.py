"""All ways to come by the bytes of a piece: its copies, then what parity says they must be.

Whoever reads tries one after the other until a checksum holds. With raid6 a stripe that reads well may still hold
wrong bytes, so after the ways that trust all others come those in which one other data stripe is distrusted.
"""

from collections.abc import Callable, Iterator

from pybtrfs.volume import parity
from pybtrfs.volume.striping import Piece, Placement, Row

Read = Callable[[Placement], bytes | None]
Way = tuple[str, bytes | None]
"""What it is, for messages, and the bytes; None where they cannot be had."""


def ways(piece: Piece, read: Read) -> Iterator[Way]:
    """Each way to the bytes of `piece`; `read` gives the bytes of a placement, None where it cannot."""
    for number, place in enumerate(piece.copies, 1):
        yield f"mirror {number} (devid {place.devid} at {place.physical})", read(place)
    if piece.row is not None:
        yield from _computed(piece.row, read)


def _computed(row: Row, read: Read) -> Iterator[Way]:
    data = [None if index == row.wanted else read(place) for index, place in enumerate(row.data)]
    p, q = [*map(read, row.parity), None][:2]
    missing = [index for index, part in enumerate(data) if part is None and index != row.wanted]
    if not missing:
        if p is not None:
            yield "computed from P", parity.from_p(data, p, row.wanted)
        if q is not None:
            yield "computed from Q", parity.from_q(data, q, row.wanted)
    if p is None or q is None or len(missing) > 1:
        return
    for other in missing or [index for index in range(len(data)) if index != row.wanted]:
        found = parity.from_p_and_q(data, p, q, row.wanted, other)
        yield f"computed from P and Q without devid {row.data[other].devid}", found
