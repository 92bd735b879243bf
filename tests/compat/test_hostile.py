"""Hostile images: each says what it is meant to say, and reading it ends, stays small, and keeps what is healthy."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import hostile
import judge
import manifest
import pytest
import reading

from pybtrfs.compression import decompress
from pybtrfs.errors import CorruptError
from pybtrfs.fs.file import File
from pybtrfs.fs.path import resolve

every_image = pytest.mark.parametrize("name", hostile.IMAGES)
MIB = 1 << 20
HARMLESS = ("terminal", "specials", "twins")  # odd, but nothing that a reader must mind, only who writes or prints


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A directory that some images aim at; nothing in it may change."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_bytes(b"precious")
    (folder / "linked").write_bytes(b"precious")
    before = manifest.of(folder)
    yield folder
    assert manifest.differences(before, manifest.of(folder), manifest.IMAGE - {"atime"}) == []


@pytest.mark.kernel
@every_image
def test_a_hostile_image_says_what_is_meant(tmp_path: Path, outside: Path, name: str) -> None:
    printed = judge.dump_tree(hostile.build(name, tmp_path / "image", outside))
    assert not [says for says in hostile.IMAGES[name].says if not re.search(says, printed, re.MULTILINE)]


@every_image
def test_reading_a_hostile_image_ends_stays_small_and_keeps_what_is_healthy(
    tmp_path: Path, outside: Path, name: str
) -> None:
    image = hostile.build(name, tmp_path / "image", outside)
    tracemalloc.start()
    try:
        found, lost = reading.manifest_of([image])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * MIB
    assert len(found) < 200
    with reading.opened([image]) as filesystem:
        for path, content in hostile.HEALTHY.items():
            assert path not in lost
            assert File(filesystem, resolve(filesystem, path)).read() == content
            digest = manifest.content_digest(lambda at, _, whole=content: whole[at:], len(content), [(0, len(content))])
            assert found[path].digest == digest
    assert bool(lost) == (name not in HARMLESS), lost
    assert not [part for path in found for part in path.split(b"/") if part in (b"", b"..") or b"\0" in part]


@pytest.mark.parametrize("method", ["ZLIB", "ZSTD"])
def test_the_bombs_are_streams_that_a_decoder_takes(method: str) -> None:
    import zlib

    stream = {"ZLIB": zlib.compress(bytes(MIB)), "ZSTD": hostile.zstd_of_zeros(8)}[method]
    assert decompress(getattr(hostile, method), stream, 4096, 4096) == bytes(4096)


def test_the_lzo_bomb_is_a_stream_that_goes_past_its_sector() -> None:
    assert len(decompress(hostile.LZO, hostile.lzo_of_one_byte(40), 4096, 4096).strip(b"\0")) > 2000
    with pytest.raises(CorruptError, match="lzo"):
        decompress(hostile.LZO, hostile.lzo_of_one_byte(4000), 4096, 4096)
