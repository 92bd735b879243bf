"""Several devices: nothing overlaps, every copy is where its profile puts it, each device knows itself."""

from __future__ import annotations

from itertools import count, pairwise
from pathlib import Path

import pytest
from commandline import run
from hypothesis import given
from hypothesis import strategies as st

from pybtrfs.mkfs.blockgroups import least_size
from pybtrfs.mkfs.options import Request, resolve
from pybtrfs.mkfs.plan import Plan, plan
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.superblock import SUPERBLOCK
from pybtrfs.volume.profiles import BY_NAME

MIB, GIB = 1024**2, 1024**3


def made_of(sizes: list[int], **wishes: object) -> Plan:
    numbers = count(1)
    options = resolve(Request(**wishes), len(sizes))  # type: ignore[arg-type]
    return plan(options, sizes, lambda: 0, lambda: next(numbers).to_bytes(16, "big"))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    number = draw(st.integers(2, 6))
    names = [name for name, profile in BY_NAME.items() if profile.devices_min <= number]
    wishes = {"data": draw(st.sampled_from(names)), "metadata": draw(st.sampled_from(names))}
    least = least_size(resolve(Request(**wishes), number), number)
    return made_of([draw(st.integers(least, least + 2 * GIB))] * number, **wishes)


@given(plans())
def test_no_two_chunks_share_a_byte_of_a_device_and_no_write_touches_a_superblock(made: Plan) -> None:
    for member in made.spec.members:
        groups = made.spec.groups
        stripes = [(p.physical, g.stripe_length) for g in groups for p in g.stripes if p.devid == member.devid]
        writes = [(write.offset, len(write.data)) for write in made.writes() if write.devid == member.devid]
        for spans in (sorted(stripes), sorted(writes)):
            assert all(start + length <= following for (start, length), (following, _) in pairwise(spans))
            assert all(start >= c.RESERVED_AT_START and start + length <= member.size for start, length in spans)
        for offset in c.SUPER_OFFSETS:
            assert not any(at < offset + SUPERBLOCK.size and offset < at + length for at, length in writes)
        (_, raw), *_ = made.superblocks(member.devid)
        item = SUPERBLOCK.unpack_from(raw).dev_item
        assert (item.devid, item.uuid) == (member.devid, member.uuid)
        assert item.bytes_used == sum(length for _, length in stripes)


@given(plans())
def test_every_block_stands_in_as_many_places_as_its_profile_has_copies(made: Plan) -> None:
    pieces = [write for write in made.writes() if len(write.data) == made.spec.options.nodesize]
    profile = made.spec.options.metadata
    if not profile.parity:
        assert len(pieces) == len(made.blocks) * profile.copies
        assert {write.data for write in pieces} == {data for _, data in made.blocks}
    if profile.tolerated and not profile.parity:
        for _, data in made.blocks:
            assert len({write.devid for write in pieces if write.data == data}) == profile.copies


def test_the_same_image_twice_is_refused_by_either_name(tmp_path: Path) -> None:
    image, alias = tmp_path / "image", tmp_path / "alias"
    alias.symlink_to(image)
    for other, said in ((image, "is given twice"), (alias, f"is {image} again")):
        result = run("mkfs", "-b", "1G", image, other)
        assert (result.status, said in result.errors) == (2, True)
        assert not image.exists()


def test_a_file_that_was_made_is_gone_again_where_another_device_is_refused(tmp_path: Path) -> None:
    result = run("mkfs", "-b", "200M", tmp_path / "new", tmp_path)
    assert (result.status, (tmp_path / "new").exists()) == (1, False)
    assert result.errors == f"pybtrfs: {tmp_path}: is neither a regular file nor a block device\n"


def test_too_small_a_device_is_named_with_the_least_size_of_each(tmp_path: Path) -> None:
    large, small = tmp_path / "large", tmp_path / "small"
    for image, size in ((large, GIB), (small, 60 * MIB)):
        with image.open("wb") as file:
            file.truncate(size)
    result = run("mkfs", large, small)
    assert result.status == 1
    assert result.errors.startswith(f"pybtrfs: {small}: 62914560 bytes are too few")
    assert "on each device" in result.errors


def test_a_profile_that_needs_more_devices_is_refused(tmp_path: Path) -> None:
    result = run("mkfs", "-b", "1G", "-d", "raid1c4", *(tmp_path / name for name in "abc"))
    assert (result.status, "RAID1C4 needs 4 devices, given is 3" in result.errors) == (2, True)


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_summary_lists_each_device(form: str, tmp_path: Path) -> None:
    result = run("mkfs", "--format", form, "-b", "1G", *(tmp_path / name for name in "abc"))
    assert result.status == 0
    assert all(str(tmp_path / name) in result.output for name in "abc")


def test_reproducible_gives_the_same_bytes_and_other_options_give_other_uuids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(name: str, *words: str) -> bytes:
        images = [tmp_path / f"{name} {number}" for number in range(2)]
        assert run("mkfs", "-q", "-b", "200M", *words, *images).status == 0
        return b"".join(image.read_bytes() for image in images)

    first = made("first", "--reproducible")
    assert made("second", "--reproducible") == first
    assert made("third", "--reproducible", "-L", "other")[65536 + 32 :][:16] != first[65536 + 32 :][:16]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    dated = made("fourth")
    assert dated == made("fifth", "--reproducible") != first
    assert dated[65536 + 32 :][:16] == first[65536 + 32 :][:16]


def test_a_source_date_epoch_that_is_no_time_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    result = run("mkfs", "-b", "1G", tmp_path / "image")
    assert (result.status, "SOURCE_DATE_EPOCH is 'yesterday'" in result.errors) == (2, True)
