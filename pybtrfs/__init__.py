"""btrfs without mounting: make, read and inspect btrfs filesystems in images and block devices.

The public names are loaded when they are first used (PEP 562), so that `import pybtrfs` costs nothing.
"""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "VERSION": "pybtrfs._version",
    "ChecksumError": "pybtrfs.errors",
    "CorruptError": "pybtrfs.errors",
    "DeviceError": "pybtrfs.errors",
    "Filesystem": "pybtrfs.fs.filesystem",
    "NotBtrfsError": "pybtrfs.errors",
    "NotFoundError": "pybtrfs.errors",
    "PybtrfsError": "pybtrfs.errors",
    "RefusedError": "pybtrfs.errors",
    "Subvolumes": "pybtrfs.fs.subvolume",
    "UnsupportedError": "pybtrfs.errors",
    "UsageError": "pybtrfs.errors",
    "UuidTree": "pybtrfs.fs.uuidtree",
    "open_filesystem": "pybtrfs.fs.filesystem",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'pybtrfs' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(_PUBLIC)
