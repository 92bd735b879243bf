"""`log show`: what waits in the tree log, inode by inode."""

from collections.abc import Iterator
from typing import Any

from pybtrfs.commands._image import image_options, open_image
from pybtrfs.commands._session import Session, define, escape
from pybtrfs.commands._tree import group
from pybtrfs.errors import CorruptError, NotFoundError
from pybtrfs.fs.filesystem import LOG_WAITS
from pybtrfs.fs.logtree import LogTree, log_trees
from pybtrfs.fs.subvolume import Subvolumes
from pybtrfs.ondisk.constants import SUPER_OFFSETS
from pybtrfs.render.logs import log_json, log_lines

command = group("log")


@define(command, "show")
@image_options
def show(session: Session, image: str, **where: Any) -> None:
    """Print what the tree log holds: by subvolume and inode, the names, extents, attributes and ranges.

    A log waits where a machine stopped after an fsync and before the next commit; the next mount replays it.
    """
    with open_image(session, image, where, unsaid=LOG_WAITS) as filesystem:
        if filesystem.superblock.bytenr != SUPER_OFFSETS[0]:
            session.notice(f"{image}: a mirror of the superblock does not tell whether a log waits")
        logs = list(log_trees(filesystem))
        subvolumes = Subvolumes(filesystem)
        paths = {log.subvolume_id: _path(subvolumes, log) for log in logs}
        if session.json:
            session.print_json("log", [log_json(log, paths[log.subvolume_id]) for log in logs])
        elif not logs:
            session.print_lines(["no log waits"])
        else:
            session.print_lines(_lines(logs, paths))


def _lines(logs: list[LogTree], paths: dict[int, bytes]) -> Iterator[str]:
    for log in logs:
        yield from log_lines(log, paths[log.subvolume_id], escape)


def _path(subvolumes: Subvolumes, log: LogTree) -> bytes:
    try:
        return b"/" + subvolumes.path(subvolumes.get(log.subvolume_id))
    except (NotFoundError, CorruptError):
        return b"?"
