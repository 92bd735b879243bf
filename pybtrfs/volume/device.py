"""Devices: bytes at a physical offset. This is the one room that touches an image.

A device is a regular file, a block device, or a range of another device (a partition). Reads are exact or
fail; nothing is cached here. Writers of block devices open them exclusively, which the kernel refuses while
they are mounted; readers fall back to a shared open and give a notice.
"""

import errno
import fcntl
import os
import stat
import sys
from typing import Protocol

from pybtrfs.errors import DeviceError, RefusedError

_BLKGETSIZE64 = 0x80081272
_BLKDISCARD = 0x1277
_FS_IOC_UNRESVSP64 = 0x4030582B
_DISCARD_AT_MOST = 1024**3
_READ_AT_MOST = 16 * 1024**2


class Device(Protocol):
    """What every device does; offsets and lengths in bytes."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes; `DeviceError` where they cannot be had."""
        ...

    def write(self, offset: int, data: bytes) -> None: ...
    def flush(self) -> None:
        """Return when all that was written is on stable storage."""
        ...

    def close(self) -> None: ...


class FileDevice:
    """A regular file or a block device. `in_use` says that the kernel holds the block device."""

    def __init__(self, path: str, *, writable: bool = False) -> None:
        self.name = path
        self.in_use = False
        try:
            self._fd, self.size, self.is_block_device = self._open(path, writable)
        except OSError as error:
            raise DeviceError(f"{path}: cannot open: {error.strerror}") from None

    def read(self, offset: int, length: int) -> bytes:
        if offset + length > self.size or offset < 0:
            raise DeviceError(f"{self.name}: {length} bytes at {offset} end after the device's {self.size}")
        parts = []
        while length:
            try:
                part = os.pread(self._fd, min(length, _READ_AT_MOST), offset)
            except OSError as error:
                raise DeviceError(f"{self.name}: cannot read at {offset}: {error.strerror}") from None
            if not part:
                raise DeviceError(f"{self.name}: ends at {offset}, {length} more bytes expected")
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                done = os.pwrite(self._fd, view, offset)
            except OSError as error:
                raise DeviceError(f"{self.name}: cannot write at {offset}: {error.strerror}") from None
            offset, view = offset + done, view[done:]

    def flush(self) -> None:
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise DeviceError(f"{self.name}: cannot flush: {error.strerror}") from None

    def resize(self, size: int) -> None:
        """Make a regular file `size` bytes long; what is added reads as zeros and takes no space."""
        try:
            os.ftruncate(self._fd, size)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", "the host knows no files of that size")
            raise DeviceError(f"{self.name}: cannot resize to {size}: {reason}") from None
        self.size = size

    def discard(self, offset: int, length: int) -> bool:
        """Free a range, where the host can; whether it reads as zeros from now on."""
        if self.is_block_device:
            _block_discard(self._fd, offset, length)
            return False  # devices promise nothing about what a discarded block reads as
        return _punch_hole(self._fd, offset, min(length, self.size - offset))

    def lock(self) -> None:
        """Keep other writers out until the device is closed; `RefusedError` where one is at work."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RefusedError(f"{self.name}: is locked, another program is writing to it") from None

    def close(self) -> None:
        fd, self._fd = self._fd, -1  # whoever still reads must not meet another file under the same number
        if fd >= 0:
            os.close(fd)

    def _open(self, path: str, writable: bool) -> tuple[int, int, bool]:
        flags = (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC | os.O_NONBLOCK
        mode = os.stat(path).st_mode  # noqa: PTH116  names may be any bytes
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
            raise DeviceError(f"{path}: is neither a regular file nor a block device")
        if stat.S_ISREG(mode):
            fd = os.open(path, flags)
            return fd, os.fstat(fd).st_size, False
        fd = self._open_block_device(path, flags, writable)
        return fd, _block_device_size(fd), True

    def _open_block_device(self, path: str, flags: int, writable: bool) -> int:
        try:
            return os.open(path, flags | os.O_EXCL)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
        if writable:
            raise RefusedError(f"{path}: is in use by the kernel (mounted, or a member of something that is)")
        self.in_use = True
        return os.open(path, flags)


class SliceDevice:
    """A range of another device: a partition, or an image that begins at an offset."""

    def __init__(self, device: Device, offset: int, size: int) -> None:
        if offset > device.size:
            raise DeviceError(f"{device.name}: offset {offset} is behind the end of its {device.size} bytes")
        if offset < 0 or size < 0 or offset + size > device.size:
            raise DeviceError(f"{device.name}: {size} bytes at offset {offset} end after the device's {device.size}")
        self._device, self._offset, self.size = device, offset, size
        self.name = f"{device.name} at {offset}"

    def read(self, offset: int, length: int) -> bytes:
        self._bound(offset, length)
        return self._device.read(self._offset + offset, length)

    def write(self, offset: int, data: bytes) -> None:
        self._bound(offset, len(data))
        self._device.write(self._offset + offset, data)

    def flush(self) -> None:
        self._device.flush()

    def close(self) -> None:
        self._device.close()

    def _bound(self, offset: int, length: int) -> None:
        if offset < 0 or offset + length > self.size:
            raise DeviceError(f"{self.name}: {length} bytes at {offset} end after the slice's {self.size}")


def file_exists(path: str) -> bool:
    """Whether there is something at `path`; what cannot be known is for opening it to say."""
    try:
        os.stat(path)  # noqa: PTH116  names may be any bytes
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def remove_file(path: str) -> None:
    """Take away a file that was made in vain."""
    os.unlink(path)  # noqa: PTH108  names may be any bytes


def create_file(path: str) -> None:
    """Make an empty regular file where none is; a file that exists is left as it is."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))
    except OSError as error:
        raise DeviceError(f"{path}: cannot create: {error.strerror}") from None


def _block_device_size(fd: int) -> int:
    answer = fcntl.ioctl(fd, _BLKGETSIZE64, bytes(8))
    return int.from_bytes(answer, "little")


def _block_discard(fd: int, offset: int, length: int) -> None:
    """Discard in pieces, so that Ctrl-C is heard; a device without discard is as good."""
    end = offset + length
    for at in range(offset, end, _DISCARD_AT_MOST):
        piece = min(_DISCARD_AT_MOST, end - at)
        try:
            fcntl.ioctl(fd, _BLKDISCARD, _native(at) + _native(piece))
        except OSError:
            return


def _punch_hole(fd: int, offset: int, length: int) -> bool:
    """Free a range of a regular file, whose size stays; False where its filesystem cannot."""
    counted_from_start, unused = bytes(8), bytes(24)
    try:
        fcntl.ioctl(fd, _FS_IOC_UNRESVSP64, counted_from_start + _native(offset) + _native(length) + unused)
    except OSError:
        return False
    return True


def _native(number: int) -> bytes:
    return number.to_bytes(8, sys.byteorder)
