"""The package as a library: public names, loaded when they are used; the README's example."""

import lzma
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


def test_the_example_of_the_readme_runs(tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "kernel.img").write_bytes(lzma.decompress((ROOT / "tests/golden/kernel.img.xz").read_bytes()))
    printed = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, text=True)
    assert "256 b'home'" in printed
    assert "InodeItem(" in printed


def test_python_m_pybtrfs_is_the_command() -> None:
    shown = subprocess.check_output([sys.executable, "-m", "pybtrfs", "--version"], text=True)
    assert shown == f"pybtrfs {pybtrfs.VERSION}\n"
