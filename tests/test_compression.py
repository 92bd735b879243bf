"""Decompression against the libraries' own compressors, in btrfs framing; streams that lie are bounded."""

import zlib
from collections.abc import Callable
from contextlib import suppress

import lzallright
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pybtrfs.compression import COMPRESSIONS, MAX_COMPRESSED, MAX_UNCOMPRESSED, decompress
from pybtrfs.errors import CorruptError

SECTOR = 4096
ZLIB, LZO, ZSTD = 1, 2, 3
contents = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda part, times: part * times, st.binary(min_size=1, max_size=50), st.integers(0, 2600)),
    st.builds(lambda part, rest: part * 700 + rest, st.binary(min_size=1, max_size=6), st.binary(max_size=9000)),
)


def lzo_stream(data: bytes, sectorsize: int = SECTOR) -> bytes:
    """What the kernel writes: the length of all, then a segment a sector; a length never straddles a sector."""
    stream = bytearray(4)
    for at in range(0, len(data), sectorsize):
        segment = lzallright.LZOCompressor().compress(data[at : at + sectorsize])
        if sectorsize - len(stream) % sectorsize < 4:
            stream += bytes(sectorsize - len(stream) % sectorsize)
        stream += len(segment).to_bytes(4, "little") + segment
    stream[:4] = len(stream).to_bytes(4, "little")
    return bytes(stream)


COMPRESS: dict[int, Callable[[bytes], bytes]] = {
    ZLIB: zlib.compress,
    LZO: lzo_stream,
    ZSTD: zstandard.ZstdCompressor().compress,
}
each_kind = pytest.mark.parametrize("kind", COMPRESS, ids=lambda kind: COMPRESSIONS[kind].name)


@each_kind
@given(contents, st.integers(0, 4096))
def test_what_was_compressed_comes_back_whatever_pads_the_sector(kind: int, content: bytes, pad: int) -> None:
    stream = COMPRESS[kind](content)
    if len(stream) <= MAX_COMPRESSED - pad:
        assert decompress(kind, stream + b"\xa5" * pad, len(content), SECTOR) == content


@each_kind
@given(contents, st.data())
def test_a_part_of_what_a_stream_holds_is_its_beginning(kind: int, content: bytes, data: st.DataObject) -> None:
    size = data.draw(st.integers(0, len(content)))
    assert decompress(kind, COMPRESS[kind](content), size, SECTOR) == content[:size]


@each_kind
def test_what_a_stream_falls_short_of_is_zeros(kind: int) -> None:
    assert decompress(kind, COMPRESS[kind](b"short" * 20), 4096, SECTOR) == (b"short" * 20).ljust(4096, b"\0")


@each_kind
@given(st.binary(max_size=300), st.integers(0, MAX_UNCOMPRESSED))
def test_of_any_bytes_there_comes_what_was_asked_for_or_one_error(kind: int, stream: bytes, size: int) -> None:
    with suppress(CorruptError):
        assert len(decompress(kind, stream, size, SECTOR)) == size


@each_kind
@given(contents, st.data())
def test_a_stream_with_a_byte_changed_is_met_likewise(kind: int, content: bytes, data: st.DataObject) -> None:
    stream = bytearray(COMPRESS[kind](content))
    stream[data.draw(st.integers(0, len(stream) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(CorruptError):
        assert len(decompress(kind, bytes(stream), len(content), SECTOR)) == len(content)


def zstd_stream(data: bytes, window_log: int) -> bytes:
    parameters = zstandard.ZstdCompressionParameters(window_log=window_log)
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


@pytest.mark.parametrize("kind", [ZLIB, ZSTD])
def test_a_bomb_gives_no_more_than_was_asked_for(kind: int) -> None:
    zeros = bytes(64 << 20)
    bomb = zlib.compress(zeros) if kind == ZLIB else zstd_stream(zeros, 17)
    assert len(bomb) < MAX_COMPRESSED
    assert decompress(kind, bomb, MAX_UNCOMPRESSED, SECTOR) == bytes(MAX_UNCOMPRESSED)


def test_a_zstd_frame_that_wants_a_window_larger_than_an_extent_is_refused() -> None:
    with pytest.raises(CorruptError, match=r"zstd: .*too much memory"):
        decompress(ZSTD, zstd_stream(bytes(64 << 20), 24), MAX_UNCOMPRESSED, SECTOR)


@pytest.mark.parametrize("kind", [ZLIB, ZSTD])
def test_a_stream_cut_short_is_an_error(kind: int) -> None:
    stream = COMPRESS[kind](b"many words, " * 1000)
    with pytest.raises(CorruptError, match=COMPRESSIONS[kind].name):
        decompress(kind, stream[: len(stream) // 2], 12_000, SECTOR)


def lengths(total: int, *segments: tuple[int, bytes]) -> bytes:
    """An lzo stream that says of its lengths what it is told to."""
    body = b"".join(length.to_bytes(4, "little") + segment for length, segment in segments)
    return total.to_bytes(4, "little") + body


ONE = lzallright.LZOCompressor().compress(b"one segment" * 9)
TOO_MUCH = lzallright.LZOCompressor().compress(bytes(SECTOR + 1))


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"", "lzo: the stream says that it has 0 bytes, the extent has 0"),
        (lengths(3, (len(ONE), ONE)), "says that it has 3 bytes"),
        (lengths(5000, (len(ONE), ONE)), "says that it has 5000 bytes"),
        (lengths(8 + len(ONE), (len(ONE) + 1, ONE)), f"a segment of {len(ONE) + 1} bytes at byte 8 of {8 + len(ONE)}"),
        (lengths(9000, (8900, bytes(8992))), "a segment of 8900 bytes"),
        (lengths(8 + len(ONE), (len(ONE), ONE[::-1])), "the segment at byte 8"),
        (lengths(8 + len(TOO_MUCH), (len(TOO_MUCH), TOO_MUCH)), "the segment at byte 8"),
    ],
)
def test_lzo_lengths_that_lie_are_named(stream: bytes, message: str) -> None:
    with pytest.raises(CorruptError) as caught:
        decompress(LZO, stream, SECTOR, SECTOR)
    assert message in str(caught.value)


def test_an_lzo_length_that_would_straddle_a_sector_begins_the_next(seed: int) -> None:
    import random

    chance = random.Random(seed)
    for _ in range(200):
        content = chance.randbytes(chance.randrange(3 * SECTOR)) + b"x" * chance.randrange(SECTOR)
        content += chance.randbytes(chance.randrange(4000)) * 2
        assert decompress(LZO, lzo_stream(content), len(content), SECTOR) == content


@pytest.mark.parametrize(
    ("kind", "data", "size", "message"),
    [
        (4, b"", 1, "compression is 4, expected one of 1, 2, 3"),
        (ZLIB, b"", MAX_UNCOMPRESSED + 1, "a compressed extent of 131073 bytes, expected at most 131072"),
        (ZSTD, bytes(MAX_COMPRESSED + 1), 1, "a compressed extent of 131073 bytes on disk"),
    ],
)
def test_what_no_extent_can_be_is_refused_before_it_is_read(kind: int, data: bytes, size: int, message: str) -> None:
    with pytest.raises(CorruptError, match=message):
        decompress(kind, data, size, SECTOR)
