"""The state of a balance that runs or was interrupted: a TEMPORARY_ITEM in the root tree."""

from typing import Annotated, NamedTuple

from pybtrfs.ondisk.layout import U32, U64, Fixed


class BalanceArgs(NamedTuple):
    """The filters for one block group type (`btrfs_disk_balance_args`)."""

    profiles: U64  # only block groups of one of these
    usage_min: U32  # together the u64 `usage` where the filter has one value
    usage_max: U32
    devid: U64  # only chunks with a stripe on it
    pstart: U64  # only chunks in this range of a device
    pend: U64
    vstart: U64  # only chunks in this range of logical addresses
    vend: U64
    target: U64  # profile to convert to
    flags: U64  # which of the filters are set
    limit_min: U32  # together the u64 `limit` where the filter has one value
    limit_max: U32
    stripes_min: U32  # only chunks with so many stripes
    stripes_max: U32
    unused: Annotated[bytes, "48s"]


BALANCE_ARGS = Fixed(BalanceArgs, 136)


class BalanceItem(NamedTuple):
    """A balance (`btrfs_balance_item`)."""

    flags: U64  # types of block groups that are balanced
    data: BalanceArgs  # filters for data
    meta: BalanceArgs  # for metadata
    sys: BalanceArgs  # for system chunks
    unused: Annotated[bytes, "32s"]


BALANCE_ITEM = Fixed(BalanceItem, 448)
