"""Items that occur only in log trees: which ranges of a directory's names the log knows completely."""

from typing import NamedTuple

from pybtrfs.ondisk.layout import U64, Fixed


class DirLogItem(NamedTuple):
    """The log holds all entries from the key's offset to `end` (`btrfs_dir_log_item`)."""

    end: U64  # the last hash or index of the range


DIR_LOG_ITEM = Fixed(DirLogItem, 8)
