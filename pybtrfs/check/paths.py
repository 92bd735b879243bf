"""Which files a finding is about: the path of an inode, or of the files that use an extent or have a block's items."""

from pybtrfs.check.findings import Finding
from pybtrfs.errors import PybtrfsError
from pybtrfs.fs.backref import Backrefs
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.names import paths_of
from pybtrfs.fs.subvolume import Subvolumes, is_subvolume_id

MOST_PATHS = 3


class Paths:
    """Looks paths up, from the top level, with a slash in front; damage on the way means that none is found."""

    def __init__(self, filesystem: Filesystem) -> None:
        self._filesystem = filesystem
        self._subvolumes, self._backrefs = Subvolumes(filesystem), Backrefs(filesystem, lambda text: None)

    def of(self, finding: Finding) -> list[bytes]:
        """A few paths of what a finding is about."""
        try:
            if finding.tree is not None and finding.ino is not None:
                return self._inode(finding.tree, finding.ino)
            if finding.bytenr is not None and finding.code.startswith(("EXT-", "CSM-", "DAT-")):
                return self._extent(finding.bytenr)
        except (PybtrfsError, RecursionError):
            return []
        return []

    def _inode(self, tree_id: int, ino: int) -> list[bytes]:
        if not is_subvolume_id(tree_id):
            return []
        above = self._subvolumes.find_path(self._subvolumes.get(tree_id))
        if above is None:
            return []
        prefix = b"/" + above if above else b""
        found = []
        for path in paths_of(self._filesystem.tree(tree_id), ino):
            found.append(prefix + b"/" + path)
            if len(found) == MOST_PATHS:
                break
        return found

    def _extent(self, bytenr: int) -> list[bytes]:
        extent = self._backrefs.find_extent(bytenr)
        if extent is None:
            return []
        found: list[bytes] = []
        for use in self._backrefs.uses(extent):
            found += [path for path in self._inode(use.tree_id, use.ino) if path not in found]
            if len(found) >= MOST_PATHS:
                break
        return found[:MOST_PATHS]
