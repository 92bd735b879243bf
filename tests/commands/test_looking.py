"""`ls`, `cat`, `stat`, `find`, `tree`: what cannot be compared with coreutils; hostile names, damage, JSON, errors."""

import json
import lzma
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import Result, run
from damage import Patch, applied, places_of

from pybtrfs.fs.extents import segments
from pybtrfs.fs.filesystem import open_filesystem
from pybtrfs.fs.path import resolve

COMMANDS = ("ls", "cat", "stat", "find", "tree")
each_command = pytest.mark.parametrize("command", COMMANDS)
GOLDEN = Path(__file__).parent.parent / "golden" / "kernel.img.xz"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the golden image that these tests may patch."""
    path = tmp_path_factory.mktemp("looking") / "image"
    path.write_bytes(lzma.decompress(GOLDEN.read_bytes()))
    return path


def lines(*words: str | os.PathLike[str]) -> list[str]:
    result = run(*words)
    assert (result.status, result.errors) == (0, "")
    return result.output.splitlines()


@each_command
def test_what_is_missing_is_one_line_and_the_others_are_still_shown(image: Path, command: str) -> None:
    there = f"{image}:/home/notes"
    result = run(command, f"{image}:/none", there, f"{image}:/received/home-1/notes/below", f"{image}x:/home", there)
    assert result.status == 1
    assert result.errors.splitlines() == [
        f"pybtrfs: {image}: /none: no such file or directory",
        f"pybtrfs: {image}: /received/home-1/notes: not a directory",
        f"pybtrfs: {image}x: cannot open: No such file or directory",
    ]
    assert len(result.output.splitlines()) >= 2


@each_command
def test_places_begin_at_a_subvolume_where_one_is_named(image: Path, command: str) -> None:
    options = ("-c", "%i %s") if command == "stat" else ()
    shown = [
        run(command, *options, *words)
        for words in ((f"{image}:/home/notes",), ("--subvolid", "256", f"{image}:/notes"))
    ]
    assert [result.status for result in shown] == [0, 0]
    assert shown[0].output.replace("/home/notes", "/notes") == shown[1].output
    assert "no tree with id 999" in run(command, "--subvolid", "999", image).errors


@each_command
def test_abbreviations_and_prefixes_are_taken(image: Path, command: str) -> None:
    place = f"{image}:/home/notes"
    assert run({"ls": "ls", "cat": "ca", "stat": "st", "find": "fin", "tree": "tr"}[command], place) == Result(
        ({"ls": "ls", "cat": "ca", "stat": "st", "find": "fin", "tree": "tr"}[command], place),
        0,
        run(command, place).output,
        "",
    )


def test_lists_end_and_subvolumes_are_marked(image: Path) -> None:
    assert lines("tree", "-L", "2", f"{image}:/") == [
        f"{image}:/",
        "├── backup",
        "│   ├── home-1  [subvolume 257]",
        "│   └── home-2  [subvolume 258]",
        "├── home  [subvolume 256]",
        "│   ├── linked",
        "│   ├── log",
        "│   ├── notes",
        "│   ├── random",
        "│   └── symlink -> notes",
        "└── received",
        "    ├── home-1  [subvolume 259]",
        "    └── home-2  [subvolume 260]",
        "",
        "7 directories, 5 files",
    ]
    assert lines("tree", "-d", "-x", "--charset", "ascii", f"{image}:/")[1:] == [
        "|-- backup",
        "|   |-- home-1  [subvolume 257]",
        "|   `-- home-2  [subvolume 258]",
        "|-- home  [subvolume 256]",
        "`-- received",
        "    |-- home-1  [subvolume 259]",
        "    `-- home-2  [subvolume 260]",
        "",
        "7 directories",
    ]
    assert lines("tree", "-s", f"{image}:/home/notes") == [
        f"[         33]  {image}:/home/notes",
        "",
        "0 directories, 0 files",
    ]


def test_output_that_cannot_take_the_lines_gets_ascii(image: Path) -> None:
    words = [sys.executable, "-m", "pybtrfs", "tree", f"{image}:/home"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    result = subprocess.run(words, capture_output=True, text=True, env=environment, check=True)
    assert result.stdout.splitlines()[1] == "|-- linked"


def test_owners_have_the_names_of_the_images_own_tables(image: Path) -> None:
    assert lines("ls", "-l", f"{image}:/home/notes")[0].split()[2:4] == ["0", "0"]


def test_json_is_one_document_with_numbers_and_times(image: Path) -> None:
    def document(*words: str | os.PathLike[str]) -> list[dict[str, object]]:
        found = json.loads(run(*words, "--format", "json").output)
        assert found["__header"] == {"version": "1"}
        return found[words[0]]  # type: ignore[no-any-return]

    [listed] = document("ls", f"{image}:/home")
    assert (listed["image"], listed["path"]) == (str(image), "/home")
    names = {entry["name"]: entry for entry in listed["entries"]}  # type: ignore[attr-defined]
    assert list(names) == ["linked", "log", "notes", "random", "symlink"]
    assert names["symlink"]["target"] == "notes"
    assert (names["notes"]["size"], names["notes"]["nlink"], names["notes"]["mode_text"]) == (33, 2, "-rw-r--r--")
    [shown] = document("stat", f"{image}:/home/notes")
    assert shown["extents"] == {"regular": 0, "inline": 1, "preallocated": 0, "holes": 0, "compressed": {}}
    assert shown["xattrs"] == [{"name": "user.colour", "value": "blue"}]
    assert str(shown["mtime"]).endswith("Z")
    assert len(str(shown["mtime"])) == len("2026-11-28T08:36:02.077493369Z")
    assert [row["path"] for row in document("find", f"{image}:/home", "-type", "l")] == ["/home/symlink"]
    assert [row["depth"] for row in document("tree", "-L", "1", f"{image}:/")] == [0, 1, 1, 1]
    assert run("cat", "--format", "json", f"{image}:/home/notes").status == 2


@pytest.mark.parametrize(
    "words",
    [
        ("find", "-size", "5X"),
        ("find", "-size", "+"),
        ("find", "-type", "x"),
        ("find", "-perm", "u+x"),
        ("find", "-inum", "many"),
        ("find", "-maxdepth", "-1"),
        ("tree", "-L", "0"),
        ("ls", "--subvolid", "x"),
        ("cat", "--length", "much"),
    ],
    ids=" ".join,
)
def test_values_that_cannot_be_meant_are_usage_errors(image: Path, words: tuple[str, ...]) -> None:
    result = run(*words, image)
    assert (result.status, result.output) == (2, "")
    assert result.errors.count("\n") == 1


def test_a_reference_that_is_nowhere_is_named(image: Path) -> None:
    result = run("find", image, "-newer", "/no/where")
    assert (result.status, result.output) == (1, "")
    assert "-newer /no/where: no such file, neither in the image nor on the host" in result.errors


def test_cat_takes_a_range_and_refuses_what_is_no_file(image: Path) -> None:
    whole = run("cat", f"{image}:/home/notes").output
    assert whole == "a small file, inline in the tree\n"
    assert run("cat", "--from", "2", "--length", "5", f"{image}:/home/notes").output == whole[2:7]
    assert run("cat", "--from", "1K", f"{image}:/home/notes").output == ""
    assert run("cat", f"{image}:/home/symlink", f"{image}:/home/linked").output == whole * 2
    assert f"{image}: /home: is a directory" in run("cat", f"{image}:/home").errors


def first_data(image: Path, path: bytes) -> tuple[int, int]:
    """Where the first data extent of a file is in the image, and how long."""
    with open_filesystem(str(image)) as filesystem:
        for segment in segments(filesystem, resolve(filesystem, path), 0, 1 << 40):
            disk = getattr(segment.extent, "disk_bytenr", 0)
            if disk:
                [piece] = filesystem.volume.chunks.pieces(disk, filesystem.sectorsize)
                return piece.copies[0].physical, segment.file_offset
    raise AssertionError("no data extent")


def test_cat_ends_before_a_bad_sector_names_it_and_goes_on_with_the_next_file(image: Path) -> None:
    at, _ = first_data(image, b"home/random")
    random, notes = f"{image}:/home/random", f"{image}:/home/notes"
    with applied(image, Patch("third sector", ((at + 2 * 4096 + 7, b"bad"),))):
        words = [sys.executable, "-m", "pybtrfs", "cat", random, notes]
        result = subprocess.run(words, capture_output=True, check=False)
        assert result.returncode == 1
        assert len(result.stdout) == 2 * 4096 + 33
        assert result.stdout.endswith(b"inline in the tree\n")
        assert result.stderr.decode().startswith(f"pybtrfs: {image}: /home/random: byte 8192: data at ")
        assert result.stderr.count(b"\n") == 1
        assert len(subprocess.run([*words[:4], "--no-verify", random], capture_output=True, check=True).stdout) == 70000
        behind = subprocess.run([*words[:4], "--from", "12K", random], capture_output=True, check=True)
        assert len(behind.stdout) == 70000 - 12 * 1024


@pytest.fixture(scope="module")
def lost_leaf(image: Path) -> Iterator[Patch]:
    """A patch that breaks the fs tree of subvolume 258 (backup/home-2) in all copies."""
    with open_filesystem(str(image)) as filesystem:
        bytenr = filesystem.tree(258).root.bytenr
        yield Patch("root of 258", tuple((at + 300, b"broken") for at in places_of(filesystem, bytenr)))


@pytest.mark.parametrize(
    "words", [("ls", "-R"), ("ls", "-lRa"), ("find",), ("tree",), ("find", "-empty"), ("ls", "-RF")]
)
def test_damage_is_named_and_costs_what_it_hides_only(image: Path, lost_leaf: Patch, words: tuple[str, ...]) -> None:
    whole = run(*words, image)
    with applied(image, lost_leaf):
        result = run(*words, image)
    assert result.complaint() is None
    assert result.status == 1
    assert f"{image}: /backup/home-2: tree block " in result.errors
    if words[0] == "find":
        assert result.output.splitlines() == [
            line for line in whole.output.splitlines() if "home-2" not in line or "received" in line
        ]
    elif words[0] == "ls":
        before, after = (blocks(found.output) for found in (whole, result))
        lost = f"{image}:/backup/home-2:"
        assert {*after, lost} == {*before}
        assert not after.get(lost)
        assert {name for name in after if after[name] != before[name]} <= {f"{image}:/backup:", lost}
    assert result.errors.count("\n") == 1


def blocks(output: str) -> dict[str, list[str]]:
    """What `ls -R` prints, by the directory."""
    return {name: rest for name, *rest in (block.splitlines() for block in output.split("\n\n"))}


def test_a_name_whose_inode_is_lost_is_still_listed(image: Path, lost_leaf: Patch) -> None:
    with applied(image, lost_leaf):
        result = run("ls", "-l", f"{image}:/backup")
        assert result.output.splitlines()[-1].split() == ["d?????????", "?", "?", "?", "?", "?", "home-2"]
        assert run("ls", f"{image}:/backup").output == "home-1\nhome-2\n"
        assert run("stat", f"{image}:/backup/home-2").status == 1
