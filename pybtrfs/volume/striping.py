"""Where the bytes of a chunk are: each profile's geometry, without I/O.

A range of logical addresses falls into pieces, each within one stripe element of 64 KiB; profiles whose stripes
hold the whole chunk have one piece. A piece names its direct copies and, with parity, the row of elements that it
can be computed from. (`btrfs_map_block` and its `map_blocks_*` in the kernel's volumes.c.)
"""

from collections.abc import Iterator
from typing import NamedTuple

from pybtrfs.ondisk.chunk import Chunk
from pybtrfs.ondisk.constants import STRIPE_LEN
from pybtrfs.volume.profiles import Profile


class Placement(NamedTuple):
    """`length` bytes at `physical` on device `devid`."""

    devid: int
    physical: int
    length: int


class Row(NamedTuple):
    """The elements that one parity covers, cut to the bytes of a piece: data in order, then P, then Q."""

    data: tuple[Placement, ...]
    parity: tuple[Placement, ...]
    wanted: int  # which of `data` the piece is


class Piece(NamedTuple):
    """A part of a range: `length` bytes whose copies are all in one place each."""

    length: int
    copies: tuple[Placement, ...]
    row: Row | None = None


def pieces(chunk: Chunk, profile: Profile, offset: int, length: int) -> Iterator[Piece]:
    """The pieces of `length` bytes from byte `offset` of the chunk on."""
    if profile.whole:
        yield Piece(length, tuple(Placement(s.devid, s.offset + offset, length) for s in chunk.stripes))
        return
    while length:
        part = min(length, STRIPE_LEN - offset % STRIPE_LEN)
        yield _element(chunk, profile, offset, part)
        offset, length = offset + part, length - part


def _element(chunk: Chunk, profile: Profile, offset: int, length: int) -> Piece:
    number, within = divmod(offset, STRIPE_LEN)
    columns = (chunk.num_stripes - profile.parity) // profile.sub_stripes
    row, column = divmod(number, columns)

    def place(index: int) -> Placement:
        stripe = chunk.stripes[index % chunk.num_stripes]
        return Placement(stripe.devid, stripe.offset + row * STRIPE_LEN + within, length)

    if not profile.parity:
        first = column * profile.sub_stripes
        return Piece(length, tuple(place(first + copy) for copy in range(profile.sub_stripes)))
    data = tuple(place(row + index) for index in range(columns))  # the parity moves on by one device each row
    parity = tuple(place(row + columns + index) for index in range(profile.parity))
    return Piece(length, (data[column],), Row(data, parity, column))
