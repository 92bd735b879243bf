"""Superblocks as text: rows, flags one a line, verdicts; damage is complained about, not raised."""

import lzma
from pathlib import Path

import pytest

from pybtrfs.checksum import CSUM_TYPES, seal
from pybtrfs.ondisk.constants import SUPER_OFFSETS
from pybtrfs.ondisk.superblock import SUPERBLOCK
from pybtrfs.render.superblock_text import dump_super_text, superblock_text

GOLDEN = Path(__file__).parent.parent / "golden" / "kernel.img.xz"
COMPLAIN = pytest.fail


@pytest.fixture(scope="module")
def raw() -> bytes:
    with lzma.open(GOLDEN) as file:
        file.seek(SUPER_OFFSETS[0])
        return file.read(SUPERBLOCK.size)


def patched(raw: bytes, field: str, data: bytes) -> bytes:
    block = bytearray(raw)
    at = SUPERBLOCK.offset_of(field)
    block[at : at + len(data)] = data
    seal(CSUM_TYPES[SUPERBLOCK.unpack_from(raw).csum_type], block)
    return bytes(block)


def rows(raw: bytes) -> dict[str, str]:
    lines = superblock_text(raw, COMPLAIN).splitlines()
    return {name: value.strip("\t") for name, _, value in (line.partition("\t") for line in lines) if name}


def test_the_checksum_and_the_magic_get_a_verdict(raw: bytes) -> None:
    assert rows(raw)["csum"].endswith(" [match]")
    assert rows(raw)["magic"] == "_BHRfS_M [match]"
    assert rows(raw[:-1] + b"x")["csum"].endswith(" [DON'T MATCH]")
    assert rows(patched(raw, "magic", b"\0\n"))["magic"] == "..HRfS_M [DON'T MATCH]"
    odd = rows(patched(raw, "csum_type", b"\xff\0"))
    assert odd["csum_type"] == "255 (INVALID)"
    assert odd["csum_size"] == "32"
    assert odd["csum"].endswith(" [UNKNOWN CSUM TYPE OR SIZE]")


def test_flags_stand_below_their_number_one_a_line(raw: bytes) -> None:
    text = superblock_text(patched(raw, "compat_ro_flags", (3 | 1 << 20).to_bytes(8, "little")), COMPLAIN)
    assert (
        "compat_ro_flags\t\t0x100003\n"
        "\t\t\t( FREE_SPACE_TREE |\n"
        "\t\t\t  FREE_SPACE_TREE_VALID |\n"
        "\t\t\t  unknown flag: 0x100000 )\n"
    ) in text
    assert "compat_flags\t\t0x0\ncompat_ro" in text


def test_a_label_cannot_control_the_terminal(raw: bytes) -> None:
    assert rows(patched(raw, "label", b"my \x1b[31m\xc3\xa9\0rest"))["label"] == "my .[31m.."


def test_full_shows_system_chunks_and_the_backups_that_are_used(raw: bytes) -> None:
    text = superblock_text(raw, COMPLAIN, full=True)
    assert "sys_chunk_array[2048]:\n\titem 0 key (FIRST_CHUNK_TREE CHUNK_ITEM " in text
    assert "backup_roots[4]:\n\tbackup 0:\n\t\tbackup_tree_root:\t" in text
    emptied = patched(raw, "super_roots", bytes(168))
    assert "backup_roots[4]:\n\tbackup 1:\n" in superblock_text(emptied, COMPLAIN, full=True)


@pytest.mark.parametrize("size", [1, 96, 2049, 0xFFFFFFFF])
def test_a_damaged_array_of_system_chunks_is_a_complaint(raw: bytes, size: int) -> None:
    complaints: list[str] = []
    text = superblock_text(
        patched(raw, "sys_chunk_array_size", size.to_bytes(4, "little")), complaints.append, full=True
    )
    assert len(complaints) == 1
    assert "sys_chunk_array" in complaints[0] or "Chunk" in complaints[0]
    assert "backup_roots[4]:" in text


def test_a_copy_with_a_wrong_magic_ends_the_dump_unless_forced(raw: bytes) -> None:
    bad, complaints = patched(raw, "magic", b"x"), list[str]()
    pieces = list(dump_super_text([(SUPER_OFFSETS[0], bad), (SUPER_OFFSETS[1], raw)], "image", complaints.append))
    assert len(pieces) == 1
    assert pieces[0].startswith("superblock: bytenr=65536, device=image\n---")
    assert complaints == ["bad magic on superblock on image at 65536 (use --force to dump it anyway)"]
    pieces = list(dump_super_text([(65536, bad), (SUPER_OFFSETS[1], raw)], "image", COMPLAIN, force=True))
    assert sum("bytenr\t\t\t" in piece for piece in pieces) == 2
