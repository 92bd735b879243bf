"""Keys as text, the odd ones: what a number means depends on the type."""

import pytest

from pybtrfs.ondisk import constants as c
from pybtrfs.render.keys import key_text

GREATEST = c.U64_MAX


@pytest.mark.parametrize(
    ("objectid", "kind", "offset", "text"),
    [
        (1, c.ROOT_ITEM_KEY, 0, "key (ROOT_TREE ROOT_ITEM 0)"),
        (1, c.DEV_ITEM_KEY, 1, "key (DEV_ITEMS DEV_ITEM 1)"),
        (2, c.DEV_ITEM_KEY, 1, "key (EXTENT_TREE DEV_ITEM 1)"),
        (1, c.DEV_EXTENT_KEY, 4096, "key (1 DEV_EXTENT 4096)"),
        (256, c.CHUNK_ITEM_KEY, 4096, "key (FIRST_CHUNK_TREE CHUNK_ITEM 4096)"),
        (256, c.INODE_ITEM_KEY, 0, "key (256 INODE_ITEM 0)"),
        (0, c.PERSISTENT_ITEM_KEY, 1, "key (DEV_STATS PERSISTENT_ITEM 1)"),
        (5, c.PERSISTENT_ITEM_KEY, 1, "key (5 PERSISTENT_ITEM 1)"),
        (c.FREE_SPACE_OBJECTID, 0, 4096, "key (FREE_SPACE UNTYPED 4096)"),
        (257, 0, 0, "key (257 UNKNOWN.0 0)"),
        (c.TREE_RELOC_OBJECTID, c.ROOT_ITEM_KEY, 5, "key (TREE_RELOC ROOT_ITEM FS_TREE)"),
        (c.TREE_RELOC_OBJECTID, c.ROOT_ITEM_KEY, GREATEST, "key (TREE_RELOC ROOT_ITEM -1)"),
        (257, c.ROOT_ITEM_KEY, GREATEST, f"key (257 ROOT_ITEM {GREATEST})"),
        (257, c.EXTENT_DATA_KEY, GREATEST, "key (257 EXTENT_DATA -1)"),
        (GREATEST, 255, 0, "key (-1 UNKNOWN.255 0)"),
        (0, c.QGROUP_INFO_KEY, (1 << 48) + 5, "key (0 QGROUP_INFO 1/5)"),
        (257, c.QGROUP_RELATION_KEY, (1 << 48) + 5, "key (0/257 QGROUP_RELATION 1/5)"),
        (GREATEST, c.UUID_KEY_SUBVOL, 1, "key (0xffffffffffffffff UUID_KEY_SUBVOL 0x0000000000000001)"),
        (c.CSUM_CHANGE_OBJECTID, c.TEMPORARY_ITEM_KEY, 2, "key (CSUM_CHANGE TEMPORARY_ITEM 2)"),
    ],
)
def test_a_key_reads_as_the_c_program_prints_it(objectid: int, kind: int, offset: int, text: str) -> None:
    assert key_text(objectid, kind, offset) == text
