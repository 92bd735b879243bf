"""Restore: everything below a place of an image, made again in a directory of the host.

The walk meets each directory before what is in it; it is entered then, and gets its own attributes when it is left,
so that its times are those of the image. What cannot be read or written is put into the report, and the rest goes
on: a file with bad sectors is written with holes in their places. Only what makes all further writing pointless
(a full disk) is raised, as `HostError`.

An inode with several names is written under the first one met; the others become hard links to it.
"""

import os
import stat
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from pybtrfs import host
from pybtrfs.archive.halves import WORTH_IT, both_halves
from pybtrfs.archive.links import Links
from pybtrfs.archive.parallel import ALL, DEPTH, Share, can_fork, in_parallel, is_worth_it
from pybtrfs.archive.policy import Policy, Wishes
from pybtrfs.archive.report import BAD_DATA, UNREADABLE, UNWRITTEN, BadRanges, Problem, Report
from pybtrfs.archive.selection import Selection, Verdict
from pybtrfs.archive.walking import drive
from pybtrfs.errors import CorruptError, HostError
from pybtrfs.fs.file import File, read_symlink
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.inode import Place
from pybtrfs.fs.walk import Found, walk
from pybtrfs.fs.xattr import xattrs
from pybtrfs.host import Attributes, Descent

T = TypeVar("T")

Told = Callable[[bytes], None]
"""Takes the path of each file and directory that is restored."""


def unheard(path: bytes) -> None:
    """For who does not want to be told."""


def restore(
    filesystem: Filesystem,
    start: Place,
    target: bytes,
    wishes: Wishes,
    report: Report,
    *,
    name: bytes = b"",
    below: bytes = b"",
    selection: Selection | None = None,
    told: Told = unheard,
) -> None:
    """Restore what is at `start` into the directory `target`: what is in it, or a file under its `name`.

    `target` gets the attributes of a directory at `start` where it was made for this, or is empty. With `below`, all
    that is said of `target` is of the directory of that name in it, which is never reached through a link.
    """
    made = not os.path.lexists(target)
    top = host.open_target(target)
    if below:
        made, top = _entered(top, below)
    descent, chosen = Descent(top), selection or Selection()
    try:
        settle_top = made or descent.top.is_empty()

        def run(mine: Report, share: Share, links: Links) -> None:
            restorer = Restorer(filesystem, descent, Policy(wishes, mine), mine, chosen, told, share, links)
            restorer.run(start, name, settle_top=settle_top)

        if chosen.takes_all and told is unheard and is_worth_it(filesystem):
            in_parallel(run, report)
        else:
            run(report, ALL, Links(report))
    finally:
        descent.close()


def _entered(target: host.Directory, below: bytes) -> tuple[bool, host.Directory]:
    """The directory `below` in `target`, and whether it was made."""
    try:
        made = target.make_directory(below)
        return made, target.enter(below, is_new=made)
    except HostError as error:
        raise HostError(f"{os.fsdecode(below)}: {error}", error.number) from None
    finally:
        target.close()


def would_restore(
    filesystem: Filesystem,
    start: Place,
    wishes: Wishes,
    report: Report,
    *,
    name: bytes = b"",
    selection: Selection | None = None,
    told: Told = unheard,
) -> None:
    """Say what `restore` would do; nothing is written, and no data is read."""
    policy, chosen = Policy(wishes, report), selection or Selection()

    def meet(found: Found) -> bool:
        verdict = chosen.judge(found.path, is_directory=found.is_directory)
        if verdict is not Verdict.WANTED:
            return verdict is Verdict.LEFT_OUT
        mode = found.inode.mode
        what = _WORDS[stat.S_IFMT(mode)]
        if what != _SPECIAL or policy.may_make(mode):
            policy.attributes(found.inode, ())
            report.made[what] += 1
            report.items += 1
            report.advance(report)
            told(found.path if found.path or found.is_directory else name)
        return False

    drive(
        walk(filesystem, start, lambda path, error: report.add(Problem(UNREADABLE, path, str(error)))),
        meet,
    )


class Copied(NamedTuple):
    """What became of a range of a file: where the last bytes written end, how many there were, what is lost."""

    end: int
    bytes: int
    bad: BadRanges
    troubles: list[str]


_FILES, _DIRECTORIES, _SYMLINKS, _SPECIAL = "files", "directories", "symbolic links", "special files"
_WORDS = {
    stat.S_IFREG: _FILES,
    stat.S_IFDIR: _DIRECTORIES,
    stat.S_IFLNK: _SYMLINKS,
    **dict.fromkeys((stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK), _SPECIAL),
}


class _Frame:
    """A directory that is being restored: what of its names is done, as far as its size tells."""

    __slots__ = ("done", "found", "is_made", "is_mine", "now")

    def __init__(self, found: Found, *, is_mine: bool) -> None:
        self.found, self.is_mine = found, is_mine
        self.is_made, self.done, self.now = False, 0, 0

    def begin(self, name: bytes) -> None:
        self.done += self.now
        self.now = 2 * len(name)


class Restorer:
    """One run. `descent` is the way down in the target; a frame stands for each directory on it and the top."""

    def __init__(
        self,
        filesystem: Filesystem,
        descent: Descent,
        policy: Policy,
        report: Report,
        selection: Selection,
        told: Told,
        share: Share,
        links: Links,
    ) -> None:
        self._filesystem, self._descent, self._policy, self._report = filesystem, descent, policy, report
        self._share, self._links = share, links
        self._wishes, self._selection, self._told = policy.wishes, selection, told
        self._frames: list[_Frame] = []
        self._claimed: Place | None = None  # an inode with several names, of which this may be the first
        self._path = b""  # of what is being restored, for messages
        self._make: dict[int, Callable[[Found, bytes], None]] = {
            stat.S_IFREG: self._file,
            stat.S_IFLNK: self._symlink,
            **dict.fromkeys((stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK), self._special),
        }

    def run(self, start: Place, name: bytes, *, settle_top: bool) -> None:
        """Restore what is at `start`; see `restore`."""
        self._report.fraction = self._fraction
        keep = None if self._share is ALL else self._share.keep
        drive(walk(self._filesystem, start, self._lost, keep=keep), lambda found: self._meet(found, name))
        while len(self._frames) > 1:
            self._leave()
        if self._frames and settle_top and self._frames[0].is_mine:
            self._path = b""
            host.settle(self._descent.top.fd, self._attributes(self._frames[0].found), self._unwritten)

    def _meet(self, found: Found, name: bytes) -> bool:
        """Restore what the walk has met; whether what is below it is to be left out."""
        while len(self._frames) > max(found.depth, 1):
            self._leave()
        if found.depth:
            self._frames[-1].begin(found.name)
        self._path = found.path
        try:
            return self._restore(found, found.name or name)
        except CorruptError as error:
            self._report.add(Problem(UNREADABLE, found.path, str(error)))
        except HostError as error:
            if error.is_final:
                raise HostError(f"/{os.fsdecode(found.path)}: {error}", error.number) from None
            self._report.add(Problem(UNWRITTEN, found.path, str(error)))
        if self._claimed is not None:
            self._links.settle(self._claimed, None)
            self._claimed = None
        return found.is_directory

    def _restore(self, found: Found, name: bytes) -> bool:
        verdict = Verdict.WANTED
        if not self._selection.takes_all:
            verdict = self._selection.judge(found.path, is_directory=found.is_directory)
            if verdict is Verdict.LEFT_OUT:
                return True
        if found.is_directory:
            self._frames.append(_Frame(found, is_mine=self._share.has_directory(found.path)))
            if verdict is Verdict.WANTED:
                self._begin_directory()
            return found.depth >= DEPTH and not self._frames[-1].is_mine
        if self._frames and not self._frames[-1].is_mine:
            return False
        self._make_way()
        self._make[stat.S_IFMT(found.inode.mode)](found, name)
        self._report.items += 1
        self._report.advance(self._report)
        return False

    # -- directories ---------------------------------------------------------------------------------

    def _begin_directory(self) -> None:
        """Make and enter a directory that is our share; make one that is not, where it stands in one that is."""
        frame = self._frames[-1]
        if frame.is_mine:
            self._make_way()
        elif len(self._frames) > 1 and self._frames[-2].is_mine:
            self._descent.here.make_directory(frame.found.name)

    def _make_way(self) -> None:
        """Make and enter the directories on the way that are not there yet."""
        if self._frames and self._frames[-1].is_made:
            return
        for number, frame in enumerate(self._frames):
            if not frame.is_made:
                if number:
                    self._enter(frame.found)
                frame.is_made = True
                if frame.is_mine:
                    self._report.made[_DIRECTORIES] += 1
                    self._report.items += 1
                    self._told(frame.found.path)

    def _enter(self, found: Found) -> None:
        here = self._descent.here
        try:
            is_new = here.make_directory(found.name)
            self._descent.enter(found.name, is_new=is_new)
        except HostError:
            del self._frames[next(n for n, frame in enumerate(self._frames) if frame.found is found) :]
            raise

    def _leave(self) -> None:
        frame = self._frames.pop()
        if frame.is_made:
            self._path = frame.found.path
            self._descent.leave(self._attributes(frame.found) if frame.is_mine else None, self._unwritten)

    # -- files ---------------------------------------------------------------------------------------

    def _file(self, found: Found, name: bytes) -> None:
        if found.inode.nlink > 1 and self._link(found, name):
            return
        attributes = self._attributes(found)
        fd, as_made = self._replacing(name, lambda: self._descent.here.create(name, attributes))
        try:
            self._copy(found, fd)
            host.settle(fd, attributes, self._unwritten, as_made=as_made)
        except BaseException as error:
            if not isinstance(error, CorruptError) and not (isinstance(error, HostError) and not error.is_final):
                self._descent.here.remove(name)  # half a file is none
            raise
        finally:
            os.close(fd)
        self._made(_FILES, found, name)

    def _copy(self, found: Found, fd: int) -> None:
        """The content: what is zeros stays a hole."""
        report, bad, end = self._report, BadRanges(), 0
        if not found.inode.size:
            return
        file = File(self._filesystem, found.place, found.inode, verify=self._wishes.verify)
        whole = self._whole(file)
        if whole is not None:
            host.write(fd, whole, 0)
            report.bytes += len(whole)
            return
        for part in self._parts(file, fd):
            report.bytes += part.bytes
            bad.take(part.bad)
            end = max(end, part.end)
            for text in part.troubles:
                self._unread(text)
        if bad:
            report.add(bad.problem(found.path))
        if end < file.size:
            host.set_size(fd, file.size)

    def _parts(self, file: File, fd: int) -> "list[Copied]":
        if file.size >= WORTH_IT and self._share is ALL and can_fork():
            return both_halves(lambda first, end: self._copy_range(file, fd, first, end), file.size)
        return [self._copy_range(file, fd, 0, file.size)]

    def _copy_range(self, file: File, fd: int, first: int, end: int) -> "Copied":
        written, done, bad, troubles = 0, 0, BadRanges(), list[str]()
        for piece in file.pieces(first, end, lambda error: troubles.append(str(error))):
            if piece.data is not None:
                host.write(fd, piece.data, piece.offset)
                written, done = piece.offset + piece.length, done + piece.length
                self._report.advance(self._report)
            elif piece.problem is not None:
                bad.add(piece.offset, piece.length, piece.problem)
        return Copied(written, done, bad, troubles)

    def _whole(self, file: File) -> bytes | None:
        try:
            return file.whole()
        except CorruptError:
            return None  # the long way says what is wrong, and goes on behind it

    def _symlink(self, found: Found, name: bytes) -> None:
        if found.inode.nlink > 1 and self._link(found, name):
            return
        target, attributes = read_symlink(self._filesystem, found.place, found.inode), self._attributes(found)
        here = self._descent.here
        self._replacing(name, lambda: here.make_symlink(name, target, attributes, self._unwritten))
        self._made(_SYMLINKS, found, name)

    def _special(self, found: Found, name: bytes) -> None:
        mode = found.inode.mode
        if not self._policy.may_make(mode) or (found.inode.nlink > 1 and self._link(found, name)):
            return
        attributes, here = self._attributes(found), self._descent.here
        numbers = found.inode.device_numbers if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else (0, 0)
        kind = stat.S_IFMT(mode)
        self._replacing(name, lambda: here.make_node(name, kind, numbers, attributes, self._unwritten))
        self._made(_SPECIAL, found, name)

    def _link(self, found: Found, name: bytes) -> bool:
        """Whether the file has a name already, to which this one could be linked."""
        first = self._links.claim(found.place, (*self._descent.names, name))
        if first is None:
            self._claimed = found.place
            return False
        try:
            self._replacing(name, lambda: self._descent.link(name, first))
        except HostError as error:
            if error.exists or error.is_final:
                raise
            self._report.left_out["hard links that became copies, since the host refused them"] += 1
            return False
        self._report.made["hard links"] += 1
        self._told(found.path)
        return True

    def _made(self, kind: str, found: Found, name: bytes) -> None:
        self._report.made[kind] += 1
        self._told(found.path)
        if self._claimed is not None:
            self._links.settle(self._claimed, (*self._descent.names, name))
            self._claimed = None

    def _replacing(self, name: bytes, make: Callable[[], T]) -> T:
        """What `make` makes; where something has the name, and the user wishes so, after that was taken away."""
        try:
            return make()
        except HostError as error:
            if not (error.exists and self._wishes.overwrite):
                raise
        self._descent.here.remove(name)
        return make()

    # -- attributes, problems, progress --------------------------------------------------------------

    def _attributes(self, found: Found) -> Attributes:
        kept = xattrs(self._filesystem, found.place, self._xattr_lost) if self._wishes.xattrs else ()
        return self._policy.attributes(found.inode, kept)

    def _xattr_lost(self, error: CorruptError) -> None:
        self._unread(f"attributes: {error}")

    def _lost(self, path: bytes, error: CorruptError) -> None:
        self._report.add(Problem(UNREADABLE, path, str(error)))

    def _unread(self, text: str) -> None:
        self._report.add(Problem(BAD_DATA, self._path, text))

    def _unwritten(self, text: str) -> None:
        self._report.add(Problem(UNWRITTEN, self._path, text))

    def _fraction(self) -> float | None:
        """How much of the tree is behind us: a directory's size is twice the length of its names."""
        fraction, part = 0.0, 1.0
        for frame in self._frames:
            size = max(frame.found.inode.size, frame.done + frame.now, 1)
            fraction += part * frame.done / size
            part *= frame.now / size
        return fraction
