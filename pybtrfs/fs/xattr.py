"""Extended attributes: XATTR_ITEMs of an inode, each under the hash of the attribute's name."""

from collections.abc import Iterator

from pybtrfs.btree.search import Trouble
from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.inode import Place
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.dir import DIR_ITEM
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.layout import Many

_XATTRS = Many(DIR_ITEM)


def xattrs(filesystem: Filesystem, place: Place, trouble: Trouble | None = None) -> Iterator[tuple[bytes, bytes]]:
    """Names and values of an inode's attributes, in the order of the names' hashes.

    Damage raises `CorruptError`; where there is `trouble`, it is told instead, and all other attributes come.
    """
    if place.is_left_over:
        return
    tree = filesystem.tree(place.subvolume_id)
    first, last = Key(place.ino, c.XATTR_ITEM_KEY, 0), Key(place.ino, c.XATTR_ITEM_KEY, c.U64_MAX)
    for item in tree.items(first, last, trouble):
        try:
            found = item.read(_XATTRS)
            for xattr in found:
                if not 0 < len(xattr.name) <= c.NAME_MAX or b"\0" in xattr.name:
                    raise CorruptError(f"leaf {item.bytenr} slot {item.slot}: {xattr.name!r} cannot be a name")
        except CorruptError as error:
            if trouble is None:
                raise
            trouble(error)
            continue
        yield from ((xattr.name, xattr.data) for xattr in found)
