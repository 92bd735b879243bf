"""Quotas: status, accounts, limits. A qgroup's id is level (16 bits) / subvolume or number (48 bits)."""

from typing import NamedTuple

from pybtrfs.ondisk.constants import QGROUP_LEVEL_SHIFT
from pybtrfs.ondisk.layout import U64, Fixed


class QgroupStatus(NamedTuple):
    """The state of quotas as a whole (`btrfs_qgroup_status_item`)."""

    version: U64  # QGROUP_STATUS_VERSION
    generation: U64  # of the last update
    flags: U64  # QGROUP_STATUS_FLAG_*
    rescan: U64  # logical address that a rescan has reached
    enable_gen: U64  # simple quotas: generation at which they were enabled; since Linux 6.7


class QgroupInfo(NamedTuple):
    """What a qgroup holds, in bytes (`btrfs_qgroup_info_item`)."""

    generation: U64  # of the last update
    rfer: U64  # referenced
    rfer_cmpr: U64  # always equal to rfer
    excl: U64  # exclusive
    excl_cmpr: U64  # always equal to excl


class QgroupLimit(NamedTuple):
    """What a qgroup may hold, in bytes (`btrfs_qgroup_limit_item`)."""

    flags: U64  # bit n: the n-th of the limits below is set
    max_rfer: U64  # most referenced bytes
    max_excl: U64  # most exclusive bytes
    rsv_rfer: U64  # reserved, never enforced
    rsv_excl: U64  # reserved, never enforced


QGROUP_STATUS = Fixed(QgroupStatus, 40, forms=(32,))
QGROUP_INFO = Fixed(QgroupInfo, 40)
QGROUP_LIMIT = Fixed(QgroupLimit, 40)


def qgroup_name(qgroupid: int) -> str:
    """A qgroup's id as people write it, such as 0/257."""
    return f"{qgroupid >> QGROUP_LEVEL_SHIFT}/{qgroupid & ((1 << QGROUP_LEVEL_SHIFT) - 1)}"
