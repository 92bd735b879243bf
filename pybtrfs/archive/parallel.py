"""Two processes at one restore: both walk the upper directories, each fills those that are its share.

A directory belongs to one of them by a hash of the upper part of its path: that one makes all that is directly in
it, and gives it its attributes when it leaves it. Both make the directories on their way, and whoever comes second
finds them there. When the owner leaves a directory, it has made all that belongs in it, so that nothing that the
other does later changes its times. Only root may do it: others could not pass through a directory once it has got a
mode that forbids it.

The process that the user started keeps the book of hard links, adds up the reports, and shows progress.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pybtrfs.archive.links import Links, Names
from pybtrfs.archive.report import Report
from pybtrfs.checksum import name_hash
from pybtrfs.errors import HostError, PybtrfsError
from pybtrfs.fs.directory import Entry
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.inode import Place
from pybtrfs.host import is_root
from pybtrfs.ondisk import constants as c

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

WORKERS = 2
_WORTH_IT = 8 << 20  # bytes of trees: some ten thousand files
_ITEMS_BETWEEN_NEWS = 64
_HASH_BITS = 16  # the lower half of a crc is left out: its bits divided a tree of /usr one to two, these in equal parts
DEPTH = 4
"""A directory this deep belongs to one process with all below it, and the other does not walk through it."""


class Share:
    """The directories that one of `count` processes fills."""

    def __init__(self, number: int, count: int) -> None:
        self._number, self._count = number, count
        self._odd: list[bytes] = []
        self._asked: tuple[bytes, bool] | None = None
        self._type = c.FT_DIR

    def keep(self, directory: bytes, entry: Entry) -> bool:
        """Whether an entry has to be looked at: all in a directory of ours, else what may lead to one of ours."""
        if self._asked is None or self._asked[0] is not directory:
            self._asked = directory, self._has(directory)
        self._type = entry.type & ~c.FT_ENCRYPTED
        return self._asked[1] or self._type == c.FT_DIR

    def has_directory(self, path: bytes) -> bool:
        """Whether a directory that the walk has just met is ours. All below one that its entry does not call a
        directory is, since only its finder knows of it."""
        if self._type != c.FT_DIR and self._count > 1 and path:
            self._odd.append(path)
        return self._has(path)

    def _has(self, path: bytes) -> bool:
        if any(path == odd or path.startswith(odd + b"/") for odd in self._odd):
            return True
        upper = b"/".join(path.split(b"/", DEPTH)[:DEPTH])
        return ((name_hash(upper) >> _HASH_BITS) % self._count if upper else 0) == self._number


ALL = Share(0, 1)
Run = Callable[[Report, Share, Links], None]


def is_worth_it(filesystem: Filesystem) -> bool:
    """Whether two processes would be done sooner."""
    if not is_root() or not can_fork():
        return False
    size = 0
    for key, root_item in filesystem.root_items():
        if key.objectid == c.FS_TREE_OBJECTID or c.FIRST_FREE_OBJECTID <= key.objectid <= c.LAST_FREE_OBJECTID:
            size += root_item.bytes_used
    return size >= _WORTH_IT


def can_fork() -> bool:
    """Whether this host lets two processes work at the same time."""
    return hasattr(os, "fork") and (os.cpu_count() or 1) >= WORKERS


def in_parallel(run: Run, report: Report) -> None:
    """Call `run` in each of several processes with its share; `report` gets what all of them did."""
    from multiprocessing import Pipe  # noqa: PLC0415  start-up
    from multiprocessing.connection import wait  # noqa: PLC0415

    workers: dict[Connection[Any, Any], _Worker] = {}
    try:
        for number in range(WORKERS):
            ours, theirs = Pipe()
            pid = os.fork()
            if pid == 0:
                ours.close()
                _work(run, Share(number, WORKERS), theirs)
            theirs.close()
            workers[ours] = _Worker(pid)
        book = _Book(report, workers)
        while any(not worker.is_done for worker in workers.values()):
            for connection in wait([ours for ours, worker in workers.items() if not worker.is_done]):
                book.hear(connection)  # type: ignore[arg-type]
    except BaseException:
        for worker in workers.values():
            if not worker.is_done:
                os.kill(worker.pid, signal.SIGINT)
        raise
    finally:
        for connection, worker in workers.items():
            connection.close()
            os.waitpid(worker.pid, 0)


class _Worker:
    """A process, and how far it says that it is."""

    def __init__(self, pid: int) -> None:
        self.pid, self.is_done = pid, False
        self.bytes = self.items = 0
        self.fraction: float | None = None


class _Book(Links):
    """The book of links, and what the processes say of their work."""

    def __init__(self, report: Report, workers: "dict[Connection[Any, Any], _Worker]") -> None:
        super().__init__(report)
        self._workers = workers
        self._waiting: dict[Place, list[tuple[Connection[Any, Any], Names]]] = {}
        report.fraction = self._fraction

    def hear(self, connection: "Connection[Any, Any]") -> None:
        try:
            word, *values = connection.recv()
        except (EOFError, OSError):
            raise PybtrfsError("a process of this restore has died") from None
        getattr(self, f"_hear_{word}")(connection, *values)

    def _hear_claim(self, connection: "Connection[Any, Any]", place: Place, names: Names) -> None:
        if place in self._waiting:  # somebody restores it just now
            self._waiting[place].append((connection, names))
            return
        first = self.claim(place, names)
        if first is None:
            self._waiting[place] = []
        connection.send(first)

    def _hear_settle(self, connection: "Connection[Any, Any]", place: Place, names: Names | None) -> None:
        self.settle(place, names)
        for other, wanted in self._waiting.pop(place, []):
            self._hear_claim(other, place, wanted)

    def _hear_news(self, connection: "Connection[Any, Any]", size: int, items: int, fraction: float | None) -> None:
        worker = self._workers[connection]
        worker.bytes, worker.items, worker.fraction = size, items, fraction
        shown = Report()
        shown.bytes = sum(worker.bytes for worker in self._workers.values())
        shown.items = sum(worker.items for worker in self._workers.values())
        shown.fraction = self._fraction
        self._report.advance(shown)

    def _hear_done(self, connection: "Connection[Any, Any]", report: Report) -> None:
        self._workers[connection].is_done = True
        self._workers[connection].fraction = 1.0
        self._report.take(report)

    def _hear_error(self, connection: "Connection[Any, Any]", text: str, number: int | None) -> None:
        raise HostError(text, number)

    def _fraction(self) -> float | None:
        known = [worker.fraction for worker in self._workers.values() if worker.fraction is not None]
        return sum(known) / len(self._workers) if known else None


class _Asking(Links):
    """The book as a process sees it that does not keep it."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        super().__init__(Report())
        self._connection = connection

    def claim(self, place: Place, names: Names) -> Names | None:
        self._connection.send(("claim", place, names))
        answer: Names | None = self._connection.recv()
        return answer

    def settle(self, place: Place, names: Names | None) -> None:
        self._connection.send(("settle", place, names))


def _work(run: Run, share: Share, connection: "Connection[Any, Any]") -> None:
    """Do a share of the work in this process, and end it."""
    status = 1
    try:
        report = Report(_newsman(connection))
        run(report, share, _Asking(connection))
        connection.send(("done", report))
        status = 0
    except PybtrfsError as error:
        connection.send(("error", str(error), getattr(error, "number", None)))
    except (KeyboardInterrupt, BrokenPipeError, EOFError):
        pass  # the process that started this one says what there is to say
    except BaseException:  # noqa: BLE001  a fault of ours: shown as the interpreter would
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def _newsman(connection: "Connection[Any, Any]") -> Callable[[Report], None]:
    """What sends word of the progress now and then."""
    last = 0, 0

    def tell(report: Report) -> None:
        nonlocal last
        if report.items - last[0] >= _ITEMS_BETWEEN_NEWS or report.bytes - last[1] >= 1 << 24:
            last = report.items, report.bytes
            connection.send(("news", report.bytes, report.items, report.fraction()))

    return tell
