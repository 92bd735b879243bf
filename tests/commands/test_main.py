"""How the command line takes options and ends: abbreviations, shared options, exit statuses, one line for an error."""

import subprocess
import sys
from pathlib import Path

import pytest
from commandline import Result, run


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("main") / "image"
    assert run("mkfs", "-q", "-b", "200M", path).status == 0
    return path


def one_line(result: Result, status: int) -> str:
    assert result.status == status
    assert result.errors.startswith("pybtrfs: ")
    assert result.errors.count("\n") == 1
    return result.errors


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["inspect", "dump"], "ambiguous command 'dump': dump-super, dump-tree"),
        (["uuid", "lookup", "x"], "Missing argument 'UUID'"),
        (["uuid", "lookup", "x", "y"], "'y' is not a UUID (32 hexadecimal digits)"),
        (["mkfs"], "Missing argument 'IMAGE...'"),
        (["mkfs", "-n", "3000", "x"], "nodesize 3000: expected a power of 2"),
        (["inspect", "dump-tree", "--tree", "nonsense", "x"], "'nonsense' is no tree id"),
        (["subvolume", "list", "--offset", "1X", "x"], "'1X' is not a size"),
        (["subvolume", "show", "-r", "5", "-u", "z", "x"], "--rootid and --uuid exclude each other"),
        (["--format", "xml", "uuid"], "'xml' is not one of 'text', 'json'"),
    ],
)
def test_a_usage_error_is_one_line_and_status_2(words: list[str], message: str) -> None:
    assert message in one_line(run(*words), 2)


def test_a_group_without_a_command_prints_its_help(image: Path) -> None:
    for words in ([], ["inspect"], ["uuid"]):
        result = run(*words)
        assert result.status == 2
        assert "Commands:" in result.errors


def test_commands_may_be_abbreviated_and_have_the_names_of_btrfs_progs(image: Path) -> None:
    wanted = run("inspect", "dump-super", image).output
    assert wanted
    for words in (["inspect-internal", "dump-super"], ["insp", "dump-s"], ["i", "dump-super"]):
        assert run(*words, image).output == wanted


def test_shared_options_stand_before_or_after_the_subcommand(image: Path) -> None:
    wanted = run("--format", "json", "uuid", "list", image)
    assert wanted.output.startswith("{")
    assert run("uuid", "list", image, "--format", "json").output == wanted.output
    assert run("uuid", "--format", "json", "list", image).output == wanted.output
    assert "tree blocks read" in run("-v", "uuid", "list", image).errors
    assert "tree blocks read" in run("uuid", "list", "-v", image).errors
    assert run("-v", "-q", "uuid", "list", image).errors == ""


def test_names_with_control_bytes_reach_no_terminal(tmp_path: Path) -> None:
    path = tmp_path / "evil\x1b[31m\n"
    assert "evil\\x1b[31m\\x0a: cannot open" in one_line(run("uuid", "list", path), 1)


def test_a_reader_that_goes_away_is_no_error_worth_a_word(image: Path) -> None:

    command = f"{sys.executable} -m pybtrfs inspect dump-tree {image} | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert result.stdout.startswith("pybtrfs v")
    assert result.stderr == ""


def test_a_full_disk_is_one_line(image: Path) -> None:

    command = f"{sys.executable} -m pybtrfs inspect dump-tree {image} >/dev/full"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "pybtrfs: standard output: No space left on device\n"


def test_the_commands_of_these_tests_run_without_privileges(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(100000))
    secret.chmod(0)
    assert "secret: cannot open: Permission denied" in one_line(run("uuid", "list", secret), 1)


def shell(line: str, image: Path) -> subprocess.CompletedProcess[str]:
    command = line.replace("pybtrfs", f"{sys.executable} -m pybtrfs").replace("IMAGE", str(image))
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("line", ["pybtrfs --help", "pybtrfs uuid list IMAGE", "pybtrfs inspect dump-tree IMAGE"])
def test_closed_standard_streams_are_no_trouble(image: Path, line: str) -> None:
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        result = shell(f"{line} {closed}", image)
        assert (result.returncode, result.stderr) == (0, "")


def test_a_usage_error_keeps_its_status_where_nobody_can_be_told(image: Path) -> None:
    assert shell("pybtrfs uuid list --nonsense 2>/dev/full", image).returncode == 2
    assert shell("pybtrfs uuid 2>/dev/full", image).returncode == 2


def test_names_that_the_output_cannot_encode_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "image"
    result = shell("PYTHONIOENCODING=ascii pybtrfs mkfs -b 200M -L '\u2603' IMAGE", path)
    assert result.returncode == 0
    assert "Label:              \\u2603" in result.stdout


def test_a_mkfs_that_fails_leaves_no_file_behind(tmp_path: Path) -> None:
    for size in ("8E", "15E", "7E", "1M"):
        one_line(run("mkfs", "-b", size, tmp_path / "new"), 1)
    assert list(tmp_path.iterdir()) == []


def test_a_filesystem_with_a_damaged_primary_is_still_a_filesystem_to_mkfs(tmp_path: Path) -> None:
    path = tmp_path / "image"
    assert run("mkfs", "-q", "-b", "200M", path).status == 0
    with path.open("r+b") as file:
        file.seek(65536)
        file.write(bytes(4096))
    assert "already holds: btrfs filesystem" in one_line(run("mkfs", "-q", path), 1)
    result = run("log", "show", path)
    assert "using mirror 1" in result.errors
    assert "does not tell whether a log waits" in result.errors


def test_json_of_a_superblock_that_is_none_ends_with_1_as_its_text_does(tmp_path: Path) -> None:
    path = tmp_path / "zeros"
    path.write_bytes(bytes(1 << 20))
    for words in ([], ["--format", "json"]):
        assert "bad magic on superblock" in one_line(run(*words, "inspect", "dump-super", path), 1)


def test_an_offset_behind_the_end_is_named(image: Path) -> None:
    assert "offset 1073741824 is behind the end of its" in one_line(run("uuid", "list", "--offset", "1G", image), 1)
