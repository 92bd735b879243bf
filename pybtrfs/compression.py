"""Decompression of extents: zlib, lzo and zstd as a table by the number in a file extent's `compression`.

The bytes of a compressed extent are one stream, padded with anything to whole sectors; it inflates to at most
128 KiB. Whatever a stream claims, no more than the `size` that is asked for is ever handed out, and what a stream
falls short of it is zeros, as the kernel has it. lzo has a framing of its own (the kernel's fs/btrfs/lzo.c): the
length of the whole, then segments of one sector each with a length before them, which never straddles a sector.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from pybtrfs.errors import CorruptError

MAX_COMPRESSED = MAX_UNCOMPRESSED = 128 * 1024
"""The longest compressed extent, in bytes on disk and in bytes of the file (the kernel's BTRFS_MAX_COMPRESSED)."""

Decompress = Callable[[bytes, int, int], bytes]


class Compression(NamedTuple):
    """One algorithm: its number on disk, its name, and what takes a stream, a size and the sectorsize."""

    number: int
    name: str
    decompress: Decompress


def decompress(number: int, data: bytes, size: int, sectorsize: int) -> bytes:
    """The first `size` bytes of what the stream in `data` holds.

    Raises `CorruptError` for an unknown algorithm, a size above 128 KiB, and a stream that is not well-formed.
    """
    row = COMPRESSIONS.get(number)
    if row is None:
        raise CorruptError(f"compression is {number}, expected one of {', '.join(map(str, COMPRESSIONS))}")
    if size > MAX_UNCOMPRESSED:
        raise CorruptError(f"a compressed extent of {size} bytes, expected at most {MAX_UNCOMPRESSED}")
    if len(data) > MAX_COMPRESSED:
        raise CorruptError(f"a compressed extent of {len(data)} bytes on disk, expected at most {MAX_COMPRESSED}")
    found = row.decompress(data, size, sectorsize)
    return found if len(found) == size else found[:size].ljust(size, b"\0")


def _from_zlib(data: bytes, size: int, sectorsize: int) -> bytes:
    import zlib  # noqa: PLC0415  only files that use it pay for it

    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, size)
        if len(found) < size and not stream.eof:
            raise CorruptError(f"zlib: the stream ends after {len(found)} of {size} bytes")
    except zlib.error as error:
        raise CorruptError(f"zlib: {error}") from None
    return found


def _from_zstd(data: bytes, size: int, sectorsize: int) -> bytes:
    import zstandard  # noqa: PLC0415  only files that use it pay for it

    try:
        if zstandard.frame_content_size(data) > size:
            with _zstd().stream_reader(data) as reader:
                return bytes(reader.read(size))
        return bytes(_zstd().decompress(data, max_output_size=size, allow_extra_data=True))
    except zstandard.ZstdError as error:
        return _part_of_zstd(data, size, str(error))


def _part_of_zstd(data: bytes, size: int, why: str) -> bytes:
    """A frame that holds more than is wanted; every other complaint stands."""
    import zstandard  # noqa: PLC0415

    try:
        with _zstd().stream_reader(data) as reader:
            found = bytes(reader.read(size))
    except zstandard.ZstdError as error:
        raise CorruptError(f"zstd: {error}") from None
    if len(found) < size:
        raise CorruptError(f"zstd: {why}")
    return found


@cache
def _zstd() -> Any:
    """One decompressor for all: making one costs more than an extent does."""
    import zstandard  # noqa: PLC0415

    return zstandard.ZstdDecompressor(max_window_size=MAX_UNCOMPRESSED)


_LENGTH = 4  # bytes of a length in the lzo framing


def _from_lzo(data: bytes, size: int, sectorsize: int) -> bytes:
    import lzallright  # noqa: PLC0415  only files that use it pay for it

    end = int.from_bytes(data[:_LENGTH], "little")
    if not _LENGTH <= end <= len(data):
        raise CorruptError(f"lzo: the stream says that it has {end} bytes, the extent has {len(data)}")
    longest = sectorsize + sectorsize // 16 + 64 + 3  # what lzo makes of a sector at worst
    parts, done, at = [], 0, _LENGTH
    while done < size and at < end:
        if sectorsize - at % sectorsize < _LENGTH:
            at += sectorsize - at % sectorsize
            continue
        length = int.from_bytes(data[at : at + _LENGTH], "little")
        at += _LENGTH
        if length > longest or at + length > end:
            raise CorruptError(f"lzo: a segment of {length} bytes at byte {at} of {end}")
        try:
            part = lzallright.LZOCompressor.decompress(data[at : at + length], sectorsize)
        except (lzallright.LZOError, MemoryError) as error:
            raise CorruptError(f"lzo: the segment at byte {at}: {error}") from None
        if len(part) > sectorsize:
            raise CorruptError(f"lzo: the segment at byte {at} inflates to {len(part)} bytes, over {sectorsize}")
        parts.append(part)
        done, at = done + len(part), at + length
    return b"".join(parts)


COMPRESSIONS = {
    row.number: row
    for row in (
        Compression(1, "zlib", _from_zlib),
        Compression(2, "lzo", _from_lzo),
        Compression(3, "zstd", _from_zstd),
    )
}
