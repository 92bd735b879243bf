"""Sizes as coreutils' du prints them: always rounded up, so that nothing that takes space is shown as nothing."""

from collections.abc import Callable

SizeText = Callable[[int], str]
_UNITS = {1024: "KMGTPEZ", 1000: "kMGTPEZ"}


def in_blocks(size: int) -> SizeText:
    """Bytes as a number of blocks of `size` bytes."""
    return lambda number: str(-(-number // size))


def human(base: int) -> SizeText:
    """Bytes with the unit, of powers of `base`, that leaves at least 1; with one decimal below 10."""

    def text(number: int) -> str:
        if number < base:
            return str(number)
        unit, power = base, 0
        while -(-number // unit) >= base:
            unit, power = unit * base, power + 1
        tenths = -(-number * 10 // unit)
        shown = f"{tenths // 10}.{tenths % 10}" if tenths < 100 else str(-(-number // unit))
        return shown + _UNITS[base][power]

    return text
