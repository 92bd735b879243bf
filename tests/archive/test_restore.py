"""Restore: the golden image, what is left out, what exists, damage, a full disk."""

import json
import os
from pathlib import Path

import pytest
from commandline import Result, run


def restore(*words: str | Path) -> Result:
    result = run("restore", *words)
    assert result.complaint() is None
    return result


def names_below(top: Path) -> list[str]:
    return sorted(str(path.relative_to(top)) for path in top.rglob("*"))


def test_a_subvolume_is_restored_with_links_times_and_attributes(golden: Path, tmp_path: Path) -> None:
    result = restore(f"{golden}:/home", tmp_path / "out")
    assert (result.status, result.errors) == (0, "")
    assert result.output.startswith("restored 1 directories, 3 files, 1 hard links, 1 symbolic links; ")
    assert names_below(tmp_path / "out") == ["linked", "log", "notes", "random", "symlink"]
    assert (tmp_path / "out" / "notes").read_bytes() == b"a small file, inline in the tree\n"
    assert (tmp_path / "out" / "log").read_bytes() == b"compressible\n" * 20000 + b"more\n" * 1000
    assert (tmp_path / "out" / "notes").samefile(tmp_path / "out" / "linked")
    assert os.getxattr(tmp_path / "out" / "notes", "user.colour") == b"blue"
    assert str((tmp_path / "out" / "symlink").readlink()) == "notes"


def test_a_single_file_is_restored_under_its_name(golden: Path, tmp_path: Path) -> None:
    assert restore(f"{golden}:/backup/home-1/log", tmp_path).status == 0
    assert (tmp_path / "log").read_bytes() == b"compressible\n" * 20000


def test_what_exists_stays_unless_it_may_be_overwritten(golden: Path, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("mine")
    (tmp_path / "symlink").mkdir()
    result = restore(f"{golden}:/home", tmp_path)
    assert result.status == 1
    assert "/home/log: exists\n" in result.errors
    assert (tmp_path / "log").read_text() == "mine"
    result = restore("-o", f"{golden}:/home", tmp_path)
    assert result.status == 1  # the directory is not replaced
    assert result.errors.endswith(f"{golden}: /home/symlink: exists, and is a directory\n")
    assert (tmp_path / "log").stat().st_size == 265000


def test_a_directory_in_use_keeps_its_attributes_and_an_empty_one_takes_those_of_the_image(
    golden: Path, tmp_path: Path
) -> None:
    (tmp_path / "used").mkdir(mode=0o700)
    (tmp_path / "used" / "file").touch()
    (tmp_path / "empty").mkdir(mode=0o700)
    for name in ("used", "empty", "new"):
        assert restore(f"{golden}:/home", tmp_path / name).status == 0
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("used", "empty", "new")] == [0o700, 0o755, 0o755]


def test_a_dry_run_lists_and_writes_nothing(golden: Path, tmp_path: Path) -> None:
    result = restore("-D", f"{golden}:/home", tmp_path / "out")
    assert result.output.splitlines()[:-1] == [
        f"/home{name}" for name in ("", "/notes", "/log", "/random", "/linked", "/symlink")
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--include", "notes"], ["home-1", "home-1/notes", "home-2", "home-2/notes"]),
        (["--include", "home-1", "--exclude", "l*"], ["home-1", "home-1/notes", "home-1/random", "home-1/symlink"]),
        (["--exclude", "home-?/[!n]*"], ["home-1", "home-1/notes", "home-2", "home-2/notes"]),
        (["--include", "**/notes", "--exclude", "/home-2"], ["home-1", "home-1/notes"]),
        (["--path-regex", "^/(|home-1(|/notes))$"], ["home-1", "home-1/notes"]),
        (["--path-regex", "^/(|HOME-1(|/notes))$", "-c"], ["home-1", "home-1/notes"]),
        (["--include", "nothing"], []),
    ],
)
def test_a_selection_makes_only_what_matches_and_the_way_there(
    golden: Path, tmp_path: Path, options: list[str], expected: list[str]
) -> None:
    result = restore(*options, f"{golden}:/backup", tmp_path / "out")
    assert (result.status, result.errors) == (0, "")
    assert names_below(tmp_path / "out") == expected


@pytest.mark.parametrize("option", [["--path-regex", "("], ["--include", "[z-a]"]])
def test_a_pattern_that_cannot_be_meant_is_a_usage_error(golden: Path, tmp_path: Path, option: list[str]) -> None:
    assert restore(*option, golden, tmp_path / "out").status == 2


def test_hostile_links_in_the_target_lead_nothing_outside(golden: Path, tmp_path: Path) -> None:
    outside, out = tmp_path / "outside", tmp_path / "out"
    (outside / "home-1").mkdir(parents=True)
    out.mkdir()
    names = ("backup", "home", "received")
    for name in names:
        (out / name).symlink_to(outside)
    before = names_below(outside)
    result = restore(golden, out)
    assert result.status == 1
    assert result.errors.count("is not a directory\n") == len(names)
    assert restore("-o", golden, out).status == 1
    assert names_below(outside) == before
    assert all((out / name).is_symlink() for name in names)


def test_hostile_links_for_every_file_lead_nothing_outside(golden: Path, tmp_path: Path) -> None:
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out.mkdir()
    for name in ("notes", "linked", "log", "random", "symlink"):
        (out / name).symlink_to(outside / name)
    assert restore(f"{golden}:/home", out).status == 1
    assert list(outside.iterdir()) == []
    assert restore("-o", f"{golden}:/home", out).status == 0
    assert list(outside.iterdir()) == []
    assert (out / "log").stat().st_size == 265000


def test_the_summary_as_json_has_all(golden: Path, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("mine")
    result = restore("--format", "json", f"{golden}:/home", tmp_path)
    shown = json.loads(result.output)["restore"]
    assert (shown["complete"], shown["unlisted"]) == (False, 0)
    assert shown["problems"] == [{"kind": "could not be written", "path": "/home/log", "text": "exists", "ranges": []}]
    assert shown["made"]["hard links"] == 1


def test_the_options_of_btrfs_restore_are_taken(golden: Path, tmp_path: Path) -> None:
    assert restore("-smxSi", "-u", "0", "-r", "5", golden, tmp_path / "out").status == 0
    assert len(names_below(tmp_path / "out")) > 20
