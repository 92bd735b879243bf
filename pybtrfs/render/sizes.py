"""Byte counts for people, as btrfs-progs print them: rounded as their single-precision numbers are."""

from array import array
from typing import NamedTuple

_SUFFIXES = {1024: ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"), 1000: ("B", "kB", "MB", "GB", "TB", "PB", "EB")}
_LARGEST = 6


class Units(NamedTuple):
    """How a byte count is printed."""

    base: int = 1024  # or 1000
    power: int | None = None  # of the unit; None for the largest that leaves at least 1
    raw: bool = False  # the bare number of bytes


HUMAN = Units()


def size_text(size: int, units: Units = HUMAN) -> str:
    """With a unit and two decimals, such as 8.00MiB; or as `units` say."""
    if units.raw:
        return str(size)
    dividend, power, divisor = abs(size), units.power, 1
    if power is None:
        power = 0
        while dividend // divisor >= units.base and power < _LARGEST:  # all but the last division are of whole numbers
            dividend, divisor, power = dividend // divisor, units.base, power + 1
    else:
        divisor = units.base**power
    sign = "-" if size < 0 else ""
    return f"{sign}{_single(_single(dividend) / _single(divisor)):.2f}{_SUFFIXES[units.base][power]}"


def _single(number: float) -> float:
    """The nearest number that a C float holds."""
    return array("f", [number])[0]
