"""Which superblock is believed, where a filesystem is found on a disk, which chunks are taken in."""

from pathlib import Path

import pytest
from sparse import SparseDevice

from pybtrfs.checksum import CSUM_TYPES, seal
from pybtrfs.errors import CorruptError, DeviceError, NotBtrfsError, RefusedError, UnsupportedError, UsageError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import CHUNK, Chunk, Stripe
from pybtrfs.ondisk.key import KEY, Key
from pybtrfs.ondisk.superblock import SUPERBLOCK, Superblock
from pybtrfs.volume.chunks import ChunkMap
from pybtrfs.volume.device import FileDevice, SliceDevice
from pybtrfs.volume.opening import ANYWHERE, Member, Where, assemble, open_volume

MIB = 1 << 20
FSID, OTHER = b"A" * 16, b"B" * 16
CHUNK_AT = 1 << 20
SYSTEM_CHUNK = Chunk(
    4 * MIB, 2, c.STRIPE_LEN, c.BLOCK_GROUP_SYSTEM, 4096, 4096, 4096, 1, 1, (Stripe(1, CHUNK_AT, bytes(16)),)
)


def superblock(number: int, **changes: object) -> bytes:
    """A valid superblock for copy `number`, with fields changed and the checksum right."""
    array = KEY.pack(Key(256, c.CHUNK_ITEM_KEY, CHUNK_AT)) + CHUNK.pack(SYSTEM_CHUNK)
    sb = SUPERBLOCK.unpack_from(bytes(SUPERBLOCK.size))
    sb = sb._replace(
        fsid=FSID,
        bytenr=c.SUPER_OFFSETS[number],
        magic=c.MAGIC,
        generation=5,
        root=CHUNK_AT,
        chunk_root=CHUNK_AT,
        num_devices=1,
        sectorsize=4096,
        nodesize=16384,
        leafsize=16384,
        stripesize=4096,
        bytes_used=MIB,
        sys_chunk_array=array.ljust(2048, b"\0"),
        sys_chunk_array_size=len(array),
        dev_item=sb.dev_item._replace(devid=1, fsid=FSID),
    )
    return sealed(sb._replace(**changes))  # type: ignore[arg-type]


def sealed(sb: Superblock) -> bytes:
    block = bytearray(SUPERBLOCK.pack(sb))
    seal(CSUM_TYPES.get(sb.csum_type, CSUM_TYPES[0]), block)
    return bytes(block)


def image(tmp_path: Path, *copies: bytes, at: int = 0, size: int = 70 * MIB) -> str:
    path = tmp_path / "image"
    with path.open("wb") as file:
        file.truncate(at + size)
        for number, copy in enumerate(copies):
            file.seek(at + c.SUPER_OFFSETS[number])
            file.write(copy)
    return str(path)


def opened(path: str, where: Where = ANYWHERE) -> tuple[Superblock, list[str]]:
    notices: list[str] = []
    volume = open_volume(path, where, notices.append)
    volume.close()
    return volume.superblock, notices


def test_a_valid_primary_wins_over_a_newer_mirror_without_a_word(tmp_path: Path) -> None:
    found, notices = opened(image(tmp_path, superblock(0), superblock(1, generation=9)))
    assert (found.generation, notices) == (5, [])


def test_after_an_fsync_the_log_root_stands_in_the_primary_alone(tmp_path: Path) -> None:
    found, notices = opened(image(tmp_path, superblock(0, log_root=MIB), superblock(1)))
    assert (found.log_root, notices) == (MIB, [])


def test_a_mirror_stands_in_for_a_damaged_primary_with_a_notice(tmp_path: Path) -> None:
    damaged = bytearray(superblock(0))
    damaged[1000] ^= 1
    found, notices = opened(image(tmp_path, bytes(damaged), superblock(1)))
    assert found.bytenr == c.SUPER_OFFSETS[1]
    assert "using mirror 1" in notices[0]


def test_a_mirror_of_another_filesystem_never_stands_in(tmp_path: Path) -> None:
    damaged = bytearray(superblock(0))
    damaged[1000] ^= 1
    other = superblock(1, fsid=OTHER, dev_item=SUPERBLOCK.unpack_from(superblock(1)).dev_item._replace(fsid=OTHER))
    with pytest.raises(NotBtrfsError, match="no valid superblock at 65536: crc32c is"):
        opened(image(tmp_path, bytes(damaged), other))
    with pytest.raises(NotBtrfsError, match="another filesystem"):
        opened(image(tmp_path, superblock(0), other), Where(super_copy=1))


def test_a_requested_copy_must_fit_and_be_valid(tmp_path: Path) -> None:
    path = image(tmp_path, superblock(0), superblock(1, generation=4))
    assert opened(path, Where(super_copy=1))[0].generation == 4
    with pytest.raises(UsageError, match="no superblock copy 2"):
        opened(path, Where(super_copy=2))
    with pytest.raises(NotBtrfsError, match="copy 1: magic is"):
        opened(image(tmp_path, superblock(0)), Where(super_copy=1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodesize": 0}, "nodesize is 0"),
        ({"nodesize": 2**31}, "nodesize is 2147483648"),
        ({"sectorsize": 65536}, "nodesize is 16384, below sectorsize"),
        ({"csum_type": 9}, "csum_type is 9"),
        ({"root": 1}, "root is 1, expected a multiple"),
        ({"log_root_level": 8}, "level of log_root is 8"),
        ({"bytenr": 0}, "bytenr is 0, it stands at 65536"),
        ({"sys_chunk_array_size": 2**32 - 1}, "sys_chunk_array_size is 4294967295"),
        ({"sys_chunk_array_size": 40}, "Chunk.* bytes left"),
        ({"sys_chunk_array": bytes(2048)}, "item type 0"),
        ({"metadata_uuid": OTHER, "incompat_flags": c.INCOMPAT_METADATA_UUID}, "dev_item.fsid is"),
    ],
)
def test_a_malformed_superblock_is_named_by_field(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(CorruptError, match=message):
        opened(image(tmp_path, superblock(0, **changes)))


@pytest.mark.parametrize(
    ("flag", "name"),
    [
        (c.INCOMPAT_ZONED, "zoned"),
        (c.INCOMPAT_EXTENT_TREE_V2, "extent-tree-v2"),
        (c.INCOMPAT_RAID_STRIPE_TREE, "raid-stripe-tree"),
        (c.INCOMPAT_REMAP_TREE, "remap-tree"),
        (1 << 40, "unknown incompat bits 0x10000000000"),
    ],
)
def test_a_feature_that_is_not_read_is_refused_by_name(tmp_path: Path, flag: int, name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"not supported: {name}$"):
        opened(image(tmp_path, superblock(0, incompat_flags=flag)))


def test_offset_and_partition_are_of_the_first_device_and_others_are_looked_through(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    second = SUPERBLOCK.unpack_from(superblock(0)).dev_item._replace(devid=2)
    shifted = image(tmp_path / "one", superblock(0), at=MIB)
    other = image(tmp_path / "other", superblock(0, dev_item=second), at=3 * MIB)
    with Path(other).open("r+b") as file:
        file.write(mbr((0x83, 3 * MIB, 70 * MIB)))
    with pytest.raises(NotBtrfsError, match=f"{shifted}: no valid superblock"):
        opened(shifted, Where(devices=(other,)))
    found, notices = opened(shifted, Where(offset=MIB, devices=(other,)))
    assert (found.fsid, notices) == (FSID, [f"{other}: opened partition 1 (offset {3 * MIB})"])


def members(*changes: dict[str, object]) -> list[Member]:
    """Members of one filesystem, devid 1 and on, with fields of their superblocks changed."""
    made = []
    for devid, fields in enumerate(changes, 1):
        sb = SUPERBLOCK.unpack_from(superblock(0))
        sb = sb._replace(num_devices=len(changes), dev_item=sb.dev_item._replace(devid=devid, uuid=bytes([devid]) * 16))
        device = SparseDevice(MIB, f"device {devid}")
        made.append(Member(device.name, device, sb._replace(**fields)))  # type: ignore[arg-type]
    return made


@pytest.mark.parametrize(
    ("changes", "stale"),
    [
        ([{}, {}], {}),
        ([{}, {"generation": 6}], {1: "missed commits: generation 5, the newest is 6"}),
        ([{}, {"log_root": MIB, "log_root_level": 1}], {}),
        ([{}, {"root": 2 * MIB}, {}], {2: "is not of the same generation 5 as device 1"}),
        ([{}, {"super_roots": ()}], {2: "is not of the same generation 5 as device 1"}),
        ([{"flags": c.SUPER_FLAG_SEEDING, "fsid": OTHER}, {"generation": 9}], {}),
        ([{"flags": c.SUPER_FLAG_SEEDING, "fsid": OTHER, "generation": 9}, {}, {"generation": 4}], {3: "missed"}),
    ],
)
def test_a_member_of_another_commit_is_stale_and_a_seed_is_not(changes: list[dict[str, object]], stale: object) -> None:
    notices: list[str] = []
    volume = assemble(members(*changes), notices.append)
    assert volume.superblock.fsid == FSID
    assert volume._stale == set(stale)  # type: ignore[call-overload]
    for said, (devid, message) in zip(notices, stale.items(), strict=True):  # type: ignore[attr-defined]
        assert said.startswith(f"device {devid}: {message}")


def test_members_of_two_filesystems_or_with_one_devid_are_refused() -> None:
    with pytest.raises(RefusedError, match=r"device 2: is of another filesystem: fsid 4242.* device 1 has 4141"):
        assemble(members({}, {"fsid": OTHER}), lambda text: None)
    first = members({})
    with pytest.raises(RefusedError, match="device 1: is devid 1, and so is device 1"):
        assemble(first * 2, lambda text: None)


@pytest.mark.parametrize("content", [b"", b"text\n", b"\0" * 70000], ids=["empty", "text", "zeros"])
def test_what_is_no_filesystem_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "image"
    path.write_bytes(content)
    with pytest.raises(NotBtrfsError, match=str(path)):
        opened(str(path))
    with pytest.raises(DeviceError, match="neither a regular file nor a block device"):
        opened(str(tmp_path))
    with pytest.raises(DeviceError, match="No such file"):
        opened(str(tmp_path / "missing"))


def mbr(*entries: tuple[int, int, int]) -> bytes:
    rows = b"".join(
        bytes([0, 0, 0, 0, kind, 0, 0, 0]) + (start // 512).to_bytes(4, "little") + (size // 512).to_bytes(4, "little")
        for kind, start, size in entries
    )
    return bytes(446) + rows.ljust(64, b"\0") + b"\x55\xaa"


def gpt(*entries: tuple[int, int], sector: int = 512) -> bytes:
    rows = b"".join(
        b"\x01" * 32
        + (start // sector).to_bytes(8, "little")
        + ((start + size) // sector - 1).to_bytes(8, "little")
        + bytes(80)
        for start, size in entries
    )
    header = b"EFI PART" + bytes(64) + (2).to_bytes(8, "little") + (len(entries)).to_bytes(4, "little")
    header += (128).to_bytes(4, "little") + bytes(4)
    return mbr((0xEE, sector, 70 * MIB)).ljust(sector, b"\0") + header.ljust(sector, b"\0") + rows


@pytest.mark.parametrize("table", [mbr((0x83, MIB, 70 * MIB)), gpt((MIB, 70 * MIB)), gpt((MIB, 70 * MIB), sector=4096)])
def test_a_disk_with_one_btrfs_partition_is_opened_there_with_a_notice(tmp_path: Path, table: bytes) -> None:
    path = image(tmp_path, superblock(0), at=MIB)
    with Path(path).open("r+b") as file:
        file.write(table)
    found, notices = opened(path)
    assert found.fsid == FSID
    assert f"opened partition 1 (offset {MIB})" in notices[0]
    for where in (Where(offset=MIB), Where(partition=1)):
        assert opened(path, where) == (found, [])
    with pytest.raises(UsageError, match="no partition 2"):
        opened(path, Where(partition=2))
    with pytest.raises(UsageError, match="exclude each other"):
        opened(path, Where(offset=MIB, partition=1))


def test_a_disk_with_two_btrfs_partitions_asks_which(tmp_path: Path) -> None:
    path = image(tmp_path, superblock(0), at=MIB, size=150 * MIB)
    with Path(path).open("r+b") as file:
        file.write(mbr((0x83, MIB, 70 * MIB), (0x83, 80 * MIB, 70 * MIB)))
        file.seek(80 * MIB + c.SUPER_OFFSETS[0])
        file.write(superblock(0))
    with pytest.raises(UsageError, match="btrfs in partitions 1, 2; choose one with --partition"):
        opened(path)


def test_a_chain_of_logical_partitions_that_loops_ends(tmp_path: Path) -> None:
    path = image(tmp_path, size=2 * MIB)
    with Path(path).open("r+b") as file:
        file.write(mbr((0x05, 512, MIB)))
        file.seek(512)
        file.write(mbr((0x83, 512, 512), (0x05, 512, 512)))
    with pytest.raises(NotBtrfsError, match="magic is"):
        opened(path)


def test_reads_are_exact_or_fail(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(range(100)))
    device = FileDevice(str(path))
    part = SliceDevice(device, 10, 20)
    assert part.read(5, 5) == bytes(range(15, 20))
    for reader, offset, length in ((device, 90, 11), (device, -1, 1), (part, 15, 6), (part, -1, 2)):
        with pytest.raises(DeviceError, match="end after"):
            reader.read(offset, length)
    with pytest.raises(DeviceError, match="end after"):
        SliceDevice(device, 90, 11)
    device.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": 0}, "length 0"),
        ({"length": 2**64 - 4096}, "ends after the last address"),
        ({"stripe_len": 1}, "stripe_len is 1"),
        ({"type": 0}, "neither data, metadata nor system"),
        ({"type": c.BLOCK_GROUP_DATA | c.BLOCK_GROUP_DUP | c.BLOCK_GROUP_RAID0}, "more than one profile"),
        ({"type": c.BLOCK_GROUP_DATA | c.BLOCK_GROUP_DUP}, "1 stripes, expected 2 for DUP"),
        ({"type": c.BLOCK_GROUP_DATA | c.BLOCK_GROUP_RAID5}, "1 stripes, expected more than 1 for RAID5"),
    ],
)
def test_a_malformed_chunk_is_not_taken_in(changes: dict[str, int], message: str) -> None:
    with pytest.raises(CorruptError, match=message):
        ChunkMap().add(CHUNK_AT, SYSTEM_CHUNK._replace(**changes), 4096)  # type: ignore[arg-type]


def test_chunks_do_not_overlap_and_addresses_outside_have_no_place() -> None:
    chunks = ChunkMap()
    chunks.add(8 * MIB, SYSTEM_CHUNK, 4096)
    for start in (5 * MIB, 7 * MIB, 11 * MIB):
        with pytest.raises(CorruptError, match=f"chunk {start}: overlaps chunk {8 * MIB}"):
            chunks.add(start, SYSTEM_CHUNK, 4096)
    chunks.add(4 * MIB, SYSTEM_CHUNK, 4096)
    chunks.add(12 * MIB, SYSTEM_CHUNK, 4096)
    assert [start // MIB for start, _ in chunks] == [4, 8, 12]
    assert [piece.copies for piece in chunks.pieces(9 * MIB, 4096)] == [((1, CHUNK_AT + MIB, 4096),)]
    with pytest.raises(CorruptError, match="no chunk holds it"):
        chunks.pieces(MIB, 4096)
    with pytest.raises(CorruptError, match="cross the end of chunk"):
        chunks.pieces(12 * MIB - 4096, 8192)
