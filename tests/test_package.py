"""The package as a library: public names, loaded when they are used; the README's example."""

import ast
import lzma
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pybtrfs

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", pybtrfs.__all__)
def test_each_public_name_is_there(name: str) -> None:
    assert getattr(pybtrfs, name) is not None
    assert name in dir(pybtrfs)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'pybtrfs' has no attribute 'nonsense'"):
        pybtrfs.nonsense  # noqa: B018


def test_importing_the_package_loads_nothing_else_of_it() -> None:
    code = "import sys, pybtrfs; print([name for name in sys.modules if name.startswith('pybtrfs.')])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_a_type_checker_sees_the_same_names() -> None:
    [block] = [node for node in ast.parse((ROOT / "pybtrfs/__init__.py").read_text()).body if _is_for_checkers(node)]
    seen = {alias.asname: node.module for node in block.body for alias in getattr(node, "names", ())}
    assert seen == pybtrfs._PUBLIC


def _is_for_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


USER = """
import io
import uuid
from collections.abc import Iterator
from typing import assert_type

import pybtrfs

with pybtrfs.open("disk.img", devices=["other.img"], partition=1, notice=print) as fs:
    assert_type(fs, pybtrfs.Image)
    assert_type(fs.stat("x"), pybtrfs.Stat)
    assert_type(fs.stat("x").st_size, int)
    assert_type(fs.listdir(), list[str])
    assert_type(fs.listdir(b"/"), list[bytes])
    assert_type(fs.readlink(b"x"), bytes)
    assert_type(fs.open("x"), io.BufferedReader)
    assert_type(fs.open("x", buffering=0), pybtrfs.ImageFile)
    assert_type(fs.scandir(), Iterator[pybtrfs.Entry[str]])
    assert_type(next(fs.scantree(b"/")).name, bytes)
    assert_type(next(fs.walk("/")), tuple[str, list[str], list[str]])
    assert_type(fs.subvolume(256).uuid, uuid.UUID)
    assert_type(fs.extents("x"), list[pybtrfs.ExtentInfo])
    assert_type(fs.subvolumes()[0].path, str | None)
pybtrfs.opne("disk.img")
fs.stat(5)
pybtrfs.open("disk.img", replay_log="both")
"""


def test_a_user_of_mypy_sees_types_and_hears_of_mistakes(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER)
    words = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", tmp_path, "user.py"]
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    said = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False).stdout
    mistakes = [line for line in said.splitlines() if line.startswith("user.py:")]
    assert [re.sub(r"user\.py:\d+: error: (.*)  \[.*", r"\1", line)[:40] for line in mistakes] == [
        'Module has no attribute "opne"',
        'Argument 1 to "stat" of "SubvolumeView" ',
        'Argument "replay_log" to "open" has inco',
    ]


def test_the_examples_of_the_readme_run(tmp_path: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "kernel.img").write_bytes(lzma.decompress((ROOT / "tests/golden/kernel.img.xz").read_bytes()))
    words = [[sys.executable, "-W", "error", "-c", code] for code in examples]
    files, adapter = (subprocess.check_output(each, cwd=tmp_path, text=True) for each in words)
    assert "/home/log 265000\nb'more\\n'\n" in re.sub(r"/home/(random|linked|symlink).*\n", "", files)
    assert "260 /received/home-2 3702c990-ec6b-7049-b8a1-b51e398e9c47\nTrue " in files
    assert "InodeItem(" in files
    assert adapter.startswith("['backup/home-1/notes', 'backup/home-2/notes'] b'more\\n'\na small file")


def test_python_m_pybtrfs_is_the_command() -> None:
    shown = subprocess.check_output([sys.executable, "-m", "pybtrfs", "--version"], text=True)
    assert shown == f"pybtrfs {pybtrfs.VERSION}\n"
