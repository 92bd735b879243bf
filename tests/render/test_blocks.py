"""Sizes as du prints them: rounded up."""

import pytest

from pybtrfs.render.blocks import human, in_blocks


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0"),
        (1, "1"),
        (1023, "1023"),
        (1024, "1.0K"),
        (1025, "1.1K"),
        (9 * 1024, "9.0K"),
        (10139, "10K"),  # 9.9015
        (10 * 1024 + 1, "11K"),
        (1023 * 1024, "1023K"),
        (1023 * 1024 + 1, "1.0M"),
        (1 << 30, "1.0G"),
        (3 << 60, "3.0E"),
        (2**64 - 1, "16E"),
    ],
)
def test_a_size_has_the_unit_that_leaves_at_least_one(size: int, text: str) -> None:
    assert human(1024)(size) == text


@pytest.mark.parametrize(("size", "text"), [(999, "999"), (1000, "1.0k"), (1001, "1.1k"), (999_001, "1.0M")])
def test_a_size_in_powers_of_1000_has_a_small_k(size: int, text: str) -> None:
    assert human(1000)(size) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0"), (1, "1"), (1024, "1"), (1025, "2")])
def test_a_part_of_a_block_counts_as_one(size: int, text: str) -> None:
    assert in_blocks(1024)(size) == text
