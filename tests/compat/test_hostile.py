"""Hostile images: each says what it is meant to say, and reading it ends, stays small, and keeps what is healthy."""

from __future__ import annotations

import os
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import fence
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
HARMLESS = ("terminal", "specials")  # odd, but nothing that a reader must mind, only who writes or prints


@pytest.mark.kernel
@every_image
def test_a_hostile_image_says_what_is_meant(tmp_path: Path, name: str) -> None:
    printed = judge.dump_tree(hostile.build(name, tmp_path / "image"))
    assert not [says for says in hostile.IMAGES[name].says if not re.search(says, printed, re.MULTILINE)]


@every_image
def test_reading_a_hostile_image_ends_stays_small_and_keeps_what_is_healthy(tmp_path: Path, name: str) -> None:
    image = hostile.build(name, tmp_path / "image")
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


@pytest.mark.parametrize(
    "damage",
    [
        lambda inside, outside: (outside / "new").touch(),
        lambda inside, outside: (outside / "file").chmod(0o4777),
        lambda inside, outside: (outside / "file").write_bytes(b"planted!"),
        lambda inside, outside: (inside / ".." / ".." / "escape").touch(),
        lambda inside, outside: os.utime(inside / "healthy" / ".", (1, 1)),
        lambda inside, outside: (inside / "~ healthy").write_bytes(b""),
        lambda inside, outside: os.setxattr(outside / "file", "user.planted", b""),
    ],
)
def test_the_fence_sees_whatever_gets_out(tmp_path: Path, damage: Callable[[Path, Path], object]) -> None:
    guarded = fence.around(tmp_path)
    way = guarded.__enter__()
    fence.lay_traps(*way)
    damage(*way)
    with pytest.raises(AssertionError, match=r"^b'[a-z./]*': (is too much|mode|digest|mtime|xattrs)"):
        guarded.__exit__(None, None, None)


def test_the_fence_lets_be_what_stays_inside(tmp_path: Path) -> None:
    with fence.around(tmp_path) as (inside, outside):
        fence.lay_traps(inside, outside)
        (inside / "folder").mkdir()
        (inside / "folder" / "file").write_bytes(b"x")
        inside.chmod(0o700)


@pytest.mark.parametrize("method", ["ZLIB", "ZSTD"])
def test_the_bombs_are_streams_that_a_decoder_takes(method: str) -> None:
    import zlib

    stream = {"ZLIB": zlib.compress(bytes(MIB)), "ZSTD": hostile.zstd_of_zeros(8)}[method]
    assert decompress(getattr(hostile, method), stream, 4096, 4096) == bytes(4096)


def test_the_lzo_bomb_is_a_stream_that_goes_past_its_sector() -> None:
    assert len(decompress(hostile.LZO, hostile.lzo_of_one_byte(40), 4096, 4096).strip(b"\0")) > 2000
    with pytest.raises(CorruptError, match="lzo"):
        decompress(hostile.LZO, hostile.lzo_of_one_byte(4000), 4096, 4096)
