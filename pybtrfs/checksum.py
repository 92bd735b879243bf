"""Checksums: the four types of the format as a table, and the name hash of directory items.

crc32c is stored as a little-endian u32, xxhash64 as a little-endian u64, sha256 and blake2b-256 as
their digests; each is padded with zeros to the 32 bytes of a header's csum field.
"""

import importlib.machinery
import importlib.util
import sys
from array import array
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

Buffer = bytes | bytearray | memoryview

CSUM_SIZE = 32
"""Size in bytes of the csum field of a superblock and of a tree block header."""


class CsumType(NamedTuple):
    """One checksum algorithm: its number on disk, names, digest size in bytes, and function."""

    number: int
    name: str  # as btrfs-progs print it
    size: int
    digest: Callable[[Buffer], bytes]
    option_names: tuple[str, ...]  # as `mkfs --csum` takes them


def _import_crc32c() -> ModuleType:
    """The crc32c extension module, without its package.

    The package's `__init__` asks importlib.metadata for its own version, which costs 30 ms: a third
    of what `uuid lookup` may take. Where the extension is laid out differently, the package it is.
    """
    package = importlib.util.find_spec("crc32c")
    if package is not None and package.origin is not None:
        for suffix in importlib.machinery.EXTENSION_SUFFIXES:
            file = Path(package.origin).with_name("_crc32c" + suffix)
            if file.exists():
                loader = importlib.machinery.ExtensionFileLoader("_crc32c", str(file))
                spec = importlib.util.spec_from_loader("_crc32c", loader)
                assert spec is not None
                module = importlib.util.module_from_spec(spec)
                loader.exec_module(module)
                return module
    return importlib.import_module("crc32c")


crc32c: Callable[..., int] = _import_crc32c().crc32c


def _digest_crc32c(data: Buffer) -> bytes:
    return crc32c(data).to_bytes(4, "little")


def _digest_xxhash64(data: Buffer) -> bytes:
    from xxhash import xxh64_intdigest  # noqa: PLC0415  only filesystems that use it pay for it

    return xxh64_intdigest(data).to_bytes(8, "little")


def _digest_sha256(data: Buffer) -> bytes:
    from hashlib import sha256  # noqa: PLC0415  start-up

    return sha256(data).digest()


def _digest_blake2b(data: Buffer) -> bytes:
    from hashlib import blake2b  # noqa: PLC0415  start-up

    return blake2b(data, digest_size=32).digest()


_CRC32C = 0
CSUM_TYPES: dict[int, CsumType] = {
    row.number: row
    for row in (
        CsumType(_CRC32C, "crc32c", 4, _digest_crc32c, ("crc32c",)),
        CsumType(1, "xxhash64", 8, _digest_xxhash64, ("xxhash", "xxhash64")),
        CsumType(2, "sha256", 32, _digest_sha256, ("sha256",)),
        CsumType(3, "blake2b", 32, _digest_blake2b, ("blake2", "blake2b")),
    )
}


def block_digest(csum_type: CsumType, block: Buffer) -> bytes:
    """The checksum of a superblock or tree block: of all that follows its csum field."""
    return csum_type.digest(memoryview(block)[CSUM_SIZE:])


def digests(csum_type: CsumType, data: Buffer, sectorsize: int) -> bytes:
    """The checksums of the sectors of `data`, whose length is a multiple of `sectorsize`, one after the other."""
    view = memoryview(data)
    sectors = map(view.__getitem__, _slices(len(data), sectorsize))
    if csum_type.number == _CRC32C:  # a quarter of the time: no object is made for each digest
        found = array("I", map(crc32c, sectors))
        if sys.byteorder == "big":
            found.byteswap()
        return found.tobytes()
    return b"".join(map(csum_type.digest, sectors))


@lru_cache(maxsize=64)
def _slices(length: int, size: int) -> tuple[slice, ...]:
    return tuple(slice(at, at + size) for at in range(0, length, size))


def seal(csum_type: CsumType, block: bytearray) -> None:
    """Store the checksum of a superblock or tree block into its csum field, in place."""
    block[:CSUM_SIZE] = block_digest(csum_type, block).ljust(CSUM_SIZE, b"\0")


def raw_crc32c(seed: int, data: Buffer) -> int:
    """crc32c from `seed` with no inversion at either end (the kernel's `crc32c()`)."""
    return crc32c(data, seed ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


name_hash: Callable[[Buffer], int] = partial(raw_crc32c, 0xFFFFFFFE)
"""The offset of a DIR_ITEM's or XATTR_ITEM's key (the kernel's `btrfs_name_hash`)."""


def extref_hash(parent: int, name: Buffer) -> int:
    """The offset of an INODE_EXTREF's key (the kernel's `btrfs_extref_hash`)."""
    return raw_crc32c(parent & 0xFFFFFFFF, name)


def extent_data_ref_hash(root: int, objectid: int, offset: int) -> int:
    """The offset of a keyed EXTENT_DATA_REF (the kernel's `hash_extent_data_ref`)."""
    high = raw_crc32c(0xFFFFFFFF, root.to_bytes(8, "little"))
    low = raw_crc32c(0xFFFFFFFF, objectid.to_bytes(8, "little"))
    low = raw_crc32c(low, offset.to_bytes(8, "little"))
    return (high << 31) ^ low
