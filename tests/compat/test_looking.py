"""`ls`, `cat`, `stat`, `find` beside coreutils and findutils on a kernel mount, image by image, line by line."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import judge
import pytest
import zoo
from commandline import run

from pybtrfs.commands._names import escape_name

pytestmark = pytest.mark.kernel
UNFIT = ("bad-sector", "forest")  # it holds no file; what stands for subvolumes in its snapshots has many names
SOUND = [name for name, recipe in zoo.RECIPES.items() if not recipe.midflight and name not in UNFIT]
SAMPLE = ("kinds", "snapshots", "compressed", "extents", "labelled")  # the others have no other files
IMAGES = [name if name in SAMPLE else pytest.param(name, marks=pytest.mark.soak) for name in SOUND]
LS = [
    "-nRA",
    "-R",
    "-nhd",
    "-iRs",
    "-shRF",
    "-tr",
    "-nSA",
    "-F",
    "-nRA --full-time",
    "-nF",
    "-nArt",
]
READ = 4 << 20
Pair = tuple[Path, Path]


@pytest.fixture(scope="module", params=IMAGES)
def pair(request: pytest.FixtureRequest, kernel_image: Callable[[str], Path]) -> Iterator[Pair]:
    """An image of the zoo, and where the kernel has it mounted."""
    image = kernel_image(request.param)
    with judge.mounted(image, "subvolid=5", read_only=True) as top:
        yield image, top


def theirs(pair: Pair, *command: str | os.PathLike[str]) -> list[str]:
    """What a program that ends its lines with NUL says of the mount, with places as they would be typed to us."""
    image, top = (os.fsencode(path) for path in pair)
    said = subprocess.run(command, capture_output=True, env=judge.environment(), check=True).stdout
    said = re.sub(rb"\n?(%s[^\0\n]*:)\n" % re.escape(top), rb"\0\1\0", said).removeprefix(b"\0")
    return [escape_name(line) for line in said.replace(top, image + b":").split(b"\0")[:-1]]


def ours(*command: str | os.PathLike[str]) -> list[str]:
    result = run("-q", *command)
    assert (result.status, result.errors) == (0, "")
    return result.output.splitlines()


@pytest.mark.parametrize("options", LS)
def test_ls_prints_what_coreutils_print(pair: Pair, options: str) -> None:
    image, top = pair
    found = theirs(pair, "ls", *options.split(), "--zero", f"{top}/")
    assert without_inner(ours("ls", *options.split(), f"{image}:/")) == without_inner(found)


def test_ls_prints_the_dots_and_several_places_as_coreutils_do(pair: Pair) -> None:
    image, top = pair
    directories = [path.name for path in top.iterdir() if not path.is_symlink() and path.is_dir()]
    for names in (directories, [path.name for path in top.iterdir() if path.name not in directories]):
        words = [f"{image}:/{escape_name(os.fsencode(name))}" for name in names]
        if names:
            found = theirs(pair, "ls", "-asin", "--zero", *(top / name for name in names))
            assert without_inner(ours("ls", "-asin", *words)) == without_inner(found)


def test_cat_prints_what_the_kernel_reads(pair: Pair) -> None:
    image, top = pair
    paths = [path for path in sorted(top.rglob("*")) if not path.is_symlink() and path.is_file()][::3][:500]
    words = [sys.executable, "-m", "pybtrfs", "-q", "cat", "--length", str(READ)]
    result = subprocess.run(words + [f"{image}:{place(path, top)}" for path in paths], capture_output=True, check=True)
    assert result.stderr == b""
    at = 0
    for path in paths:
        with path.open("rb") as file:
            expected = file.read(READ)
        assert result.stdout[at : at + len(expected)] == expected, path
        at += len(expected)
    assert at == len(result.stdout)


STAT = (
    "%a|%A|%b|%B|%f|%F|%g|%h|%i|%o|%s|%t|%T|%u|%w|%W|%x|%.3X|%y|%.Y|%z|%Z|%10s|%-10s|%04a|%010i|%#a|%%|%.12y|%Hr|%Lr|%r"
)


def test_stat_prints_what_coreutils_print(pair: Pair) -> None:
    image, top = pair
    paths = [path for path in sorted(top.rglob("*"))[::5] if path.name != "inner"][:200]
    words = [f"{image}:{place(path, top)}" for path in paths]
    assert ours("stat", "-c", STAT, *words) == stat_of(["-c", STAT], paths)
    kept = [
        line
        for line in ours("stat", *words)
        if line.split(":")[0] in ("  Size", "Access", "Modify", "Change", " Birth")
    ]
    wanted = [
        line for line in stat_of([], paths) if line.split(":")[0] in ("  Size", "Access", "Modify", "Change", " Birth")
    ]
    assert [owners.sub("", line) for line in kept] == [owners.sub("", line) for line in wanted]


owners = re.compile(r"/ *[\w-]+(?=\))")  # the host's names are not the image's


def stat_of(options: list[str], paths: list[Path]) -> list[str]:
    said = subprocess.run(["stat", *options, *paths], capture_output=True, env=judge.environment(), check=True).stdout
    return said.decode(errors="backslashreplace").splitlines()


def place(path: Path, top: Path) -> str:
    return "/" + escape_name(os.fsencode(path.relative_to(top)))


FIND = """
-type f -name *[0-9]*
-type d,l
-size +4k
-size -3
-size 1k -type f
-size 100c
-iname *X* -mindepth 2
-path */f* -maxdepth 2
-inum +260 -inum -300
-links +1
-uid 1000
-gid +5
-perm 644
-perm -4000
-perm /6000
-empty
-empty -type d
-xdev
-mtime -1
-mtime +1000
-mtime 0 -name [!a-k]*
-name [[:upper:]]*
-name *\\ *
"""


@pytest.mark.parametrize("tests", FIND.split("\n")[1:-1])
def test_find_finds_what_findutils_find(pair: Pair, tests: str) -> None:
    image, top = pair
    words = re.split(r"(?<!\\) ", tests)
    wanted = [
        word.replace("*/f*", f"{top}*/f*" if number and words[number - 1] == "-path" else word)
        for number, word in enumerate(words)
    ]
    found = theirs(pair, "find", f"{top}/", *wanted, "-print0")
    assert ours("find", f"{image}:/", *words) == found


def test_find_compares_times_with_those_of_places_paths_and_host_files(pair: Pair, tmp_path: Path) -> None:
    image, top = pair
    reference = sorted(path for path in top.iterdir() if not path.is_symlink())[0]
    typed = place(reference, top)
    (tmp_path / "host").touch()
    found = theirs(pair, "find", f"{top}/", "-newer", reference, "-print0")
    for word in (typed, f"{image}:{typed}"):
        assert without_inner(ours("find", f"{image}:/", "-newer", word)) == without_inner(found)
    found = theirs(pair, "find", f"{top}/", "-newer", tmp_path / "host", "-print0")
    assert ours("find", f"{image}:/", "-newer", str(tmp_path / "host")) == without_inner(found)


def without_inner(lines: list[str]) -> list[str]:
    """The kernel lets what stands for a subvolume in a snapshot begin when it is looked at."""
    return [line for line in lines if not line.endswith(("/inner", " inner"))]


HOSTILE = [
    b"\x1b[31mred",
    b"[/bold]",
    b"[red]",
    b"a\nb",
    b"\\x41",
    b"\xff\xfe",
    b"back\\slash",
    b"n" * 255,
    "\u202e\u2603".encode(),
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image whose names would do something to a terminal, with owners of its own."""
    image = tmp_path_factory.mktemp("hostile") / "image"
    judge.mkfs(image, 256 << 20)
    with judge.mounted(image) as top:
        (top / "etc").mkdir()
        (top / "etc/passwd").write_text("root:x:0:0::/:\nann:x:1000:7::/:\nlate:x:1000:7::/:\nbad line\n")
        (top / "etc/group").write_bytes(b"root:x:0:\n\x1b[31mstaff:x:7:\n")
        for name in HOSTILE:
            folder = top / os.fsdecode(name)
            folder.mkdir(parents=True)
            (folder / "file").write_bytes(name)
            os.chown(folder, 1000, 7)
    return image


@pytest.mark.parametrize("words", ["ls", "ls -lR", "ls -d", "stat", "find", "tree", "cat"])
def test_names_never_reach_the_terminal_as_they_are_and_can_be_typed_back(hostile: Path, words: str) -> None:
    for name in HOSTILE:
        end = "/file" if words == "cat" else ""
        shown = escape_name(b"/" + name)
        result = run(*words.split(), f"{hostile}:{shown}{end}")
        assert result.complaint() is None
        assert (result.status, result.errors) == (0, "")
        if words != "cat":
            assert all(char.isprintable() for char in result.output.replace("\n", "").replace("\t", ""))
            assert shown in result.output or words == "ls"
    assert f"/{escape_name(HOSTILE[0])}/none: no such" in run("ls", f"{hostile}:/{escape_name(HOSTILE[0])}/none").errors


def test_owners_have_the_names_of_the_images_own_tables(hostile: Path) -> None:
    rows = {line.split(maxsplit=8)[8]: line.split()[2:4] for line in ours("ls", "-l", f"{hostile}:/")[1:]}
    assert rows["etc"] == ["root", "root"]
    assert rows["[red]"] == ["ann", r"\x1b[31mstaff"]
    numbers = {line.split(maxsplit=8)[8]: line.split()[2:4] for line in ours("ls", "-n", f"{hostile}:/")[1:]}
    assert numbers["[red]"] == ["1000", "7"]
    assert ours("stat", "-c", "%U %G", f"{hostile}:/etc") == ["root root"]
