"""btrfs without mounting: make, read and inspect btrfs filesystems in images and block devices.

The public names are loaded when they are first used (PEP 562), so that `import pybtrfs` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the same names for type checkers; a test compares the two
    from pybtrfs._version import VERSION as VERSION
    from pybtrfs.api.entry import Entry as Entry
    from pybtrfs.api.facts import ExtentInfo as ExtentInfo
    from pybtrfs.api.facts import Stat as Stat
    from pybtrfs.api.facts import SubvolumeInfo as SubvolumeInfo
    from pybtrfs.api.file import ImageFile as ImageFile
    from pybtrfs.api.opening import Image as Image
    from pybtrfs.api.opening import open as open  # noqa: A004
    from pybtrfs.api.view import SubvolumeView as SubvolumeView
    from pybtrfs.errors import ChecksumError as ChecksumError
    from pybtrfs.errors import CorruptError as CorruptError
    from pybtrfs.errors import DeviceError as DeviceError
    from pybtrfs.errors import IsDirectoryError as IsDirectoryError
    from pybtrfs.errors import NotBtrfsError as NotBtrfsError
    from pybtrfs.errors import NotDirectoryError as NotDirectoryError
    from pybtrfs.errors import NotFoundError as NotFoundError
    from pybtrfs.errors import PybtrfsError as PybtrfsError
    from pybtrfs.errors import ReadOnlyError as ReadOnlyError
    from pybtrfs.errors import RefusedError as RefusedError
    from pybtrfs.errors import UnreachableError as UnreachableError
    from pybtrfs.errors import UnsupportedError as UnsupportedError
    from pybtrfs.errors import UsageError as UsageError
    from pybtrfs.fs.filesystem import Filesystem as Filesystem
    from pybtrfs.fs.filesystem import open_filesystem as open_filesystem
    from pybtrfs.fs.subvolume import Subvolumes as Subvolumes
    from pybtrfs.fs.uuidtree import UuidTree as UuidTree

_PUBLIC = {
    "VERSION": "pybtrfs._version",
    "ChecksumError": "pybtrfs.errors",
    "CorruptError": "pybtrfs.errors",
    "DeviceError": "pybtrfs.errors",
    "Entry": "pybtrfs.api.entry",
    "ExtentInfo": "pybtrfs.api.facts",
    "Filesystem": "pybtrfs.fs.filesystem",
    "Image": "pybtrfs.api.opening",
    "ImageFile": "pybtrfs.api.file",
    "IsDirectoryError": "pybtrfs.errors",
    "NotBtrfsError": "pybtrfs.errors",
    "NotDirectoryError": "pybtrfs.errors",
    "NotFoundError": "pybtrfs.errors",
    "PybtrfsError": "pybtrfs.errors",
    "ReadOnlyError": "pybtrfs.errors",
    "RefusedError": "pybtrfs.errors",
    "Stat": "pybtrfs.api.facts",
    "SubvolumeInfo": "pybtrfs.api.facts",
    "SubvolumeView": "pybtrfs.api.view",
    "Subvolumes": "pybtrfs.fs.subvolume",
    "UnreachableError": "pybtrfs.errors",
    "UnsupportedError": "pybtrfs.errors",
    "UsageError": "pybtrfs.errors",
    "UuidTree": "pybtrfs.fs.uuidtree",
    "open": "pybtrfs.api.opening",
    "open_filesystem": "pybtrfs.fs.filesystem",
}

__all__ = list(_PUBLIC)

if not TYPE_CHECKING:  # a name that is not there is for the type checker to find

    def __getattr__(name: str) -> object:
        if name not in _PUBLIC:
            raise AttributeError(f"module 'pybtrfs' has no attribute {name!r}")
        return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(_PUBLIC)
