"""EXTENT_CSUM: the checksums of data sectors, one after the other, from the key's offset on.

The type of the filesystem fixes the size of each; the item is their plain concatenation.
"""

from collections.abc import Iterator

from pybtrfs.errors import CorruptError
from pybtrfs.ondisk.layout import Buffer


def split_csums(data: Buffer, csum_size: int) -> Iterator[bytes]:
    """The checksums in an EXTENT_CSUM item, each of `csum_size` bytes, in the order of the sectors."""
    if len(data) % csum_size:
        raise CorruptError(f"EXTENT_CSUM: {len(data)} bytes, not a multiple of {csum_size}")
    return (bytes(data[at : at + csum_size]) for at in range(0, len(data), csum_size))


def csums_end(data: Buffer, offset: int, csum_size: int, sectorsize: int) -> int:
    """The logical address behind the last sector that an item with key offset `offset` covers."""
    return offset + len(data) // csum_size * sectorsize
