"""What of an inode's attributes a restored file gets: what was wished for, what the user may set, what is trusted.

An image is as trusted as whoever made it. What would give rights to a program or a user of the host (setuid and
setgid bits of files, `security.*` and `trusted.*` attributes, device nodes) is left out unless it is trusted, and
counted, so that a summary can name it.
"""

import stat
from collections.abc import Iterable
from typing import NamedTuple

from pybtrfs.archive.report import Report
from pybtrfs.host import Attributes, is_root
from pybtrfs.ondisk.inode import InodeItem, Timespec

_SECOND = 10**9

OWNERS = "owners (only root can set them)"
RIGHTS = "setuid and setgid bits (set with --trusted)"
DEVICES = "device nodes (made with --trusted)"
SPECIAL = "special files (--no-special)"
TRUSTED_XATTRS = "security.* and trusted.* attributes (set with --trusted)"
OWN_XATTRS = "attributes that only the filesystem itself can set"

_XATTRS = ((b"user.", True), (b"system.posix_acl_", True), (b"security.", False), (b"trusted.", False))
"""Prefixes of the attributes that a host knows, and whether they are set without being trusted."""


class Wishes(NamedTuple):
    """How files are restored."""

    owner: bool = True
    special: bool = True
    xattrs: bool = True
    trusted: bool = False
    verify: bool = True
    overwrite: bool = False
    masked: int = 0  # permissions that files do not get, as a umask takes them away
    now: int | None = None  # nanoseconds since 1970 that all times become; None: those of the image


class Policy:
    """The wishes, applied: what is left out is counted in the report."""

    def __init__(self, wishes: Wishes, report: Report) -> None:
        self.wishes = wishes
        self._left_out = report.left_out
        self._is_root = is_root()

    def attributes(self, inode: InodeItem, xattrs: Iterable[tuple[bytes, bytes]]) -> Attributes:
        """What a file made of `inode` is to have."""
        mode, wishes = inode.mode, self.wishes
        if mode & (stat.S_ISUID | stat.S_ISGID) and not wishes.trusted and not stat.S_ISDIR(mode):
            mode &= ~(stat.S_ISUID | stat.S_ISGID)
            self._left_out[RIGHTS] += 1
        owner = (inode.uid, inode.gid) if wishes.owner else None
        if owner is not None and not self._is_root:
            owner = None
            self._left_out[OWNERS] += 1
        kept = [pair for pair in xattrs if self._may_set(pair[0])]
        times = (_nanoseconds(inode.atime), _nanoseconds(inode.mtime)) if wishes.now is None else (wishes.now,) * 2
        return Attributes(stat.S_IMODE(mode) & ~wishes.masked, times, owner, kept)

    def may_make(self, mode: int) -> bool:
        """Whether a special file of this mode is made."""
        if not self.wishes.special:
            self._left_out[SPECIAL] += 1
            return False
        if (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)) and not self.wishes.trusted:
            self._left_out[DEVICES] += 1
            return False
        return True

    def _may_set(self, name: bytes) -> bool:
        for prefix, always in _XATTRS:
            if name.startswith(prefix):
                if not always and not self.wishes.trusted:
                    self._left_out[TRUSTED_XATTRS] += 1
                    return False
                return True
        self._left_out[OWN_XATTRS] += 1
        return False


def _nanoseconds(time: Timespec) -> int:
    return time.sec * _SECOND + time.nsec
