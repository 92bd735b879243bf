"""The options that say in which unit byte counts are printed, as btrfs-progs have them."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pybtrfs.render.sizes import Units

F = TypeVar("F", bound=Callable[..., Any])
_POWERS = {"kbytes": 1, "mbytes": 2, "gbytes": 3, "tbytes": 4}
_LONG = (
    ("--raw", "unit", "raw", "Print bytes, as bare numbers."),
    ("--human-readable", "unit", "human", "Print with the unit that fits, base 1024 (the default)."),
    ("--iec", "base", "iec", "Count in powers of 1024."),
    ("--si", "base", "si", "Count in powers of 1000."),
    ("--kbytes", "unit", "kbytes", "Print KiB, or kB with --si."),
    ("--mbytes", "unit", "mbytes", "Print MiB, or MB with --si."),
    ("--gbytes", "unit", "gbytes", "Print GiB, or GB with --si."),
    ("--tbytes", "unit", "tbytes", "Print TiB, or TB with --si."),
)


def unit_options(function: F) -> F:
    """The long options; for `units_of`."""
    for spelling, name, value, text in reversed(_LONG):
        function = click.option(spelling, name, flag_value=value, default=None, help=text)(function)
    return function


def short_unit_options(function: F) -> F:
    """The long options with their letters, of which -h takes that of --help and -H is --si."""
    letters = {"--raw": "-b", "--human-readable": "-h", "--si": "-H"}
    for spelling, name, value, text in reversed(_LONG):
        short = [] if value == "iec" else [letters.get(spelling, spelling[1:3])]
        function = click.option(*short, spelling, name, flag_value=value, default=None, help=text)(function)
    return function


def units_of(options: dict[str, Any]) -> Units:
    """Take the units out of a command's options."""
    unit, base = options.pop("unit"), options.pop("base")
    return Units(1000 if base == "si" else 1024, _POWERS.get(unit), unit == "raw")
