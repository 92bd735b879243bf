"""Quotas: status, accounts, limits. A qgroup's id is level (16 bits) / subvolume or number (48 bits)."""

from typing import NamedTuple

from pybtrfs.ondisk.constants import QGROUP_LEVEL_SHIFT
from pybtrfs.ondisk.layout import U64, Fixed


class QgroupStatus(NamedTuple):
    """The state of quotas as a whole (`btrfs_qgroup_status_item`)."""

    version: U64
    generation: U64
    flags: U64
    rescan: U64  # logical address that a rescan has reached
    enable_gen: U64  # simple quotas: generation at which they were enabled; since Linux 6.7


class QgroupInfo(NamedTuple):
    """What a qgroup holds, in bytes (`btrfs_qgroup_info_item`)."""

    generation: U64
    rfer: U64  # referenced
    rfer_cmpr: U64
    excl: U64  # exclusive
    excl_cmpr: U64


class QgroupLimit(NamedTuple):
    """What a qgroup may hold, in bytes (`btrfs_qgroup_limit_item`)."""

    flags: U64
    max_rfer: U64
    max_excl: U64
    rsv_rfer: U64
    rsv_excl: U64


QGROUP_STATUS = Fixed(QgroupStatus, 40, forms=(32,))
QGROUP_INFO = Fixed(QgroupInfo, 40)
QGROUP_LIMIT = Fixed(QgroupLimit, 40)


def qgroup_name(qgroupid: int) -> str:
    """A qgroup's id as people write it, such as 0/257."""
    return f"{qgroupid >> QGROUP_LEVEL_SHIFT}/{qgroupid & ((1 << QGROUP_LEVEL_SHIFT) - 1)}"
