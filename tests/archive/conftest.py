"""The golden image, unpacked once a session."""

import lzma
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent.parent / "golden" / "kernel.img.xz"


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("golden") / "kernel.img"
    path.write_bytes(lzma.decompress(GOLDEN.read_bytes()))
    return path
