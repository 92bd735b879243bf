"""The devices' error counters: a PERSISTENT_ITEM for each in the device tree, which the kernel writes at a commit.

A device that never failed may have none. Versions of the format that count more kinds of errors have longer items.
"""

from collections.abc import Iterator

from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import DEV_STATS, DevStats
from pybtrfs.ondisk.key import Key

NO_ERRORS = DevStats(0, 0, 0, 0, 0)


def error_counts(filesystem: Filesystem) -> Iterator[tuple[int, DevStats]]:
    """The counters of each device, by devid, in the order of their ids."""
    tree = filesystem.tree(c.DEV_TREE_OBJECTID)
    for devid in sorted(filesystem.device_items):
        item = tree.find(Key(c.DEV_STATS_OBJECTID, c.PERSISTENT_ITEM_KEY, devid))
        if item is None:
            yield devid, NO_ERRORS
        elif len(item.data) < DEV_STATS.size:
            found = f"{len(item.data)} bytes of error counters, expected at least {DEV_STATS.size}"
            raise CorruptError(f"leaf {item.bytenr} slot {item.slot}: {found}")
        else:
            yield devid, DEV_STATS.unpack_from(item.data)
