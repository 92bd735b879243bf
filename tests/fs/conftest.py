"""The golden image, which the kernel filled, for the tests of this floor; a module may patch its own copy."""

import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybtrfs.fs.filesystem import Filesystem, open_filesystem

GOLDEN = Path(__file__).parent.parent / "golden" / "kernel.img.xz"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("golden") / "image"
    path.write_bytes(lzma.decompress(GOLDEN.read_bytes()))
    return path


@pytest.fixture
def filesystem(image: Path) -> Iterator[Filesystem]:
    with open_filesystem(str(image)) as opened:
        yield opened
