"""`du` on the golden image: its lines, forms and errors. What the numbers are is compared in compat/test_du.py."""

import json
import lzma
from pathlib import Path

import pytest
from commandline import run

GOLDEN = Path(__file__).parent.parent / "golden" / "kernel.img.xz"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("du") / "image"
    path.write_bytes(lzma.decompress(GOLDEN.read_bytes()))
    return path


def lines(*words: str | Path) -> list[list[str]]:
    result = run("du", *words)
    assert (result.status, result.errors) == (0, "")
    return [line.split("\t") for line in result.output.splitlines()]


def test_a_directory_comes_after_what_is_in_it_and_is_its_sum(image: Path) -> None:
    found = lines("-a", "-b", "--exclusive", f"{image}:/home")
    sizes = {path.removeprefix(f"{image}:"): int(size) for size, path in found}
    paths = list(sizes)
    assert paths[-1] == "/home"
    for path in paths:
        assert all(paths.index(path) > paths.index(below) for below in paths if below.startswith(f"{path}/"))
    assert sizes["/home"] >= sum(size for path, size in sizes.items() if path.count("/") == 2)


def test_the_same_place_has_the_same_lines_however_it_is_named(image: Path) -> None:
    spelled = [lines("-s", f"{image}:{path}")[0] for path in ("/home", "/home/", "//./home", "/backup/../home")]
    assert len({size for size, _ in spelled}) == 1
    assert lines("-s", "--subvolid", "256", image)[0][0] == spelled[0][0]
    assert lines("-s", image) == lines("-s", f"{image}:/")


def test_what_is_given_twice_counts_once(image: Path) -> None:
    once = lines("-s", "-c", f"{image}:/home")
    assert lines("-s", "-c", f"{image}:/home", f"{image}:/home") == once
    assert once[0][0] == once[1][0]
    assert once[1][1] == "total"


def test_exclusive_tells_data_and_metadata_in_json(image: Path) -> None:
    result = run("--format", "json", "du", "--exclusive", "-s", "-c", f"{image}:/home", f"{image}:/backup")
    home, backup, total = json.loads(result.output)["du"]
    assert (home["path"], backup["path"], total["path"]) == ("/home", "/backup", None)
    for row in (home, backup, total):
        assert row["bytes"] == row["data"] + row["metadata"]
    assert total["bytes"] >= home["bytes"] + backup["bytes"]
    assert home["metadata"] > 0


def test_extents_that_only_two_subvolumes_share_go_with_both(image: Path) -> None:
    """backup/home-2 is a snapshot of home."""
    both = [f"{image}:/home", f"{image}:/backup/home-2"]
    *each, total = (int(size) for size, _ in lines("-s", "-c", "-b", "--exclusive", *both))
    assert total > sum(each)


@pytest.mark.parametrize("words", [("--exclusive", "-l"), ("-s", "-a"), ("-s", "-d", "2"), ("-d", "x")])
def test_options_that_cannot_be_meant_end_with_2(image: Path, words: tuple[str, ...]) -> None:
    result = run("du", *words, image)
    assert (result.status, result.output, result.complaint()) == (2, "", None)


def test_a_place_that_does_not_exist_is_named(image: Path) -> None:
    result = run("du", f"{image}:/home/none")
    assert (result.status, result.output) == (1, "")
    assert "/home/none: no such file or directory" in result.errors
