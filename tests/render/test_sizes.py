"""Byte counts in all units, rounded as the C program rounds them."""

import pytest

from pybtrfs.render.sizes import Units, size_text
from pybtrfs.render.tables import text_table


@pytest.mark.parametrize(
    ("size", "units", "text"),
    [
        (0, Units(), "0.00B"),
        (1023, Units(), "1023.00B"),
        (1024, Units(), "1.00KiB"),
        (1536 << 10, Units(), "1.50MiB"),
        (2**64 - 1, Units(), "16.00EiB"),
        (8 << 20, Units(1000), "8.39MB"),
        (16384, Units(power=2), "0.02MiB"),
        (16384, Units(1000, 1), "16.38kB"),
        (16384, Units(raw=True), "16384"),
        (-(3 << 30), Units(), "-3.00GiB"),
    ],
)
def test_a_size_is_printed_in_its_unit(size: int, units: Units, text: str) -> None:
    assert size_text(size, units) == text


def test_a_table_has_columns_as_wide_as_their_widest_cell() -> None:
    assert list(text_table([["<Id", ">Size"], ["*-", "*-"], ["<1", ">12.00KiB"], ["", ">-"]])) == [
        "Id     Size",
        "-- --------",
        "1  12.00KiB",
        "          -",
    ]
