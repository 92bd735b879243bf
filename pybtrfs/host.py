"""Files of the host, made safely: the one room that writes what comes out of an image.

Whoever made the image, or filled the target directory before us, may wish that something lands elsewhere. Therefore
all is relative to the descriptors of open directories, a name is one component, and no symbolic link below the
target is ever followed: a file is made where nothing is (O_EXCL), a directory is entered only if it is one
(O_NOFOLLOW). Depth costs no long paths, and few descriptors (`Descent`).

Errors are `HostError` with the reason; what is above says which file it was.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import NamedTuple

from pybtrfs.errors import HostError

_ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PRIVATE = 0o600
_PERMISSIONS, _SPECIAL_BITS = 0o7777, 0o7000
_ACLS = ("system.posix_acl_access", "system.posix_acl_default")
_MOST_OPEN = 64

Trouble = Callable[[str], None]
"""Takes a line about an attribute that the host does not take."""


class Attributes(NamedTuple):
    """What a file of the host is to have. Times are nanoseconds since 1970: of access, of modification."""

    mode: int  # permissions; the type is of no matter here
    times: tuple[int, int]
    owner: tuple[int, int] | None = None  # uid and gid; None: whoever makes it
    xattrs: Sequence[tuple[bytes, bytes]] = ()


class _Us(NamedTuple):
    """What the host gives to a new file: its owner, and the permissions that it takes away."""

    owner: tuple[int, int]
    umask: int


class Directory:
    """An open directory. What is made in it bears one name and is made anew."""

    def __init__(self, fd: int, us: _Us, *, is_plain: bool = False) -> None:
        """Takes the descriptor of a directory, and closes it in the end. `is_plain`: what is made in it is ours."""
        self._fd: int | None = fd
        self._us = us
        self._is_plain = is_plain
        self._has_acl = self._bequeaths = False
        self._identity: tuple[int, int] | None = None
        if not is_plain:
            found = os.fstat(fd)
            self._has_acl = _has_default_acl(fd)
            # whether what is made in it may get other than our group and the mode that was asked for
            self._bequeaths = self._has_acl or bool(found.st_mode & stat.S_ISGID) or found.st_gid != us.owner[1]

    @property
    def fd(self) -> int:
        assert self._fd is not None, "the directory is open"
        return self._fd

    @property
    def is_open(self) -> bool:
        return self._fd is not None

    def again(self, fd: int) -> "Directory":
        """What may be the same directory, opened once more."""
        return Directory(fd, self._us)

    @property
    def identity(self) -> tuple[int, int]:
        """What tells it from other directories; it is known from when it is closed, too."""
        if self._identity is None:
            found = os.fstat(self.fd)
            self._identity = found.st_dev, found.st_ino
        return self._identity

    def without_needless(self, attributes: Attributes) -> Attributes:
        """The attributes that are still to be set: a directory that we made is ours already."""
        return attributes._replace(owner=None) if self._is_plain and attributes.owner == self._us.owner else attributes

    def lay_by(self) -> None:
        """Close it for now."""
        assert self.identity, "it is known"
        self.close()

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def is_empty(self) -> bool:
        with os.scandir(self.fd) as found:
            return next(found, None) is None

    def make_directory(self, name: bytes) -> bool:
        """A directory that is ours alone until it is settled; False where there is one already, which stays."""
        check_name(name)
        with _told("cannot make the directory"):
            try:
                os.mkdir(name, 0o700, dir_fd=self.fd)
            except FileExistsError:
                if stat.S_ISDIR(os.lstat(name, dir_fd=self.fd).st_mode):
                    return False
                raise HostError("exists, and is not a directory", errno.EEXIST) from None
        return True

    def enter(self, name: bytes, *, is_new: bool = False) -> "Directory":
        """The directory `name`; never what a symbolic link of that name leads to."""
        check_name(name)
        with _told("cannot enter the directory"):
            fd = os.open(name, _ENTER, dir_fd=self.fd)
            if is_new and self._has_acl:
                _drop_acls(fd)
            return Directory(fd, self._us, is_plain=is_new and not self._bequeaths)

    def create(self, name: bytes, attributes: Attributes) -> tuple[int, bool]:
        """A new regular file: its descriptor for writing, and whether it has mode and owner already (`settle`)."""
        check_name(name)
        mode, us = attributes.mode & _PERMISSIONS, self._us
        as_made = not (
            mode & (us.umask | _SPECIAL_BITS)
            or attributes.xattrs
            or self._bequeaths
            or (attributes.owner is not None and attributes.owner != us.owner)
        )
        try:
            fd = os.open(name, _CREATE, mode if as_made else _PRIVATE, dir_fd=self.fd)
        except OSError as error:
            raise _host_error(error, "cannot create") from None
        if self._has_acl:
            _drop_acls(fd)
        return fd, as_made

    def make_symlink(self, name: bytes, target: bytes, attributes: Attributes, trouble: Trouble) -> None:
        """A symbolic link, with all of its attributes; its target is not looked at."""
        check_name(name)
        with _told("cannot make the symbolic link"):
            os.symlink(target, name, dir_fd=self.fd)
        self._settle_by_name(name, attributes, trouble, has_mode=False)

    def make_node(
        self, name: bytes, kind: int, device: tuple[int, int], attributes: Attributes, trouble: Trouble
    ) -> None:
        """A fifo, a socket or a device node, as `kind` (S_IFMT of its mode) says, with all of its attributes."""
        check_name(name)
        with _told("cannot make the special file"):
            os.mknod(name, kind | _PRIVATE, os.makedev(*device) if any(device) else 0, dir_fd=self.fd)
        self._settle_by_name(name, attributes, trouble, has_mode=True)

    def link(self, name: bytes, source: "Directory", source_name: bytes) -> None:
        """Another name of the file `source_name` in `source`."""
        check_name(name)
        check_name(source_name)
        with _told("cannot make the hard link"):
            os.link(source_name, name, src_dir_fd=source.fd, dst_dir_fd=self.fd, follow_symlinks=False)

    def remove(self, name: bytes) -> None:
        """Take away what has this name and is no directory, where there is such."""
        check_name(name)
        with _told("cannot replace"):
            try:
                os.unlink(name, dir_fd=self.fd)
            except FileNotFoundError:
                pass
            except (IsADirectoryError, PermissionError):
                if not stat.S_ISDIR(os.lstat(name, dir_fd=self.fd).st_mode):
                    raise
                raise HostError("exists, and is a directory") from None

    def stat(self, name: bytes) -> os.stat_result | None:
        """What stands under this name, itself; None where nothing does."""
        check_name(name)
        try:
            return os.lstat(name, dir_fd=self.fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HostError(f"cannot look at it: {error.strerror}") from None

    def _settle_by_name(self, name: bytes, attributes: Attributes, trouble: Trouble, *, has_mode: bool) -> None:
        """Give attributes to what cannot be opened: a symbolic link, a special file that we made."""
        fd = self.fd
        if attributes.owner is not None and (attributes.owner != self._us.owner or self._bequeaths):
            with _forgiven(trouble, "owner"):
                os.chown(name, *attributes.owner, dir_fd=fd, follow_symlinks=False)
        path = b"/proc/self/fd/%d/%b" % (fd, name)  # no call takes a descriptor here; the last part is not followed
        if self._has_acl and has_mode:
            _drop_acls(path)
        for key, value in attributes.xattrs:
            with _forgiven(trouble, "xattr " + key.decode(errors="surrogateescape")):
                os.setxattr(path, key, value, follow_symlinks=False)
        if has_mode:
            with _forgiven(trouble, "mode"):
                _set_mode(name, fd, attributes.mode & _PERMISSIONS)
        with _forgiven(trouble, "times"):
            os.utime(name, ns=attributes.times, dir_fd=fd, follow_symlinks=False)


def _set_mode(name: bytes, fd: int, mode: int) -> None:
    """The mode of a special file; chmod(2) follows links, so it is told of the inode itself."""
    inode = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        os.chmod(b"/proc/self/fd/%d" % inode, mode)  # noqa: PTH101
    finally:
        os.close(inode)


def open_target(path: bytes) -> Directory:
    """The directory that all is put into, made where it does not exist. Its own path is the user's: links count."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    us = _Us((os.geteuid(), os.getegid()), umask())
    with _told("cannot enter the directory", path):
        try:
            return Directory(os.open(path, flags), us)
        except FileNotFoundError:
            os.mkdir(path)  # noqa: PTH102  names may be any bytes
            return Directory(os.open(path, flags), us)


def is_root() -> bool:
    """Whether the host lets us give files to others."""
    return os.geteuid() == 0


class Output:
    """A file that the user has named for what is written in one go. Use as a context manager.

    It replaces a file of that name; where writing fails, a file that was not there before is taken away again.
    """

    def __init__(self, path: bytes) -> None:
        self._path = path
        self._is_new = not os.path.lexists(path)
        with _told("cannot create", path):
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """All of `data`, behind what was written before."""
        with _told("cannot write", self._path):
            done = os.write(self._fd, data)
            while done < len(data):
                done += os.write(self._fd, memoryview(data)[done:])

    def __enter__(self) -> "Output":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._fd)
        if error is not None and self._is_new:
            os.unlink(self._path)  # noqa: PTH108  names may be any bytes


def write(fd: int, data: bytes | bytearray | memoryview, offset: int) -> None:
    """All of `data` at an offset of a file."""
    try:
        done = os.pwrite(fd, data, offset)
        while done < len(data):
            done += os.pwrite(fd, memoryview(data)[done:], offset + done)
    except (OSError, OverflowError) as error:
        raise _host_error(error, "cannot write") from None


def set_size(fd: int, size: int) -> None:
    """Make a file as long as it is to be; what was not written is a hole."""
    try:
        os.ftruncate(fd, size)
    except (OSError, OverflowError) as error:
        raise _host_error(error, "cannot set the size") from None


def settle(fd: int, attributes: Attributes, trouble: Trouble, *, as_made: bool = False) -> None:
    """Give an open file or directory its attributes, the times last. `trouble` hears of those that it cannot have.

    `as_made`: it has mode and owner (`Directory.create`).
    """
    if not as_made:
        if attributes.owner is not None:
            with _forgiven(trouble, "owner"):
                os.fchown(fd, *attributes.owner)  # before the mode, whose setuid bit it would take away
        for key, value in attributes.xattrs:  # after the owner, whose change takes capabilities away
            with _forgiven(trouble, "xattr " + key.decode(errors="surrogateescape")):
                os.setxattr(fd, key, value)
        with _forgiven(trouble, "mode"):
            os.fchmod(fd, attributes.mode & _PERMISSIONS)
    try:
        os.utime(fd, ns=attributes.times)
    except (OSError, OverflowError):
        with _forgiven(trouble, "times"):
            os.utime(fd, ns=attributes.times)


def check_name(name: bytes) -> None:
    """`HostError` for what is not one component of a path."""
    if b"/" in name or b"\0" in name or name in (b"", b".", b".."):
        raise HostError(f"{name!r} cannot be a name")


class Descent:
    """The way down from a target directory to the one where work is done, with a bounded number of descriptors.

    Where it is deep, the upper directories are closed and found again through `..`, if that is what they were.
    """

    def __init__(self, top: Directory) -> None:
        self.top = top
        self._way: list[tuple[bytes, Directory]] = []
        self._open: deque[Directory] = deque()
        self._source: tuple[tuple[bytes, ...], Directory] | None = None

    @property
    def here(self) -> Directory:
        return self._way[-1][1] if self._way else self.top

    @property
    def names(self) -> tuple[bytes, ...]:
        """The names that lead here from the top."""
        return tuple(name for name, _ in self._way)

    def enter(self, name: bytes, *, is_new: bool = False) -> None:
        """Go down into a directory that is there; `is_new`: we have made it."""
        below = self.here.enter(name, is_new=is_new)
        self._way.append((name, below))
        self._open.append(below)
        if len(self._open) > _MOST_OPEN:
            self._open.popleft().lay_by()

    def leave(self, attributes: Attributes | None, trouble: Trouble) -> None:
        """Go up again, after the directory was given its attributes, if any."""
        _, left = self._way.pop()
        try:
            self._open_again(left)
            if attributes is not None:
                settle(left.fd, left.without_needless(attributes), trouble)
        finally:
            self._open.pop()
            left.close()

    def link(self, name: bytes, source: tuple[bytes, ...]) -> None:
        """Make `name` here another name of the file at `source`: the names that lead to it from the top."""
        *way, source_name = source
        if self._source is None or self._source[0] != tuple(way):
            found = _below(self.top, way)
            self._forget_source()
            self._source = tuple(way), found
        self.here.link(name, self._source[1], source_name)

    def close(self) -> None:
        """Close all that is open, the top, too."""
        self._forget_source()
        for directory in (*self._open, self.top):
            directory.close()

    def _forget_source(self) -> None:
        if self._source is not None:
            self._source[1].close()
            self._source = None

    def _open_again(self, below: Directory) -> None:
        """Make sure that the directory above `below` is open."""
        here = self.here
        if here.is_open:
            return
        with _told("cannot go back to the directory above"):
            found = here.again(os.open(b"..", _ENTER, dir_fd=below.fd))
        if found.identity != here.identity:
            found.close()
            raise HostError("the directory was moved away while it was being filled")
        self._way[-1] = self._way[-1][0], found
        self._open.insert(len(self._open) - 1, found)


def _below(top: Directory, way: Sequence[bytes]) -> Directory:
    with _told("cannot make the hard link"):
        found = top.again(os.dup(top.fd))
    for name in way:
        try:
            below = found.enter(name)
        finally:
            found.close()
        found = below
    return found


def _has_default_acl(fd: int) -> bool:
    try:
        return bool(os.getxattr(fd, _ACLS[1]))
    except OSError:
        return False


def _drop_acls(file: int | bytes) -> None:
    """Take away the ACLs that a file, made in a directory with a default ACL, has got with it."""
    for name in _ACLS:
        try:
            os.removexattr(file, name)
        except OSError:
            continue


def umask() -> int:
    """The process's umask, read without a change that other threads would see, where the host tells."""
    try:
        with open("/proc/self/status", "rb") as file:  # noqa: PTH123
            words = next(line for line in file if line.startswith(b"Umask:")).split()
        return int(words[1], 8)
    except (OSError, StopIteration):
        mask = os.umask(0o077)
        os.umask(mask)
        return mask


@contextmanager
def _told(doing: str, path: bytes = b"") -> Iterator[None]:
    try:
        yield
    except (OSError, OverflowError, ValueError) as error:
        raise _host_error(error, doing, path) from None


@contextmanager
def _forgiven(trouble: Trouble, what: str) -> Iterator[None]:
    """An attribute that the host does not take is told. Of attributes it may say that there is no space for them."""
    try:
        yield
    except (OSError, OverflowError, ValueError) as error:
        trouble(str(_host_error(error, f"cannot set its {what}")))


def _host_error(error: Exception, doing: str, path: bytes = b"") -> HostError:
    number = error.errno if isinstance(error, OSError) else None
    reason = os.strerror(number) if number else str(error)
    if number == errno.EEXIST:
        text = "exists"
    elif number in (errno.ELOOP, errno.ENOTDIR):
        text = f"{doing}: is a symbolic link or no directory"
    else:
        text = f"{doing}: {reason}"
    shown = os.fsdecode(path) + ": " if path else ""
    return HostError(shown + text, number)
