"""Which bytes of a block group stand where: each profile's way to spread 64 KiB pieces over its stripes.

Pieces go round the data stripes; a turn is a row. Copies stand in neighbouring stripes. With parity every row
begins one stripe further on, its data first, then P, then Q; a row is written whole, so that its parity is true
whatever was on the devices before.
"""

from collections.abc import Iterable, Iterator

from pybtrfs.mkfs.blockgroups import BlockGroup, Place
from pybtrfs.ondisk.constants import STRIPE_LEN
from pybtrfs.volume.parity import p_of, q_of


def striped(group: BlockGroup, blocks: Iterable[tuple[int, bytes]]) -> Iterator[tuple[Place, bytes]]:
    """Place and bytes of all that holds the blocks, given by logical address; none crosses a piece's end."""
    if group.profile.parity:
        yield from _with_parity(group, blocks)
        return
    for bytenr, data in blocks:
        for index, offset in _copies(group, bytenr - group.start):
            place = group.stripes[index]
            yield Place(place.devid, place.physical + offset), data


def _copies(group: BlockGroup, offset: int) -> Iterator[tuple[int, int]]:
    """Stripe and offset in that stripe of each copy of the byte at `offset` in the block group."""
    copies = group.profile.copies
    if group.profile.whole:
        yield from ((index, offset) for index in range(copies))
        return
    row, column = divmod(offset // STRIPE_LEN, group.data_stripes)
    for copy in range(copies):
        yield column * copies + copy, row * STRIPE_LEN + offset % STRIPE_LEN


def _with_parity(group: BlockGroup, blocks: Iterable[tuple[int, bytes]]) -> Iterator[tuple[Place, bytes]]:
    rows: dict[int, list[bytearray]] = {}
    for bytenr, data in blocks:
        number, at = divmod(bytenr - group.start, STRIPE_LEN)
        row, column = divmod(number, group.data_stripes)
        pieces = rows.setdefault(row, [bytearray(STRIPE_LEN) for _ in range(group.data_stripes)])
        pieces[column][at : at + len(data)] = data
    for row, pieces in rows.items():
        whole = [bytes(piece) for piece in pieces]
        parities = [p_of(whole), q_of(whole)][: group.profile.parity]
        for index, piece in enumerate([*whole, *parities]):
            place = group.stripes[(row + index) % len(group.stripes)]
            yield Place(place.devid, place.physical + row * STRIPE_LEN), piece
