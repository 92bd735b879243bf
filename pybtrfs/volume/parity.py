"""The parities of RAID5 and RAID6 over pieces of one length, and what they give back.

P is the exclusive or of a row's pieces. Q is their sum in GF(2^8), in which addition is the exclusive or, modulo
x^8 + x^4 + x^3 + x^2 + 1 (0x11d), the n-th piece multiplied by 2 to the power n. Multiplying a whole piece is one
`bytes.translate`, adding two one exclusive or of large integers, so no numpy is needed. (H. Peter Anvin, "The
mathematics of RAID-6".)
"""

from collections.abc import Sequence
from functools import cache

_POLYNOMIAL = 0x11D
_ORDER = 255


def p_of(pieces: Sequence[bytes]) -> bytes:
    """The exclusive or of the pieces, which all have one length; at least one."""
    total = 0
    for piece in pieces:
        total ^= int.from_bytes(piece, "little")
    return total.to_bytes(len(pieces[0]), "little")


def q_of(pieces: Sequence[bytes]) -> bytes:
    """The Q parity of the pieces, in the order of the data in a row."""
    total = bytes(len(pieces[0]))
    for piece in reversed(pieces):  # Horner's scheme
        total = p_of([multiplied(total, 2), piece])
    return total


def from_p(row: Sequence[bytes | None], p: bytes, wanted: int) -> bytes:
    """Piece `wanted` of a row from P and all other pieces."""
    return p_of([p, *_known(row, len(p), wanted)])


def from_q(row: Sequence[bytes | None], q: bytes, wanted: int) -> bytes:
    """Piece `wanted` of a row from Q and all other pieces."""
    return multiplied(p_of([q, q_of(_known(row, len(q), wanted))]), inverse(power(wanted)))


def from_p_and_q(row: Sequence[bytes | None], p: bytes, q: bytes, wanted: int, other: int) -> bytes:
    """Piece `wanted` of a row from P, Q and the pieces but `wanted` and `other`."""
    known = _known(row, len(p), wanted, other)
    p_rest, q_rest = p_of([p, *known]), p_of([q, q_of(known)])
    weight = power(other) ^ power(wanted)
    return multiplied(p_of([multiplied(p_rest, power(other)), q_rest]), inverse(weight))


def multiplied(data: bytes, factor: int) -> bytes:
    """Each byte times a constant of the field."""
    return data.translate(_table(factor))


def power(exponent: int) -> int:
    """2**exponent in the field."""
    return _powers()[exponent % _ORDER]


def inverse(value: int) -> int:
    """What times `value` is 1."""
    return _powers()[(_ORDER - _powers().index(value)) % _ORDER]


def _known(row: Sequence[bytes | None], length: int, *lost: int) -> list[bytes]:
    """The row with zeros for what is lost."""
    return [bytes(length) if index in lost or piece is None else piece for index, piece in enumerate(row)]


@cache
def _powers() -> tuple[int, ...]:
    values, value = [], 1
    for _ in range(_ORDER):
        values.append(value)
        value = value << 1 ^ (_POLYNOMIAL if value & 0x80 else 0)
    return tuple(values)


@cache
def _table(factor: int) -> bytes:
    powers = _powers()
    logs = {value: exponent for exponent, value in enumerate(powers)}
    if factor == 0:
        return bytes(256)
    return bytes(0 if value == 0 else powers[(logs[value] + logs[factor]) % _ORDER] for value in range(256))
