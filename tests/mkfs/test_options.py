"""Options: what is asked for becomes what fits together, or is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybtrfs.errors import UsageError
from pybtrfs.mkfs.options import ALIASES, FEATURES, NOT_BUILT, Request, feature_lines, parse_features, resolve
from pybtrfs.ondisk import constants as c

DEFAULTS = ["extref", "skinny-metadata", "no-holes", "free-space-tree", "block-group-tree"]


def test_the_defaults_are_those_of_btrfs_progs() -> None:
    options = resolve(Request())
    assert options.features.names == DEFAULTS
    assert (options.features.incompat, options.features.compat_ro) == (0x361, 0xB)
    assert (options.nodesize, options.sectorsize) == (16384, 4096)
    assert (options.data.name, options.metadata.name, options.csum_type.name) == ("single", "DUP", "crc32c")


def test_mixed_block_groups_have_single_profiles_and_nodes_of_a_sector() -> None:
    for request in (Request(mixed=True), Request(features=("mixed-bg",))):
        options = resolve(request)
        assert options.mixed
        assert (options.nodesize, options.data.name, options.metadata.name) == (4096, "single", "single")


@pytest.mark.parametrize(
    ("lists", "names"),
    [
        (("^no-holes",), ["extref", "skinny-metadata", "free-space-tree", "block-group-tree"]),
        (("^extref,^skinny-metadata", "^bgt"), ["no-holes", "free-space-tree"]),
        (("^fst", "free-space-tree"), DEFAULTS),
        (("raid56,,^raid56",), DEFAULTS),
        (("^quota",), DEFAULTS),
        (("squota", "quota"), ["quota", *DEFAULTS, "squota"]),
        ((), DEFAULTS),
    ],
)
def test_features_are_set_and_cleared_from_left_to_right(lists: tuple[str, ...], names: list[str]) -> None:
    assert parse_features(lists).names == names


@pytest.mark.parametrize("cleared", ["no-holes", "free-space-tree"])
def test_the_block_group_tree_goes_where_what_it_needs_is_cleared(cleared: str) -> None:
    notices: list[str] = []
    options = resolve(Request(features=(f"^{cleared}",)), notice=notices.append)
    assert not options.features.has("block-group-tree")
    assert notices == [f"feature block-group-tree is left out: it needs {cleared}"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(runtime_features=("squota",)), r"unknown runtime feature 'squota' \(known: quota, free-space-tree\)"),
        (Request(runtime_features=("^no-holes",)), "unknown runtime feature 'no-holes'"),
        (Request(features=("zoned",)), "'zoned' is not supported"),
        (Request(features=("^nonsense",)), "unknown feature 'nonsense'"),
        (Request(csum="md5"), "unknown checksum 'md5'"),
        (Request(data="raid7"), "unknown data profile 'raid7'"),
        (Request(data="raid1"), "data profile RAID1 needs 2 devices, given is 1"),
        (Request(metadata="raid1c4"), "metadata profile RAID1C4 needs 4 devices, given is 1"),
        (Request(metadata="raid6"), "metadata profile RAID6 needs 3 devices"),
        (Request(mixed=True, data="dup"), "data is DUP, metadata single"),
        (Request(mixed=True, nodesize=16384), "nodesize 16384: mixed block groups need the sectorsize, 4096"),
        (Request(nodesize=24576), "nodesize 24576: expected a power of 2"),
        (Request(nodesize=4096, sectorsize=8192), "nodesize 4096: expected a power of 2 from 8192"),
        (Request(nodesize=2**17), "nodesize 131072"),
        (Request(sectorsize=2048), "sectorsize 2048"),
        (Request(label=b"x" * 256), "the label has 256 bytes, at most 255 fit"),
        (Request(label=b"a\nb"), "newline"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(request_: Request, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(request_)


def test_a_label_of_255_bytes_fits() -> None:
    assert resolve(Request(label=b"x" * 255)).label == b"x" * 255


@pytest.mark.parametrize(("profile", "devices", "feature"), [("raid6", 3, "raid56"), ("raid1c3", 3, "raid1c34")])
def test_a_profile_brings_its_feature(profile: str, devices: int, feature: str) -> None:
    assert resolve(Request(data=profile), devices).features.has(feature)
    assert not resolve(Request(), devices).features.has(feature)


def test_on_several_devices_metadata_is_raid1_and_data_single() -> None:
    options = resolve(Request(), 2)
    assert (options.data.name, options.metadata.name) == ("single", "RAID1")
    assert resolve(Request(mixed=True), 2).metadata.name == "single"


def test_a_devices_uuid_is_refused_where_there_are_several_and_so_are_too_many_devices() -> None:
    with pytest.raises(UsageError, match="where there is one device, given are 2"):
        resolve(Request(device_uuid=b"D" * 16), 2)
    with pytest.raises(UsageError, match="59 devices are given, at most 58 can be"):
        resolve(Request(), 59)


def test_a_sectorsize_that_not_all_kernels_mount_gets_a_notice() -> None:
    notices: list[str] = []
    resolve(Request(sectorsize=16384), notice=notices.append)
    assert len(notices) == 1
    assert "16384" in notices[0]


def test_list_all_names_every_feature_and_alias_once() -> None:
    names = [line.split()[0] for line in feature_lines()]
    assert names == [feature.name for feature in FEATURES] + list(ALIASES)
    assert not NOT_BUILT & set(names)


def test_quota_stands_in_no_superblock_and_simple_quota_in_its_incompat_flags() -> None:
    plain = resolve(Request()).features
    quota, squota = (resolve(Request(features=(name,))).features for name in ("quota", "squota"))
    assert (quota.incompat, quota.compat_ro) == (plain.incompat, plain.compat_ro)
    assert (squota.incompat, squota.compat_ro) == (plain.incompat | c.INCOMPAT_SIMPLE_QUOTA, plain.compat_ro)


def test_runtime_features_are_a_part_of_the_list_and_come_last_with_one_notice() -> None:
    assert [line.split()[0] for line in feature_lines(runtime=True)] == ["quota", "free-space-tree"]
    notices: list[str] = []
    request = Request(features=("^quota,^free-space-tree",), runtime_features=("quota", "free-space-tree"))
    assert resolve(request, notice=notices.append).features.names == ["quota", *DEFAULTS]
    assert len(notices) == 1


@given(st.lists(st.sampled_from([sign + feature.name for feature in FEATURES for sign in ("", "^")])))
def test_the_last_word_on_a_feature_counts(words: list[str]) -> None:
    features = parse_features((",".join(words),))
    last = {word.removeprefix("^"): not word.startswith("^") for word in words}
    for feature in FEATURES:
        assert features.has(feature.name) == last.get(feature.name, bool(feature.default))
    assert features.incompat & c.INCOMPAT_MIXED_BACKREF
