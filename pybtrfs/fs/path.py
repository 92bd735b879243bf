"""From a path to an inode: names are looked up in directories, subvolumes are crossed like directories.

Symbolic links are followed inside the image: an absolute one begins at the place where the search began, and `..`
never leads above that.
"""

import stat

from pybtrfs.errors import CorruptError, NotDirectoryError, NotFoundError
from pybtrfs.fs.directory import Entry, find_dir_item, find_entry
from pybtrfs.fs.file import read_symlink
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.inode import TOP, Place, get_inode
from pybtrfs.ondisk import constants as c

_MOST_LINKS = 40
_LONGEST = 16384  # bytes of a path with the targets of links in it; a host's PATH_MAX is a quarter of that


def resolve(filesystem: Filesystem, path: bytes, start: Place = TOP, *, follow: bool = True) -> Place:
    """What stands at `path`, seen from `start`; without `follow`, a symbolic link at its end is what is found.

    Raises `NotFoundError` that names the first part which does not exist, `NotDirectoryError` where one goes no deeper.
    """
    way, shown = [start], list[bytes]()
    parts, links = _parts(path)[::-1], 0
    if len(path) > _LONGEST:
        raise NotFoundError(f"a path of {len(path)} bytes, at most {_LONGEST} are followed")
    while parts:
        name = parts.pop()
        if name == b"..":
            _refuse_file(filesystem, way[-1], shown)
            way, shown = way[:-1] or way, shown[:-1]
            continue
        entry = _step(filesystem, way[-1], name, shown)
        if entry.type == c.FT_SYMLINK and (parts or follow or path.endswith((b"/", b"/."))):
            links += 1
            target = read_symlink(filesystem, entry.place)
            parts += _parts(target)[::-1]
            if links > _MOST_LINKS or sum(map(len, parts)) > _LONGEST:
                raise NotFoundError(f"{_shown([*shown, name])}: too many levels of symbolic links")
            if target.startswith(b"/"):
                way, shown = [start], []
            continue
        way.append(entry.place)
        shown.append(name)
    if len(way) > 1 and path.endswith((b"/", b"/.")):  # where the way begins, there is a directory
        _refuse_file(filesystem, way[-1], shown)
    return way[-1]


def subvolume_place(filesystem: Filesystem, subvolume_id: int) -> Place:
    """The top directory of a subvolume; `NotFoundError` where there is none with this id."""
    filesystem.tree(subvolume_id)
    return Place(subvolume_id, c.FIRST_FREE_OBJECTID)


def default_subvolume_id(filesystem: Filesystem) -> int:
    """The subvolume that is mounted where none is named; `NotFoundError` where the root tree does not say."""
    entry = find_dir_item(filesystem.root_tree, filesystem.superblock.root_dir_objectid, b"default")
    if entry is None:
        raise NotFoundError("the root tree does not say which subvolume is the default")
    return entry.location.objectid


def _step(filesystem: Filesystem, directory: Place, name: bytes, shown: list[bytes]) -> Entry:
    try:
        entry = find_entry(filesystem, directory, name)
    except CorruptError as error:
        raise type(error)(f"{_shown([*shown, name])}: {error}") from None
    if entry is None:
        _refuse_file(filesystem, directory, shown)
        raise NotFoundError(f"{_shown([*shown, name])}: no such file or directory")
    return entry


def _refuse_file(filesystem: Filesystem, place: Place, shown: list[bytes]) -> None:
    if not stat.S_ISDIR(get_inode(filesystem, place).mode):
        raise NotDirectoryError(f"{_shown(shown)}: not a directory")


def _parts(path: bytes) -> list[bytes]:
    return [part for part in path.split(b"/") if part not in (b"", b".")]


def _shown(names: list[bytes]) -> str:
    return "/" + b"/".join(names).decode(errors="surrogateescape")
