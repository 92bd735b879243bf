"""The golden image, open through the API; a module may patch its own copy."""

import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest

import pybtrfs

GOLDEN = Path(__file__).parent.parent / "golden" / "kernel.img.xz"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("golden") / "image"
    path.write_bytes(lzma.decompress(GOLDEN.read_bytes()))
    return path


@pytest.fixture
def fs(image: Path) -> Iterator[pybtrfs.Image]:
    with pybtrfs.open(image) as opened:
        yield opened
