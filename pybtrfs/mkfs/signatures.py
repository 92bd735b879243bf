"""What may already live on a device: magic numbers by place, so that nothing is overwritten unasked.

A row is a name and the bytes that stand at an offset; some rows have several offsets, or one that is counted
from the end of the device. Three kinds need more than a magic: the MBR (a FAT boot sector ends with the same
two bytes), ext (the features tell 2, 3 and 4 apart) and ZFS (its labels are rings of blocks). Facts from the
formats' own documents; the aim is what `blkid -p` finds.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.superblock import SUPERBLOCK
from pybtrfs.volume.device import Device

KIB = 1024
Offsets = tuple[int, ...] | Callable[[int], tuple[int, ...]]


class Signature(NamedTuple):
    """A magic; `offsets` are bytes from the start, or a function of the device's size."""

    name: str
    magic: bytes
    offsets: Offsets


class Found(NamedTuple):
    """Something that lives on a device: what it is, and the bytes by which it is known."""

    name: str
    offset: int
    length: int


def _from_end(distance: int) -> Callable[[int], tuple[int, ...]]:
    return lambda size: (size - distance,)


def _md_at_end(size: int) -> tuple[int, ...]:
    """Where the superblocks of md versions 0.90 and 1.0 are."""
    return (size // (64 * KIB) * 64 * KIB - 64 * KIB, (size - 8 * KIB) // (4 * KIB) * 4 * KIB)


_PAGE_ENDS = tuple(page * KIB - 10 for page in (4, 8, 16, 32, 64))
_VOLUME_DESCRIPTOR = (32 * KIB + 1, 34 * KIB + 1, 36 * KIB + 1)
_SUPER_MAGIC = SUPERBLOCK.offset_of("magic")
_BCACHE = bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81")
_BCACHEFS = bytes.fromhex("c68573f666ce90a9d96a60cf803df7ef")

SIGNATURES = (
    Signature("btrfs filesystem", c.MAGIC, tuple(offset + _SUPER_MAGIC for offset in c.SUPER_OFFSETS)),
    Signature("zoned btrfs filesystem", c.MAGIC, (_SUPER_MAGIC,)),
    Signature("xfs filesystem", b"XFSB", (0,)),
    Signature("jfs filesystem", b"JFS1", (32 * KIB,)),
    Signature("reiserfs filesystem", b"ReIsErFs", (64 * KIB + 52, 8 * KIB + 52)),
    Signature("reiserfs filesystem", b"ReIsEr2Fs", (64 * KIB + 52, 8 * KIB + 52)),
    Signature("reiserfs filesystem", b"ReIsEr3Fs", (64 * KIB + 52,)),
    Signature("reiser4 filesystem", b"ReIsEr4", (64 * KIB,)),
    Signature("f2fs filesystem", b"\x10\x20\xf5\xf2", (KIB,)),
    Signature("bcachefs filesystem", _BCACHEFS, (4 * KIB + 24,)),
    Signature("bcachefs or bcache", _BCACHE, (4 * KIB + 24,)),
    Signature("ntfs filesystem", b"NTFS    ", (3,)),
    Signature("exfat filesystem", b"EXFAT   ", (3,)),
    Signature("fat filesystem", b"FAT12   ", (54,)),
    Signature("fat filesystem", b"FAT16   ", (54,)),
    Signature("fat filesystem", b"FAT32   ", (82,)),
    Signature("fat filesystem", b"MSDOS", (54, 82)),
    Signature("iso9660 filesystem", b"CD001", (32 * KIB + 1,)),
    Signature("udf filesystem", b"NSR02", _VOLUME_DESCRIPTOR),
    Signature("udf filesystem", b"NSR03", _VOLUME_DESCRIPTOR),
    Signature("hfs+ filesystem", b"H+\0\x04", (KIB,)),
    Signature("hfs+ filesystem", b"HX\0\x05", (KIB,)),
    Signature("apfs filesystem", b"NXSB", (32,)),
    Signature("gfs2 filesystem", b"\x01\x16\x19\x70", (64 * KIB,)),
    Signature("ocfs2 filesystem", b"OCFSV2", (KIB, 2 * KIB, 4 * KIB, 8 * KIB)),
    Signature("squashfs filesystem", b"hsqs", (0,)),
    Signature("squashfs filesystem", b"sqsh", (0,)),
    Signature("erofs filesystem", b"\xe2\xe1\xf5\xe0", (KIB,)),
    Signature("cramfs filesystem", b"\x45\x3d\xcd\x28", (0,)),
    Signature("romfs filesystem", b"-rom1fs-", (0,)),
    Signature("nilfs2 filesystem", b"\x02\0\0\0\0\0\x34\x34", (KIB,)),
    Signature("minix filesystem", b"\0\x1c\x08\x10\x7f\x13", (KIB + 12,)),
    Signature("minix filesystem", b"\0\x1c\x08\x10\x8f\x13", (KIB + 12,)),
    Signature("minix filesystem", b"\xff\xff\xff\x7f\x68\x24", (KIB + 12,)),
    Signature("minix filesystem", b"\xff\xff\xff\x7f\x78\x24", (KIB + 12,)),
    Signature("minix filesystem", b"\x5a\x4d\0\0\0\x04\0", (KIB + 24,)),
    Signature("bfs filesystem", b"\xce\xfa\xad\x1b", (0,)),
    Signature("ufs filesystem", b"\x54\x19\x01\x00", (8 * KIB + 1372, 64 * KIB + 1372)),
    Signature("ufs2 filesystem", b"\x19\x01\x54\x19", (8 * KIB + 1372, 64 * KIB + 1372)),
    Signature("swap space", b"SWAPSPACE2", _PAGE_ENDS),
    Signature("swap space", b"SWAP-SPACE", _PAGE_ENDS),
    Signature("hibernation image", b"S1SUSPEND", _PAGE_ENDS),
    Signature("LUKS volume", b"LUKS\xba\xbe", (0,)),
    Signature("LUKS volume", b"SKUL\xba\xbe", tuple(KIB * 2**power for power in range(4, 13))),
    Signature("BitLocker volume", b"-FVE-FS-", (3,)),
    Signature("LVM physical volume", b"LVM2 001", tuple(512 * sector + 24 for sector in range(4))),
    Signature("Stratis pool member", b"!Stra0tis\x86\xff\x02^\x41rh", (516, 9 * 512 + 4)),
    Signature("VMFS volume", b"\x0d\xd0\x01\xc0", (KIB * KIB,)),
    Signature("md RAID member", b"\xfc\x4e\x2b\xa9", (0, 4 * KIB)),
    Signature("md RAID member", b"\xfc\x4e\x2b\xa9", _md_at_end),
    Signature("Ceph BlueStore device", b"bluestore block device", (0,)),
    Signature("GPT partition table", b"EFI PART", (512, 4 * KIB)),
    Signature("GPT partition table", b"EFI PART", _from_end(512)),
    Signature("Apple partition map", b"ER\x02\x00", (0,)),
    Signature("BSD disklabel", b"\x57\x45\x56\x82", (64, 512)),
)


def find_signatures(device: Device) -> list[Found]:
    """What lives on the device, the filesystems first; empty where nothing is known."""
    plain = (found for signature in SIGNATURES for found in _places(device, signature))
    return [*plain, *_ext(device), *_zfs(device), *_mbr(device)]


def _places(device: Device, signature: Signature) -> Iterator[Found]:
    offsets = signature.offsets if isinstance(signature.offsets, tuple) else signature.offsets(device.size)
    for offset in offsets:
        if _read(device, offset, len(signature.magic)) == signature.magic:
            yield Found(signature.name, offset, len(signature.magic))


def _ext(device: Device) -> Iterator[Found]:
    """Ext: the features that only ext4, or ext3, may have tell which one it is."""
    superblock = _read(device, KIB, 108)
    if superblock[56:58] != b"\x53\xef":
        return
    compat, incompat, ro_compat = (int.from_bytes(superblock[at : at + 4], "little") for at in (92, 96, 100))
    has_journal, beyond_ext3 = bool(compat & 0x4), bool(incompat & ~0x16 or ro_compat & ~0x7)
    name = "ext4" if beyond_ext3 else "ext3" if has_journal else "ext2"
    yield Found(f"{name} filesystem", KIB + 56, 2)


def _zfs(device: Device) -> Iterator[Found]:
    """ZFS: rings of uberblocks in two labels at the start and two at the end; blkid wants four of them."""
    label, ring = 256 * KIB, 128 * KIB
    end = device.size // label * label
    for start in (0, label, end - 2 * label, end - label):
        blocks = _read(device, start + ring, ring)
        slots = range(0, len(blocks), KIB)
        hits = [at for at in slots if blocks[at : at + 8] in _UBERBLOCKS]
        if len(hits) >= 4:
            yield from (Found("zfs pool member", start + ring + at, 8) for at in hits)


_UBERBLOCKS = ((0x00BAB10C).to_bytes(8, "little"), (0x00BAB10C).to_bytes(8, "big"))


def _mbr(device: Device) -> Iterator[Found]:
    """An MBR: sane boot flags and an entry in use; the boot sector of a filesystem ends like one but has none."""
    sector = _read(device, 0, 512)
    entries = [sector[at : at + 16] for at in range(446, 510, 16)]
    if sector[510:] != b"\x55\xaa" or any(entry[0] not in (0, 0x80) for entry in entries):
        return
    if any(entry[4] and any(entry[8:16]) for entry in entries):
        yield Found("MBR partition table", 510, 2)


def _read(device: Device, offset: int, length: int) -> bytes:
    """The bytes, or none where the device has no such place."""
    return device.read(offset, length) if 0 <= offset <= device.size - length else b""
