"""Quotas, for reading: what a qgroup holds and what it may hold.

Each subvolume has a qgroup of level 0 whose number is its id. (`fs/btrfs/qgroup.c`.)
"""

from typing import NamedTuple

from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.quota import QGROUP_INFO, QGROUP_LIMIT, QgroupInfo, QgroupLimit

_NO_LIMIT = QgroupLimit(0, 0, 0, 0, 0)


class Qgroup(NamedTuple):
    """A qgroup's account and limits, in bytes; a limit that is not set is 0."""

    id: int
    info: QgroupInfo
    limit: QgroupLimit


def find_qgroup(filesystem: Filesystem, qgroupid: int) -> Qgroup | None:
    """The qgroup with this id; None where it does not exist or quotas are off."""
    tree = filesystem.find_tree(c.QUOTA_TREE_OBJECTID)
    info = tree.find(Key(0, c.QGROUP_INFO_KEY, qgroupid)) if tree else None
    if tree is None or info is None:
        return None
    limit = tree.find(Key(0, c.QGROUP_LIMIT_KEY, qgroupid))
    return Qgroup(qgroupid, info.read(QGROUP_INFO), limit.read(QGROUP_LIMIT) if limit else _NO_LIMIT)
