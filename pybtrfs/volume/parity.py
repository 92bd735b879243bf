"""Parity of raid5 and raid6: P is the exclusive or of a row's data, Q a sum weighted by powers of 2 in GF(2^8).

The field is the one of the kernel's raid6 library: polynomial 0x11d, generator 2. A row is the data of its
stripes in order; multiplying bytes by a constant is one `bytes.translate`, adding is one exclusive or of large
integers, so no numpy is needed. (H. Peter Anvin, "The mathematics of RAID-6".)
"""

from collections.abc import Iterable, Sequence
from functools import cache

_POLYNOMIAL = 0x11D
_ORDER = 255


def xor(parts: Iterable[bytes], length: int) -> bytes:
    """The exclusive or of byte strings of `length` bytes."""
    total = 0
    for part in parts:
        total ^= int.from_bytes(part, "little")
    return total.to_bytes(length, "little")


def q_of(data: Sequence[bytes], length: int) -> bytes:
    """Q of a row: the sum of 2**index times each data stripe."""
    return xor((multiplied(part, power(index)) for index, part in enumerate(data)), length)


def from_p(data: Sequence[bytes | None], p: bytes, wanted: int) -> bytes:
    """Data stripe `wanted` from P and all other data stripes."""
    return xor([p, *_others(data, wanted)], len(p))


def from_q(data: Sequence[bytes | None], q: bytes, wanted: int) -> bytes:
    """Data stripe `wanted` from Q and all other data stripes."""
    known = [bytes(len(q)) if index == wanted else part or b"" for index, part in enumerate(data)]
    return multiplied(xor([q, q_of(known, len(q))], len(q)), inverse(power(wanted)))


def from_p_and_q(data: Sequence[bytes | None], p: bytes, q: bytes, wanted: int, other: int) -> bytes:
    """Data stripe `wanted` from P, Q and the data stripes but `wanted` and `other`."""
    length = len(p)
    known = [bytes(length) if index in (wanted, other) else part or b"" for index, part in enumerate(data)]
    p_rest, q_rest = xor([p, *known], length), xor([q, q_of(known, length)], length)
    weight = power(other) ^ power(wanted)
    return multiplied(xor([multiplied(p_rest, power(other)), q_rest], length), inverse(weight))


def multiplied(data: bytes, factor: int) -> bytes:
    """Each byte times a constant of the field."""
    return data.translate(_table(factor))


def power(exponent: int) -> int:
    """2**exponent in the field."""
    return _powers()[exponent % _ORDER]


def inverse(value: int) -> int:
    """What times `value` is 1."""
    return _powers()[(_ORDER - _powers().index(value)) % _ORDER]


def _others(data: Sequence[bytes | None], wanted: int) -> list[bytes]:
    return [part or b"" for index, part in enumerate(data) if index != wanted]


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
