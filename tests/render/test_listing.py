"""Columns and sizes of listings, as coreutils' ls has them."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from pybtrfs.ondisk.inode import Timespec
from pybtrfs.render.listing import columns, human_size
from pybtrfs.render.times import full_time, list_time
from pybtrfs.render.tree import ASCII, Branch, Counts, drawn, summary


@pytest.mark.skipif(shutil.which("ls") is None, reason="no ls")
def test_human_sizes_are_rounded_up_as_ls_rounds_them(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    sizes = {0, 1, 1023, 1024, 1025, 10188, 10189, 10239, 10240, 10241, 1048575, 1048576, 1047553, (1 << 40) - 1}
    sizes |= {int(2 ** (42 * chance.random())) for _ in range(300)}
    for size in sizes:
        with (tmp_path / f"{size}").open("wb") as file:
            os.truncate(file.fileno(), size)
    lines = subprocess.run(
        ["ls", "-lh", tmp_path], capture_output=True, text=True, check=True, env=os.environ | {"LC_ALL": "C"}
    ).stdout.splitlines()[1:]
    assert {line.split()[8]: line.split()[4] for line in lines} == {str(size): human_size(size) for size in sizes}


def test_names_go_down_the_columns_and_as_many_as_fit() -> None:
    names = [f"name-{number}" for number in range(7)]
    assert list(columns(names, 22, len)) == ["name-0  name-4", "name-1  name-5", "name-2  name-6", "name-3"]
    assert list(columns(names, 1000, len)) == ["  ".join(names)]
    assert list(columns(["n" * 300, "m"], 80, len)) == ["n" * 300, "m"]
    assert list(columns([], 80, len)) == []


def test_a_column_is_as_wide_as_its_widest_name() -> None:
    lines = list(columns(["a", "bbbbbb", "c", "d"], 12, len))
    assert lines == ["a       c", "bbbbbb  d"]


def test_times_of_the_last_half_year_have_the_time_of_day_and_others_the_year() -> None:
    now = 1_700_000_000
    assert len(list_time(Timespec(now - 1000, 0), now)) == len(list_time(Timespec(now - 10**8, 0), now)) == 12
    assert ":" in list_time(Timespec(now - 15_000_000, 0), now)
    assert ":" not in list_time(Timespec(now - 16_000_000, 0), now)
    assert ":" not in list_time(Timespec(now + 1, 0), now)
    assert list_time(Timespec(1 << 62, 5), now) == str(1 << 62)
    assert full_time(Timespec(1 << 62, 5)) == f"{1 << 62}.000000005"


def test_strokes_lead_to_each_branch() -> None:
    counts = Counts()
    branches = [
        Branch(0, "top", True, False),
        Branch(1, "a", True, False),
        Branch(2, "b", True, True),
        Branch(3, "c", False, True),
        Branch(1, "d", False, True),
    ]
    assert list(drawn(branches, ASCII, counts)) == ["top", "|-- a", "|   `-- b", "|       `-- c", "`-- d"]
    assert summary(counts, directories_only=False) == "2 directories, 2 files"
    assert summary(counts, directories_only=True) == "2 directories"
