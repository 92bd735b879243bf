"""From an address or an inode number to paths: what `inspect logical-resolve` and `inode-resolve` answer."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from pybtrfs.btree.search import Tree
from pybtrfs.errors import CorruptError, NotFoundError
from pybtrfs.fs.backref import Backrefs, Extent
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.names import paths_of
from pybtrfs.fs.subvolume import Subvolumes, is_subvolume_id


class User(NamedTuple):
    """A place in a file, of one subvolume."""

    tree_id: int
    ino: int
    offset: int  # bytes from the start of the file


class Resolver:
    """Answers for one filesystem. What is damaged on the way is told to `complain` and left out, or raised."""

    def __init__(self, filesystem: Filesystem, complain: Callable[[str], None] | None = None) -> None:
        self._filesystem, self._complain = filesystem, complain
        self._subvolumes = Subvolumes(filesystem)
        self._trees: dict[int, Tree] = {}

    def subvolume_path(self, subvolume_id: int) -> bytes | None:
        """From the top level, with no slash in front; None for a deleted one, `NotFoundError` for none at all."""
        return self._subvolumes.find_path(self._subvolumes.get(subvolume_id))

    def paths(self, subvolume_id: int, ino: int) -> Iterator[bytes]:
        """All paths of an inode from the top level; none for one without a name or in a deleted subvolume."""
        try:
            above = self.subvolume_path(subvolume_id)
            if above is None:
                return
            if subvolume_id not in self._trees:
                self._trees[subvolume_id] = self._filesystem.tree(subvolume_id)
            for path in paths_of(self._trees[subvolume_id], ino):
                yield above + b"/" + path if above and path else above or path
        except CorruptError as error:
            if self._complain is None:
                raise
            self._complain(f"inode {ino} of subvolume {subvolume_id}: {error}")

    def users(self, logical: int, *, whole: bool = False) -> list[User]:
        """The places in files whose bytes stand at a logical address, by subvolume, inode and offset.

        With `whole` also where a file uses another part of the same extent: the offset is then its beginning.
        `NotFoundError` where the address is free, or a tree block's.
        """
        backrefs = Backrefs(self._filesystem, *([self._complain] if self._complain else []))
        extent = backrefs.find_extent(logical)
        if extent is None:
            raise NotFoundError(f"no extent at logical address {logical}")
        if extent.level is not None:
            raise NotFoundError(self._text_of_block(backrefs, extent))
        found = set()
        for use in backrefs.uses(extent):
            offset = use.file_offset if whole else use.offset_at(logical - extent.bytenr)
            if offset is not None and is_subvolume_id(use.tree_id):
                found.add(User(use.tree_id, use.ino, offset))
        return sorted(found)

    def _text_of_block(self, backrefs: Backrefs, extent: Extent) -> str:
        trees = ", ".join(map(str, sorted(backrefs.roots(extent.bytenr)))) or "none"
        where = f"logical address {extent.bytenr} is a tree block (level {extent.level})"
        return f"{where}; trees that hold it: {trees}"
