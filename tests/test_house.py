"""Docs and code in step, start-up, and style: what a reviewer would otherwise have to notice."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from commandline import run

from pybtrfs._version import VERSION
from pybtrfs.commands._tree import ALIASES, COMMANDS, LazyGroup, pybtrfs
from pybtrfs.ondisk import layout

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "pybtrfs"
MODULES = sorted(PACKAGE.rglob("*.py"))
PAGES = sorted((REPOSITORY / "man").glob("*.8"))
SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"]

MOST_LINES_OF_A_FILE = 450
MOST_LINES_OF_A_FUNCTION = 70
MOST_LINES_OF_ARCHITECTURE = 80


# -- the command tree --------------------------------------------------------------------------------


class Command(NamedTuple):
    """A command or group with the words that call it, and the spellings of its options."""

    words: tuple[str, ...]
    command: click.Command
    options: frozenset[str]

    @property
    def page(self) -> Path:
        return REPOSITORY / "man" / ("-".join(("pybtrfs", *self.words[:1])) + ".8")


def _walk(command: click.Command, words: tuple[str, ...], parent: click.Context | None) -> Iterator[Command]:
    ctx = click.Context(command, parent=parent, **command.context_settings)
    parameters = command.get_params(ctx)
    options = (p for p in parameters if isinstance(p, click.Option))
    yield Command(words, command, frozenset(spelling for p in options for spelling in (*p.opts, *p.secondary_opts)))
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            child = command.get_command(ctx, name)
            assert child is not None, f"{words}: {name} is listed and not there"
            yield from _walk(child, (*words, name), ctx)


TREE = list(_walk(pybtrfs, (), None))
each_command = pytest.mark.parametrize("found", TREE, ids=lambda found: " ".join(("pybtrfs", *found.words)))
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@each_command
def test_help_exits_with_0_begins_with_a_sentence_and_lists_each_option_and_subcommand(found: Command) -> None:
    result = run(*found.words, "--help")
    assert (result.status, result.errors) == (0, "")
    assert re.match(r"[A-Za-z][^\n]*?\.(\s|$)", " ".join((found.command.help or "").split())), "no first sentence"
    assert not [option for option in found.options if not re.search(rf"(?<![\w-]){option}\b", result.output)]
    if isinstance(found.command, click.Group):
        names = found.command.list_commands(click.Context(found.command))
        assert not [name for name in names if not re.search(rf"^  {name}  +\S", result.output, re.MULTILINE)]


@each_command
def test_each_option_has_a_line_of_help(found: Command) -> None:
    options = [param for param in found.command.params if isinstance(param, click.Option)]
    assert not [option.opts for option in options if not (option.help or "").endswith((".", ")"))]


def test_the_table_of_commands_says_what_each_does_in_a_sentence() -> None:
    assert not [name for name, (_, line) in COMMANDS.items() if not line.endswith(".")]
    assert isinstance(pybtrfs, LazyGroup)


# -- manual pages ------------------------------------------------------------------------------------


@cache
def _text_of(page: Path) -> str:
    """A page's words, without macros, fonts and quotes."""
    text = re.sub(r"\\f.|\\c$|^\.(?:BR|BI|IR|RI|IB|RB|B|I|SS|SH) ", "", page.read_text(), flags=re.MULTILINE)
    return re.sub(r'"', "", text.replace("\\-", "-"))


def _options_named(page: Path) -> set[str]:
    return set(re.findall(r"(?<![\w\-/.])--?[a-zA-Z\d][\w-]*", _text_of(page)))


@each_command
def test_each_command_has_a_manual_page_that_names_its_options_and_subcommands(found: Command) -> None:
    assert found.page.exists()
    assert found.options - _options_named(found.page) == set()
    assert " ".join(("pybtrfs", *found.words)) in _text_of(found.page)


@each_page
def test_a_manual_page_names_no_option_that_does_not_exist(page: Path) -> None:
    theirs = [found for found in TREE if page in (found.page, REPOSITORY / "man" / "pybtrfs.8")]
    assert theirs, "the page of no command"
    assert _options_named(page) - {option for found in theirs for option in found.options} == set()


def test_the_overview_names_each_command_its_page_and_each_other_name() -> None:
    text = _text_of(REPOSITORY / "man" / "pybtrfs.8")
    lines = text.splitlines()
    assert not [name for name in COMMANDS if name not in lines or f"pybtrfs-{name} (8)" not in text]
    assert not [alias for alias in ALIASES if alias not in text]


@each_page
def test_a_manual_page_has_its_sections_in_order_and_its_references_exist(page: Path) -> None:
    source = page.read_text()
    title, *_ = (line for line in source.splitlines() if not line.startswith('.\\"'))
    assert title.startswith(f".TH {page.stem.upper()} 8 ")
    assert f"\n.SH NAME\n{page.stem} \\- " in source
    found = re.findall(r"^\.SH (.*)$", source, re.MULTILINE)
    assert [section for section in found if section in SECTIONS] == SECTIONS
    assert not [
        name for name in re.findall(r"\bpybtrfs-\w+(?= \(8\))", source) if not page.with_name(f"{name}.8").exists()
    ]


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff")
@each_page
def test_groff_has_no_complaint_about_a_manual_page(page: Path) -> None:
    result = subprocess.run(["groff", "-man", "-ww", "-z", page], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


# -- generated and hand-written documents ------------------------------------------------------------


def test_the_page_of_the_format_is_fresh_and_has_each_structure() -> None:
    generator, page = REPOSITORY / "docs" / "generate.py", REPOSITORY / "docs" / "ONDISK.md"
    result = subprocess.run([sys.executable, generator, "--check"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    headings = set(re.findall(r"^### (\w+)$", page.read_text(), re.MULTILINE))
    declared = {cls.__name__ for cls in layout._LAYOUTS if cls.__module__.startswith("pybtrfs.ondisk.")}
    assert declared - headings == set()


def test_the_readme_names_the_ways_to_try_and_to_test() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    assert not [words for words in ("make demo", "make test") if words not in readme]


def test_the_changelog_has_a_section_for_what_is_being_made() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text()
    assert re.search(rf"^## (\[?Unreleased|\[?{re.escape(VERSION)})", changelog, re.MULTILINE)


def test_the_architecture_fits_two_screens() -> None:
    assert len((REPOSITORY / "ARCHITECTURE.md").read_text().splitlines()) < MOST_LINES_OF_ARCHITECTURE


# -- start-up ----------------------------------------------------------------------------------------

LOADED_BY_HELP = {"_version", "commands", "commands._session", "commands._tree", "errors"}
LOADED_BY_LOOKUP = {
    *LOADED_BY_HELP,
    "btree",
    "btree.block",
    "btree.check",
    "btree.search",
    "btree.store",
    "checksum",
    "commands._image",
    "commands._types",
    "commands.uuid",
    "fs",
    "fs.filesystem",
    "fs.names",
    "fs.subvolume",
    "fs.uuidtree",
    "ondisk",
    "ondisk.chunk",
    "ondisk.constants",
    "ondisk.header",
    "ondisk.inode",
    "ondisk.key",
    "ondisk.layout",
    "ondisk.root",
    "ondisk.superblock",
    "ondisk.uuid",
    "volume",
    "volume.chunks",
    "volume.device",
    "volume.inuse",
    "volume.opening",
    "volume.parity",
    "volume.partitions",
    "volume.profiles",
    "volume.redundancy",
    "volume.striping",
    "volume.superblocks",
    "volume.volume",
}
HEAVY = """
    argparse asyncio concurrent ctypes curses dataclasses decimal email fractions ftplib hashlib html http
    importlib.metadata importlib.resources json logging multiprocessing optparse pdb pickle platform pydoc queue
    random readline select selectors shlex socket sqlite3 ssl statistics subprocess tarfile tempfile tomllib
    unittest urllib xml zipfile
"""
"""Modules of the standard library, each of which costs a millisecond or more, or brings others along."""

IMPORTS = """
import sys
before = set(sys.modules)
sys.argv = ["pybtrfs", *sys.argv[1:]]
try:
    from pybtrfs.commands import main
    main()
finally:
    print("loaded:", *sorted(set(sys.modules) - before))
"""


def _loaded(*arguments: str | Path) -> tuple[str, set[str]]:
    """What `pybtrfs ARGUMENTS` prints, and the modules that it loads beyond the interpreter's own."""
    words = [sys.executable, "-c", IMPORTS, *map(str, arguments)]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    output, _, names = result.stdout.rpartition("loaded: ")
    return output, set(names.split())


def _ours(modules: set[str]) -> set[str]:
    return {name.removeprefix("pybtrfs.") for name in modules if name.startswith("pybtrfs.")}


def _foreign(modules: set[str]) -> set[str]:
    roots = {name.partition(".")[0] for name in modules}
    return roots - set(sys.stdlib_module_names) - {"pybtrfs"}


def test_help_loads_only_the_table_of_commands() -> None:
    output, modules = _loaded("--help")
    assert output.startswith("Usage: pybtrfs")
    assert _ours(modules) == LOADED_BY_HELP
    assert _foreign(modules) == {"click"}
    assert modules & set(HEAVY.split()) <= _loaded_by_click()


def test_uuid_lookup_loads_only_what_it_needs(tmp_path: Path) -> None:
    image = tmp_path / "image"
    assert run("mkfs", "-q", "-b", "128M", image).status == 0
    uuid, kind, number = run("uuid", "list", "-q", image).output.split()
    output, modules = _loaded("uuid", "lookup", image, uuid)
    assert output == f"{number} {kind} /\n"
    assert _ours(modules) == LOADED_BY_LOOKUP
    assert _foreign(modules) <= {"click", "_crc32c"}
    assert modules & set(HEAVY.split()) <= _loaded_by_click()


@cache
def _loaded_by_click() -> set[str]:
    """Click and the interpreter vary; what they load is not ours to count."""
    words = [sys.executable, "-c", "import sys, click; print(*sys.modules)"]
    return set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())


# -- completion --------------------------------------------------------------------------------------


def _completed(line: str, shell: str = "bash") -> list[str]:
    """What the shell is told when the last word of the line is to be completed."""
    *words, last = line.split(" ")
    ask = {"COMP_WORDS": line, "COMP_CWORD": last if shell == "fish" else str(len(words))}
    environment = os.environ | ask | {"_PYBTRFS_COMPLETE": f"{shell}_complete"}
    words = [sys.executable, "-m", "pybtrfs"]
    result = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_and_the_script_is_answered(shell: str) -> None:
    result = run("completion", shell)
    assert (result.status, result.errors) == (0, "")
    assert f"_PYBTRFS_COMPLETE={shell}_complete" in result.output
    assert any("subvolume" in line for line in _completed("pybtrfs su", shell))


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("pybtrfs su", ["plain,subvolume"]),
        ("pybtrfs subvolume s", ["plain,show"]),
        ("pybtrfs subvolume list --so", ["plain,--sort"]),
        ("pybtrfs subvolume list --sort og", ["plain,ogen"]),
        ("pybtrfs mkfs disk", ["file,disk"]),
    ],
)
def test_completion_knows_commands_options_choices_and_files(line: str, answer: list[str]) -> None:
    assert _completed(line) == answer


def test_completion_offers_each_command() -> None:
    assert _completed("pybtrfs ") == [f"plain,{name}" for name in sorted(COMMANDS)]


# -- style -------------------------------------------------------------------------------------------


def test_no_file_is_long_and_no_function_is() -> None:
    long = [file.name for file in MODULES if len(file.read_text().splitlines()) > MOST_LINES_OF_A_FILE]
    long += [
        f"{file.name}: {node.name}"
        for file in MODULES
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None
        if node.end_lineno - node.lineno >= MOST_LINES_OF_A_FUNCTION
    ]
    assert not long


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError")
    assert not [(file.name, found[0]) for file in MODULES for found in later.finditer(file.read_text())]


def test_each_module_and_each_public_function_and_class_has_a_docstring() -> None:
    bare = [str(file.relative_to(PACKAGE)) for file in MODULES if not ast.get_docstring(_tree(file))]
    bare += [
        f"{file.relative_to(PACKAGE)}: {node.name}"
        for file in MODULES
        for node in _tree(file).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        if not ast.get_docstring(node)
    ]
    assert not bare


def test_no_path_of_a_developers_machine_is_committed() -> None:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    files = [REPOSITORY / os.fsdecode(name) for name in names.split(b"\0") if name]
    machine = re.compile(rb"(?<![\w.}])/(work|root|tmp|home/\w+)/\w+")
    contents = ((file, file.read_bytes()) for file in files if file.is_file())
    found = [(file.name, match[0]) for file, data in contents if b"\0" not in data for match in machine.finditer(data)]
    assert not found


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())
