"""The zoo keeps its word: each image is sound, and has in it what its recipe is there for.

A promise is a pattern that must be found in what btrfs-progs prints of the image's superblock and trees.
The rows together name every item type that the kernel writes on one device: whoever reads all of the zoo
has read all of the format.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import judge
import pytest
import zoo
from crc32c import crc32c

ITEM_TYPES = {
    *("INODE_ITEM", "INODE_REF", "INODE_EXTREF", "XATTR_ITEM", "ORPHAN_ITEM", "DIR_LOG_INDEX", "DIR_ITEM", "DIR_INDEX"),
    *("EXTENT_DATA", "EXTENT_CSUM", "ROOT_ITEM", "ROOT_BACKREF", "ROOT_REF", "EXTENT_ITEM", "METADATA_ITEM"),
    *("TREE_BLOCK_REF", "EXTENT_DATA_REF", "SHARED_BLOCK_REF", "SHARED_DATA_REF", "BLOCK_GROUP_ITEM"),
    *("FREE_SPACE_INFO", "FREE_SPACE_EXTENT", "FREE_SPACE_BITMAP", "DEV_EXTENT", "DEV_ITEM", "CHUNK_ITEM"),
    *("QGROUP_STATUS", "QGROUP_INFO", "QGROUP_LIMIT", "QGROUP_RELATION", "TEMPORARY_ITEM", "PERSISTENT_ITEM"),
    *("UUID_KEY_SUBVOL", "UUID_KEY_RECEIVED_SUBVOL"),
}

IN_ONE_ITEM = r"\n(.*\n){2,3}\s+"  # what stands between two names of a DIR_ITEM or XATTR_ITEM
LOGGED = r"^log tree key(?s:.*)"
WAITING = r"^log_root\s+[1-9]"

ORDINARY = ("INODE_ITEM", "INODE_REF", "DIR_ITEM", "DIR_INDEX", "EXTENT_DATA", "EXTENT_CSUM", "XATTR_ITEM", "ROOT_ITEM")

PROMISES: dict[str, tuple[str, ...]] = {
    "default": (
        *ORDINARY,
        *("EXTENT_ITEM", "METADATA_ITEM", "BLOCK_GROUP_ITEM", "FREE_SPACE_INFO", "FREE_SPACE_EXTENT"),
        *("DEV_EXTENT", "DEV_ITEM", "CHUNK_ITEM", "PERSISTENT_ITEM", "UUID_KEY_SUBVOL", "ROOT_REF", "ROOT_BACKREF"),
        *("^block group tree", "BLOCK_GROUP_TREE", "NO_HOLES", "METADATA.DUP", r"inline extent data size 100 "),
    ),
    "nodesize-4k": (r"^nodesize\s+4096", r"^node \d+ level 2", "FREE_SPACE_BITMAP"),
    "nodesize-64k": (r"^nodesize\s+65536", *ORDINARY),
    "xxhash": (r"^csum_type\s+1 ", *ORDINARY),
    "sha256": (r"^csum_type\s+2 ", *ORDINARY),
    "blake2": (r"^csum_type\s+3 ", *ORDINARY),
    "mixed": ("MIXED_GROUPS", r"DATA\|METADATA", *ORDINARY),
    "single-dup": (r"type DATA.DUP", r"type METADATA.single", *ORDINARY),
    "old": (
        r"^incompat_flags\s+0x21$",
        r"^compat_ro_flags\s+0x0$",
        r"extent data disk byte 0 nr 0",
        r"type METADATA.single",
    ),
    "v1-cache": (r"\(FREE_SPACE UNTYPED \d+\)", r"bitmaps [1-9]", r"^compat_ro_flags\s+0x0$"),
    "old-snapshots": ("shared block backref parent", r"flags TREE_BLOCK\|FULL_BACKREF", r"^node \d+ level 2"),
    "no-bgt": (r"^compat_ro_flags\s+0x3$", "FREE_SPACE_INFO", *ORDINARY),
    "compressed": tuple(
        pattern
        for number, name in enumerate(("zlib", "lzo", "zstd"), 1)
        for pattern in (rf"extent compression {number} \({name}\)", rf"inline extent .* compression {number} ")
    ),
    "compressed-4k": (r"^nodesize\s+4096", r"extent compression 2 \(lzo\)"),
    "compress-force": (r"extent compression 3 \(zstd\)", r"inline extent .* compression 3 "),
    "snapshots": (
        "ROOT_REF",
        "ROOT_BACKREF",
        "FULL_BACKREF",
        "shared data backref",
        r"flags 0x1\(RDONLY\)",
        "parent_uuid [1-9a-f]",
    ),
    "crowded": ("TREE_BLOCK_REF", "SHARED_BLOCK_REF", "tree block backref root", r"^node \d+ level 2"),
    "reflinks": ("EXTENT_DATA_REF", "SHARED_DATA_REF", "extent data backref root"),
    "quotas": ("QGROUP_STATUS", "QGROUP_INFO", "QGROUP_LIMIT", "QGROUP_RELATION", "max_referenced 104857600"),
    "simple-quotas": ("SIMPLE_QUOTA", "SIMPLE_MODE", "extent owner root", "QGROUP_RELATION"),
    "hard-links": (
        "INODE_EXTREF",
        *(IN_ONE_ITEM.join(f"name: {prefix}{name}" for name in zoo.COLLIDING) for prefix in ("", "user.")),
    ),
    "kinds": (
        *(rf"mode {mode}\d\d\d " for mode in ("10", "20", "40", "60", "100", "120", "140")),
        *(r"mode 104711", "links 1 uid 1000 gid 4000000000", "namelen 255 ", "system.posix_acl_default"),
        *("data_len 15000 ", "IMMUTABLE", "APPEND", "NODUMP", "NOATIME", "SYNC", "NOCOMPRESS"),
    ),
    "extents": ("prealloc data disk byte", r"0x3\(NODATASUM\|NODATACOW\)", "PREALLOC", "EXTENT_DATA 1099511627776"),
    "fragmented": ("FREE_SPACE_BITMAP", r"^node \d+ level 1"),
    "received": (r"UUID_KEY_RECEIVED_SUBVOL .*\n\s+subvol_id \d+\n\s+subvol_id", "received_uuid [1-9a-f]"),
    "bad-sector": ("corruption_errs [1-9]",),
    "labelled": (r"^label\s+the zoo's own", "DEFAULT_SUBVOL", r"DIR_ITEM 2378154706.*\n\s+location key \(25"),
    "metadata-uuid": (r"^metadata_uuid\s+(?!00000000-0000)", "METADATA_UUID"),
    "seeding": ("SEEDING",),
    "paused-balance": (r"\(BALANCE TEMPORARY_ITEM",),
    "forest": (r"refs 0\n", r"\(4[6-9]\d ROOT_BACKREF ", "received_uuid [1-9a-f]"),
    "half-deleted": (r"drop_progress key \([1-9]", r"\(ORPHAN ORPHAN_ITEM"),
    "orphans": (r"\(ORPHAN ORPHAN_ITEM (\d+)\)(?s:.*)\(ORPHAN ORPHAN_ITEM", r"links 0 "),
    "log": (WAITING, rf"{LOGGED}TREE_LOG ROOT_ITEM 256", *(rf"{LOGGED}{word}" for word in ("user.new", "prealloc"))),
    "log-4k": (WAITING, r"^nodesize\s+4096", r"extent compression 1 "),
    "log-old": (WAITING, r"^incompat_flags\s+0x21$"),
    "log-names": (WAITING, "DIR_LOG_INDEX", *(rf"{LOGGED}name: {name}$" for name in ("replaced", "moved", "linked"))),
    "balancing": (r"\(TREE_RELOC ROOT_ITEM", r"\(BALANCE TEMPORARY_ITEM"),
}

every_image = pytest.mark.parametrize("name", zoo.RECIPES)
KernelImage = Callable[[str], Path]


@pytest.mark.kernel
@every_image
def test_every_zoo_image_is_sound(kernel_image: KernelImage, name: str) -> None:
    judge.btrfs_check(kernel_image(name))


@pytest.mark.kernel
@pytest.mark.parametrize("name", [name for name, recipe in zoo.RECIPES.items() if recipe.midflight])
def test_an_image_taken_in_mid_flight_is_sound_after_the_kernels_recovery(
    kernel_image: KernelImage, tmp_path: Path, name: str
) -> None:
    image = zoo.copy(kernel_image(name), tmp_path / "image")
    with judge.mounted(image):
        pass
    judge.btrfs_check(image)
    assert not re.search(WAITING, judge.dump_super(image), re.MULTILINE)


@pytest.mark.kernel
@every_image
def test_a_zoo_image_has_what_its_recipe_promises(kernel_image: KernelImage, name: str) -> None:
    image = kernel_image(name)
    printed = judge.dump_super(image) + judge.dump_tree(image)
    missing = [promise for promise in PROMISES[name] if not re.search(promise, printed, re.MULTILINE)]
    assert not missing


def test_every_recipe_promises_something() -> None:
    assert list(PROMISES) == list(zoo.RECIPES)
    assert all(PROMISES.values())


def test_every_item_type_is_promised_by_some_image() -> None:
    promises = " ".join(promise for row in PROMISES.values() for promise in row)
    assert set(re.findall(r"[A-Z_]{4,}", promises)) >= ITEM_TYPES


def test_the_colliding_names_share_a_crc_and_nothing_else() -> None:
    assert len(set(zoo.COLLIDING)) == 3
    assert len({crc32c(name.encode(), 0xFFFFFFFE) for name in zoo.COLLIDING}) == 1
