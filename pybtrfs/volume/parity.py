"""The parities of RAID5 and RAID6 over pieces of one length.

P is the exclusive or of the pieces. Q is their sum in GF(2^8), in which addition is the exclusive or, modulo
x^8 + x^4 + x^3 + x^2 + 1 (0x11d), the n-th piece multiplied by 2 to the power n. Multiplying a whole piece is one
`bytes.translate`, adding two pieces one exclusive or of large integers.
"""

from collections.abc import Sequence

_POLYNOMIAL = 0x11D
_DOUBLE = bytes(value << 1 ^ (_POLYNOMIAL if value & 0x80 else 0) for value in range(256))


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
        total = p_of([total.translate(_DOUBLE), piece])
    return total
