"""The matrix keeps its word: all pairs meet, and each image is sound, is what its row says, and holds what tells."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from math import comb
from pathlib import Path

import judge
import manifest
import matrix
import pytest
from hypothesis import given
from hypothesis import strategies as st

MatrixImage = Callable[[matrix.Row], matrix.Made]
DUMPED_AS = {"xxhash": "xxhash64", "blake2": "blake2b"}


@given(
    st.dictionaries(st.text(min_size=1, max_size=3), st.sets(st.integers(0, 9), min_size=1), max_size=5), st.integers()
)
def test_a_pairwise_set_has_every_pair_and_no_row_for_nothing(factors: dict[str, set[int]], seed: int) -> None:
    sorted_factors = {name: sorted(values) for name, values in factors.items()}
    rows = matrix.pairwise(sorted_factors, random.Random(seed))
    for one, other in itertools.combinations(sorted_factors, 2):
        wanted = set(itertools.product(sorted_factors[one], sorted_factors[other]))
        assert {(row[one], row[other]) for row in rows} == wanted
    assert len(rows) == len({tuple(sorted(row.items())) for row in rows})


def test_the_matrix_is_near_the_smallest_and_follows_its_seed(seed: int) -> None:
    rows = matrix.rows(seed)
    assert len(matrix.PROFILES) * 4 <= len(rows) <= len(matrix.PROFILES) * 4 + 8
    assert rows == matrix.rows(seed)
    sample = matrix.sample(seed)
    assert len(sample) == len({row.profile for row in sample}) == matrix.NORMAL_ROWS
    assert set(sample) <= set(rows)


@pytest.mark.kernel
@matrix.cases()
def test_an_image_of_the_matrix_is_sound_and_what_its_row_says(matrix_image: MatrixImage, row: matrix.Row) -> None:
    made, profile = matrix_image(row), matrix.PROFILES[row.profile]
    found = Counter(entry.kind for entry in made.manifest.values())
    assert set(found) == {*manifest.KINDS.values()}
    assert found["file"] > 3000
    assert not [path for path, entry in made.manifest.items() if entry.kind == "file" and len(entry.digest or "") != 64]
    with ExitStack() as stack:
        loops = [stack.enter_context(judge.loop_device(image, read_only=True)) for image in made.images]
        judge.btrfs_check(Path(loops[0]))
        shown = judge.dump_super(Path(loops[0]))
    assert f"({DUMPED_AS.get(row.csum, row.csum)})" in shown
    assert f"\nnodesize\t\t{row.nodesize}\n" in shown
    assert f"\nnum_devices\t\t{profile.devices}\n" in shown
    assert len(made.losses()) == (comb(profile.devices, profile.tolerated) if profile.tolerated else 0)
