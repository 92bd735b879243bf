"""Names of owners: those that the image's own etc/passwd and etc/group know, since they are not the host's.

They are looked for in the subvolume that holds the place, at its top, and in no other.
"""

import stat
from collections.abc import Iterator
from functools import cached_property

from pybtrfs.commands._session import escape
from pybtrfs.errors import PybtrfsError
from pybtrfs.fs.file import File
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.path import resolve, subvolume_place

_MOST_BYTES = 1 << 20


class Owners:
    """Users and groups of a subvolume by their numbers; None where it does not know one."""

    def __init__(self, filesystem: Filesystem, subvolume_id: int) -> None:
        self._filesystem, self._subvolume_id = filesystem, subvolume_id

    def user(self, uid: int) -> str | None:
        return self._users.get(uid)

    def group(self, gid: int) -> str | None:
        return self._groups.get(gid)

    @cached_property
    def _users(self) -> dict[int, str]:
        return self._read(b"etc/passwd")

    @cached_property
    def _groups(self) -> dict[int, str]:
        return self._read(b"etc/group")

    def _read(self, path: bytes) -> dict[int, str]:
        """A table whose file cannot be read is empty: whoever asks for the file itself is told why."""
        try:
            top = subvolume_place(self._filesystem, self._subvolume_id)
            file = File(self._filesystem, resolve(self._filesystem, path, top))
            data = file.read(0, _MOST_BYTES) if stat.S_ISREG(file.inode.mode) else b""
        except PybtrfsError:
            return {}
        return dict(_names(data))


def _names(data: bytes) -> Iterator[tuple[int, str]]:
    for line in reversed(data.splitlines()):  # the first line of a number wins
        name, *fields = line.split(b":")
        if len(fields) > 1 and name and not name.split()[1:] and fields[1].isdigit() and len(fields[1]) <= 10:
            yield int(fields[1]), escape(name)
