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
