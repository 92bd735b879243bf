"""Checksums of data: which of them the csum tree holds for a range of sectors.

An EXTENT_CSUM item holds those of many sectors in a row, from the address in its key on; a range can lie in
several items, and some of its sectors in none.
"""

from collections.abc import Iterator

from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.csum import csums_end
from pybtrfs.ondisk.key import Key


def find_csums(filesystem: Filesystem, logical: int, length: int) -> Iterator[tuple[int, bytes]]:
    """Runs of stored checksums for `length` bytes from `logical` on: the first sector's address, the checksums.

    What lies between the runs has none. Raises `CorruptError` where the csum tree cannot be read.
    """
    tree = filesystem.find_tree(c.CSUM_TREE_OBJECTID)
    if tree is None:
        return
    size, sectorsize, end = filesystem.csum_type.size, filesystem.sectorsize, logical + length
    here = Key(c.EXTENT_CSUM_OBJECTID, c.EXTENT_CSUM_KEY, logical)
    before = tree.find_last(here, Key(c.EXTENT_CSUM_OBJECTID, c.EXTENT_CSUM_KEY, 0))
    start = here if before is None else before.key
    for item in tree.items(start, Key(c.EXTENT_CSUM_OBJECTID, c.EXTENT_CSUM_KEY, end - 1)):
        if item.key.offset % sectorsize or len(item.data) % size:
            raise CorruptError(
                f"leaf {item.bytenr} slot {item.slot}: {len(item.data)} bytes of checksums at {item.key.offset}, "
                f"expected multiples of {size} and {sectorsize}"
            )
        begin, behind = max(logical, item.key.offset), min(end, csums_end(item.data, item.key.offset, size, sectorsize))
        if begin < behind:
            at = (begin - item.key.offset) // sectorsize * size
            yield begin, item.data[at : at + (behind - begin) // sectorsize * size]
            logical = behind
