"""What can go wrong, as classes; each carries the exit status that a command ends with.

A message is one line that names the place, what was expected and what was found. `CorruptError`
speaks about an image's bytes; a broken invariant of ours is an `assert`. What Python has an exception of its own
for, such as a path that does not exist, is of that class as well, with its `errno`.
"""

import errno


class PybtrfsError(Exception):
    """Anything that a user can meet. `exit_status` is what the command line ends with."""

    exit_status = 1


class UsageError(PybtrfsError):
    """An option or argument that cannot be meant."""

    exit_status = 2


class CorruptError(PybtrfsError):
    """Bytes of an image that break the format: the message says where, expected and found."""


class ChecksumError(CorruptError):
    """A stored checksum that is not the one of the bytes beside it."""


class NotBtrfsError(CorruptError):
    """No valid btrfs superblock was found."""


class UnsupportedError(PybtrfsError):
    """A sound filesystem that uses a feature which this version does not handle, by name."""


class DeviceError(PybtrfsError):
    """A device or image file that cannot be opened, read or written."""


class UnreachableError(DeviceError):
    """A device that did not answer: nothing can be said of its bytes, they may well be sound."""


class RefusedError(PybtrfsError):
    """An operation that would destroy something; the message says which option allows it."""


class ReadOnlyError(PybtrfsError, OSError):
    """What would change an image that is open for reading only."""

    errno = errno.EROFS


class NotFoundError(PybtrfsError, FileNotFoundError):
    """No such subvolume, tree, item or path."""

    errno = errno.ENOENT


class NotDirectoryError(NotFoundError, NotADirectoryError):
    """A path that goes on behind what is not a directory: nothing is to be found there."""

    errno = errno.ENOTDIR


class IsDirectoryError(PybtrfsError, IsADirectoryError):
    """A directory where a file's bytes are wanted."""

    errno = errno.EISDIR


class HostError(PybtrfsError):
    """A file of the host that cannot be made as it is to be. `number` is the host's errno, where it gave one."""

    def __init__(self, message: str, number: int | None = None) -> None:
        super().__init__(message)
        self.number = number

    @property
    def exists(self) -> bool:
        """Whether something else stands where it was to be made."""
        return self.number == errno.EEXIST

    @property
    def is_final(self) -> bool:
        """Whether the next file cannot be made either: the disk is full, or may not be written."""
        return self.number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
