"""What lives on a device is found by its magic, wherever the table says that it stands."""

from __future__ import annotations

import pytest
from sparse import SparseDevice

from pybtrfs.mkfs.signatures import SIGNATURES, Signature, find_signatures

SIZE = 64 * 1024**2 + 512 * 3
PLACES = [
    (signature, offset)
    for signature in SIGNATURES
    for offset in (signature.offsets if isinstance(signature.offsets, tuple) else signature.offsets(SIZE))
]


@pytest.mark.parametrize(("signature", "offset"), PLACES, ids=lambda part: getattr(part, "name", str(part)))
def test_each_magic_is_found_where_it_stands_and_nothing_else_is(signature: Signature, offset: int) -> None:
    device = SparseDevice(SIZE if offset < SIZE else offset + 4096)
    device.write(offset, signature.magic)
    assert {found.name for found in find_signatures(device)} == {signature.name}
    assert (offset, len(signature.magic)) in {(found.offset, found.length) for found in find_signatures(device)}


@pytest.mark.parametrize("size", [0, 1, 511, 512, 4096, 65536, 1024**2, SIZE])
def test_an_empty_device_of_any_size_holds_nothing(size: int) -> None:
    assert find_signatures(SparseDevice(size)) == []


@pytest.mark.parametrize(
    ("compat", "incompat", "ro_compat", "name"),
    [(0, 2, 1, "ext2"), (4, 2, 3, "ext3"), (4, 0x42, 1, "ext4"), (4, 0x2C2, 0x46B, "ext4"), (0, 0x40, 0, "ext4")],
)
def test_ext_is_told_apart_by_its_features(compat: int, incompat: int, ro_compat: int, name: str) -> None:
    device = SparseDevice(SIZE)
    device.write(1024 + 56, b"\x53\xef")
    device.write(1024 + 92, b"".join(word.to_bytes(4, "little") for word in (compat, incompat, ro_compat)))
    assert [found.name for found in find_signatures(device)] == [f"{name} filesystem"]


def mbr_entry(status: int = 0, kind: int = 0x83, first: int = 2048, sectors: int = 4096) -> bytes:
    return bytes([status, 0, 0, 0, kind, 0, 0, 0]) + first.to_bytes(4, "little") + sectors.to_bytes(4, "little")


@pytest.mark.parametrize("slot", range(4))
def test_an_mbr_with_one_partition_is_a_partition_table(slot: int) -> None:
    device = SparseDevice(SIZE)
    device.write(510, b"\x55\xaa")
    device.write(446 + 16 * slot, mbr_entry(0x80))
    assert [found.name for found in find_signatures(device)] == ["MBR partition table"]


def test_the_boot_sector_of_a_fat_filesystem_is_no_partition_table() -> None:
    device = SparseDevice(SIZE)
    device.write(0, b"\xeb\x3c\x90mkfs.fat".ljust(54, b"\0") + b"FAT16   " + b"code " * 77)
    device.write(510, b"\x55\xaa")
    assert [found.name for found in find_signatures(device)] == ["fat filesystem"]


@pytest.mark.parametrize("label", [0, 256 * 1024, SIZE // 262144 * 262144 - 262144])
@pytest.mark.parametrize("order", ["little", "big"])
def test_zfs_is_known_by_four_uberblocks_of_a_label(label: int, order: str) -> None:
    device = SparseDevice(SIZE)
    for number in range(4):
        assert find_signatures(device) == []
        magic = (0x00BAB10C).to_bytes(8, "little" if order == "little" else "big")
        device.write(label + 128 * 1024 + number * 8192, magic)
    assert {found.name for found in find_signatures(device)} == {"zfs pool member"}
