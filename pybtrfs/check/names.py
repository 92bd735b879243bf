"""Names as numbers, many at once: a 64-bit hash of each for ledgers, and the crc32c under which directories keep them.

A name's bytes are taken right-aligned in rows of 16, 32, 64 or 256 bytes, what stands before the name masked off.
The crc is linear: each byte adds to it by its value and its distance from the end, the start value by the length.
"""

from functools import cache

import numpy as np

from pybtrfs.check.columns import U64, Array, gather
from pybtrfs.checksum import raw_crc32c

_WIDTHS = (16, 32, 64, 256)
_WORD = 8


def name_words(buffer: Array, at: Array, length: Array) -> list[tuple[Array, Array]]:
    """The names in classes of width: which of them, and their bytes as right-aligned rows of u64 words."""
    found, lower = [], -1
    for width in _WIDTHS:
        chosen = np.flatnonzero((length > lower) & (length <= width))
        lower = width
        if len(chosen):
            rows = gather(buffer, at[chosen] + length[chosen] - width, np.dtype(f"V{width}"))
            words = rows.view("<u8").reshape(-1, width // _WORD)
            before = width - length[chosen][:, None] - np.arange(0, width, _WORD)[None, :]
            found.append((chosen, words & _masks()[np.clip(before, 0, _WORD)]))
    return found


def hashes(buffer: Array, at: Array, length: Array, multipliers: Array) -> Array:
    """A hash of each name (u64); `multipliers` are random odd numbers, one for each word and one for the length."""
    result = length.astype(U64) * multipliers[-1]
    for chosen, words in name_words(buffer, at, length):
        total = result[chosen]
        for column in range(words.shape[1]):
            total = (total ^ words[:, column]) * multipliers[column]
            total ^= total >> U64(29)
        result[chosen] = total
    return result


def crcs(buffer: Array, at: Array, length: Array, seed: int) -> Array:
    """The raw crc32c of each name from one seed (u64 columns of u32 values); names are at most 255 bytes long."""
    result = _starts(seed)[length].copy()
    for chosen, words in name_words(buffer, at, length):
        octets = np.ascontiguousarray(words).view(np.uint8)
        width = octets.shape[1]
        longest = int(length[chosen].max())
        total = np.zeros(len(chosen), np.uint32)
        for distance in range(longest):
            total ^= _table()[distance][octets[:, width - 1 - distance]]
        result[chosen] ^= total
    return result.astype(U64)


def impossible(buffer: Array, at: Array, length: Array) -> Array:
    """Which names hold a slash or a zero byte, or are one dot or two, or nothing: no file can have them."""
    wrong: Array = length == 0
    for chosen, words in name_words(buffer, at, length):
        width = words.shape[1] * _WORD
        before = width - length[chosen][:, None] - np.arange(0, width, _WORD)[None, :]
        filled = words | ~_masks()[np.clip(before, 0, _WORD)]
        wrong[chosen] |= (_has_zero(filled) | _has_zero(filled ^ _SLASHES)).any(axis=1)
    dots = (buffer[at] == ord(".")) & (buffer[at + length - 1] == ord(".")) & (length <= 2)
    return wrong | (dots & (length > 0))


_LOW, _HIGH, _SLASHES = (U64(int.from_bytes(bytes([octet]) * _WORD, "little")) for octet in (1, 0x80, ord("/")))


def _has_zero(words: Array) -> Array:
    """Which words have a byte that is 0."""
    found: Array = (words - _LOW) & ~words & _HIGH
    return found != U64(0)


@cache
def _masks() -> Array:
    """What keeps a word's bytes behind the first 0 to 8."""
    return np.array([(1 << 64) - (1 << 8 * n) for n in range(_WORD)] + [0], U64)


@cache
def _table() -> Array:
    """[distance from the end, value]: what a byte adds to the crc."""
    first = np.array([raw_crc32c(0, bytes([value])) for value in range(256)], np.uint32)
    rows = [first]
    for _ in range(255):
        rows.append(first[rows[-1] & np.uint32(0xFF)] ^ (rows[-1] >> np.uint32(8)))
    return np.array(rows)


@cache
def _starts(seed: int) -> Array:
    """[length]: what the seed has become behind so many bytes."""
    return np.array([raw_crc32c(seed, bytes(length)) for length in range(257)], np.uint32)
