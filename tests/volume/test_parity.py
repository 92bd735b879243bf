"""P and Q against the definition, and what they are for: any two pieces can be lost."""

from __future__ import annotations

import random
from functools import reduce

from pybtrfs.volume.parity import p_of, q_of


def product(left: int, right: int) -> int:
    """In GF(2^8) modulo 0x11d, bit by bit."""
    total = 0
    while right:
        total ^= left if right & 1 else 0
        left, right = left << 1, right >> 1
        left ^= 0x11D if left & 0x100 else 0
    return total


def test_p_is_the_exclusive_or_and_q_the_sum_of_powers_of_two(seed: int) -> None:
    chance = random.Random(seed)
    for number in range(1, 8):
        pieces = [chance.randbytes(16) for _ in range(number)]
        powers = [reduce(product, [2] * exponent, 1) for exponent in range(number)]
        columns = list(zip(*pieces, strict=True))
        assert p_of(pieces) == bytes(reduce(int.__xor__, column) for column in columns)
        wanted = (map(product, column, powers) for column in columns)
        assert q_of(pieces) == bytes(reduce(int.__xor__, terms) for terms in wanted)


def test_of_one_piece_both_parities_are_the_piece() -> None:
    assert p_of([b"only"]) == q_of([b"only"]) == b"only"
