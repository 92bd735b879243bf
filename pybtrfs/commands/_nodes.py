"""What the looking commands gather of a file: its inode, a link's target, its owners' names."""

from functools import lru_cache

from pybtrfs.commands._owners import Owners
from pybtrfs.commands._place import Spot
from pybtrfs.errors import CorruptError, NotFoundError
from pybtrfs.fs.directory import Entry
from pybtrfs.fs.file import read_symlink
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.inode import Place, get_inode
from pybtrfs.fs.path import resolve
from pybtrfs.fs.walk import Damage, Found
from pybtrfs.fs.xattr import xattrs
from pybtrfs.ondisk import constants as c
from pybtrfs.render.files import Node, blocks, file_type

_ACLS = (b"system.posix_acl_access", b"system.posix_acl_default")


class Gatherer:
    """Gathers nodes below one spot; `damage` takes what is lost, by its path below the spot."""

    def __init__(self, spot: Spot, damage: Damage, *, numeric: bool = False) -> None:
        self._spot, self._damage, self._numeric = spot, damage, numeric

    def node(self, entry: Entry, below: bytes, *, follow_target: bool = False) -> Node:
        """All of the file that stands at `below`; without an inode where that cannot be read."""
        filesystem, place = self._spot.filesystem, entry.place
        node = Node(entry.name, place, entry.type, is_subvolume=entry.is_subvolume)
        try:
            inode = get_inode(filesystem, place)
            node = node._replace(inode=inode, type=file_type(inode.mode), blocks=blocks(inode, filesystem.sectorsize))
            if not self._numeric:
                owners = _owners(filesystem, place.subvolume_id)
                node = node._replace(user=owners.user(inode.uid), group=owners.group(inode.gid))
            if node.type == c.FT_SYMLINK:
                target = read_symlink(filesystem, place)
                return node._replace(target=target, target_mode=self._mode_at(below) if follow_target else 0)
            return node._replace(has_acl=any(name in _ACLS for name, _ in xattrs(filesystem, place)))
        except CorruptError as error:
            self._damage(below, error)
            return node

    def of_spot(self, *, follow_target: bool = False) -> Node:
        """The spot itself, under the name by which it was called."""
        return self.node(spot_entry(self._spot), b"", follow_target=follow_target)

    def _mode_at(self, below: bytes) -> int:
        """Of what a link leads to; 0 where nothing is there."""
        spot = self._spot
        try:
            return get_inode(spot.filesystem, resolve(spot.filesystem, spot.at(below), spot.start)).mode
        except (NotFoundError, CorruptError):
            return 0


def spot_entry(spot: Spot) -> Entry:
    """A spot as an entry whose name is what was typed."""
    return Entry(spot.typed(), spot.place, c.FT_UNKNOWN, spot_is_subvolume(spot.place))


def spot_is_subvolume(place: Place) -> bool:
    """Whether a place is the top of a subvolume."""
    return place.ino == c.FIRST_FREE_OBJECTID


def node_of(found: Found, filesystem: Filesystem) -> Node:
    """What a walk found, without what costs another look."""
    mode = found.inode.mode
    return Node(
        found.name,
        found.place,
        file_type(mode),
        found.inode,
        found.is_subvolume,
        blocks(found.inode, filesystem.sectorsize),
    )


@lru_cache(maxsize=64)
def _owners(filesystem: Filesystem, subvolume_id: int) -> Owners:
    return Owners(filesystem, subvolume_id)
