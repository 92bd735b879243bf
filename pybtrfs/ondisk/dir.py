"""Directory entries and extended attributes, which share one structure.

Each name stands twice: under the hash of the name (DIR_ITEM, several names where hashes collide) and
under a running index (DIR_INDEX), which is the order in which a directory is listed.
"""

from typing import Annotated, NamedTuple

from pybtrfs.ondisk.constants import FT_ENCRYPTED, FT_XATTR
from pybtrfs.ondisk.key import MIN_KEY, Key
from pybtrfs.ondisk.layout import U8, U16, U64, Length, Tailed


class DirItem(NamedTuple):
    """A name and what it leads to, or an extended attribute (`btrfs_dir_item`)."""

    location: Key  # of the inode item, or of the root item of a subvolume
    transid: U64  # transaction that made the entry
    data_len: U16  # 0 except for attributes
    name_len: U16
    type: U8  # FT_*
    name: Annotated[bytes, Length("name_len")]
    data: Annotated[bytes, Length("data_len")]  # an attribute's value

    @classmethod
    def of(cls, location: Key, transid: int, file_type: int, name: bytes) -> "DirItem":
        return cls(location, transid, 0, len(name), file_type, name, b"")

    @classmethod
    def xattr(cls, transid: int, name: bytes, value: bytes) -> "DirItem":
        return cls(MIN_KEY, transid, len(value), len(name), FT_XATTR, name, value)

    @property
    def file_type(self) -> int:
        """One of FT_*, without the flag for an encrypted directory."""
        return self.type & ~FT_ENCRYPTED


DIR_ITEM = Tailed(DirItem, 30)
