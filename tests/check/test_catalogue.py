"""Rules and the catalogue in step: no code without its texts, no texts without their code, no advice that is none."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import judge
import pytest
from commandline import run

import pybtrfs.check
from pybtrfs.check.catalogue import CATALOGUE
from pybtrfs.check.engine import SINGLE_TESTS, WHOLE_LEDGERS
from pybtrfs.check.rules import inodes, names
from pybtrfs.commands._tree import COMMANDS

PACKAGE = Path(pybtrfs.check.__file__).parent
CODE = re.compile(r"[A-Z]{3}-[0-9]{3}")


def _emitted() -> Iterator[tuple[str, str]]:
    """Each code that stands in a module as a value, and the module; texts that mention one are not values."""
    for file in sorted(PACKAGE.rglob("*.py")):
        if file.parent.name != "catalogue":
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                    yield node.value, str(file.relative_to(PACKAGE))


def test_each_code_that_a_rule_can_emit_has_an_entry_and_each_entry_has_its_rule() -> None:
    codes = {code for code, _ in _emitted()}
    assert (codes - CATALOGUE.keys(), CATALOGUE.keys() - codes) == (set(), set())


def test_a_code_belongs_to_one_rule() -> None:
    modules = defaultdict(set)
    for code, module in _emitted():
        modules[code].add(module)
    assert not {code: found for code, found in modules.items() if len(found) > 1}
    declared = [rule.code for rule in (*SINGLE_TESTS, *inodes.LEDGERS, *names.LEDGERS, *WHOLE_LEDGERS)]
    assert sorted(declared) == sorted(set(declared))


def test_titles_differ() -> None:
    titles = [entry.title for entry in CATALOGUE.values()]
    assert sorted(titles) == sorted(set(titles))


def test_entries_are_in_sentences_and_their_titles_are_none() -> None:
    odd = [code for code, entry in CATALOGUE.items() if not re.fullmatch(r"[A-Z].*[^.]", entry.title)]
    odd += [code for code, entry in CATALOGUE.items() for text in entry[1:] if not re.fullmatch(r"[^ ].*[^ ]\.", text)]
    assert not odd


def test_the_next_step_names_only_commands_of_ours_that_exist() -> None:
    words = {
        tuple(found.split()) for entry in CATALOGUE.values() for found in re.findall(r"pybtrfs ([a-z -]+)", entry.next)
    }
    assert {command for command, *_ in words} <= COMMANDS.keys()
    assert "--no-verify" in run("cat", "--help").output
    assert "--subvolid" in run("restore", "--help").output
    for group, subcommand in {("uuid", "verify"), ("log", "show"), ("device", "stats")}:
        assert run(group, subcommand, "--help").status == 0


@pytest.mark.kernel
def test_the_next_step_names_only_subcommands_of_the_c_program_that_exist() -> None:
    texts = " ".join(entry.next for entry in CATALOGUE.values())
    named = set(
        re.findall(r"\bbtrfs ((?:rescue|balance|device|quota|qgroup|subvolume|filesystem|replace) [a-z-]+)", texts)
    )
    missing = [words for words in sorted(named) if judge.run("btrfs", *words.split(), "--help", check=False).returncode]
    assert named
    assert not missing


def test_explain_prints_the_texts_of_a_code_in_any_case_and_refuses_one_that_is_none() -> None:
    result = run("check", "--explain", "ino-002")
    assert (result.status, result.errors) == (0, "")
    assert result.output.startswith("INO-002: A wrong link count\n")
    assert all(f"  {word}: " in result.output for word in ("means", "risk", "next"))
    assert run("check", "--explain", "INO-999").status == 16
