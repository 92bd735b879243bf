"""Export: everything below a place of an image as a tar archive, in the order of the names' bytes.

The same image gives the same bytes: nothing of the host, no time, no number that varies is in it. Holes stay holes
(the sparse form 1.0 of GNU tar). A member's size is said before its content is read; so where a part of a file turns
out to be lost, zeros stand in its place, as GNU tar has it, and the report names the file and the bytes.
"""

import stat
from collections.abc import Callable, Iterator

from pybtrfs.archive.pax import (
    BLOCK,
    BLOCK_DEVICE,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FILE,
    LINK,
    RECORD,
    SYMLINK,
    Member,
    header,
    sparse_records,
    xattr_records,
)
from pybtrfs.archive.report import BAD_DATA, UNREADABLE, BadRanges, Problem, Report
from pybtrfs.archive.selection import Selection, Verdict
from pybtrfs.archive.walking import drive
from pybtrfs.errors import CorruptError
from pybtrfs.fs.file import File, read_symlink
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.inode import Place
from pybtrfs.fs.walk import Found, walk
from pybtrfs.fs.xattr import xattrs

Write = Callable[[bytes | bytearray | memoryview], object]
SOCKETS = "sockets, which an archive cannot hold"

_BYTES_OF_NAMES = 32 << 20  # of inodes that have several
_ZEROS = bytes(1 << 20)
_SECOND = 10**9
_KINDS = {
    stat.S_IFREG: (FILE, "files"),
    stat.S_IFDIR: (DIRECTORY, "directories"),
    stat.S_IFLNK: (SYMLINK, "symbolic links"),
    stat.S_IFCHR: (CHARACTER, "special files"),
    stat.S_IFBLK: (BLOCK_DEVICE, "special files"),
    stat.S_IFIFO: (FIFO, "special files"),
}


def export(
    filesystem: Filesystem,
    start: Place,
    write: Write,
    report: Report,
    *,
    name: bytes = b"",
    selection: Selection | None = None,
    with_xattrs: bool = True,
    verify: bool = True,
) -> None:
    """Hand the archive of what is at `start` to `write`: a directory as `./` and what is in it, a file as `name`."""
    exporter = _Exporter(filesystem, write, report, selection or Selection(), name, with_xattrs, verify)
    walker = walk(filesystem, start, exporter.lost, ordered=True)
    drive(walker, exporter.meet)
    exporter.finish()


class _Exporter:
    def __init__(
        self,
        filesystem: Filesystem,
        write: Write,
        report: Report,
        selection: Selection,
        name: bytes,
        with_xattrs: bool,
        verify: bool,
    ) -> None:
        self._filesystem, self._report, self._selection, self._name = filesystem, report, selection, name
        self._with_xattrs, self._verify = with_xattrs, verify
        self._write_out, self._written = write, 0
        self._first_names: dict[Place, bytes] = {}
        self._room = _BYTES_OF_NAMES
        self._way: list[Found] = []  # directories that become members only if something in them does
        self._path = b""

    def meet(self, found: Found) -> bool:
        """Write the member for what the walk has met; whether what is below it is to be left out."""
        verdict = Verdict.WANTED
        if not self._selection.takes_all:
            verdict = self._selection.judge(found.path, is_directory=found.is_directory)
        while self._way and self._way[-1].depth >= found.depth:
            self._way.pop()
        if verdict is not Verdict.WANTED:
            if verdict is Verdict.ON_THE_WAY:
                self._way.append(found)
            return verdict is Verdict.LEFT_OUT
        for directory in self._way:
            self._member(directory)
        self._way = []
        return not self._member(found) and found.is_directory

    def lost(self, path: bytes, error: CorruptError) -> None:
        self._report.add(Problem(UNREADABLE, path, str(error)))

    def finish(self) -> None:
        """The end of the archive."""
        self._write(bytes(2 * BLOCK))
        self._write(bytes(-self._written % RECORD))

    def _member(self, found: Found) -> bool:
        """Whether it could be made a member."""
        self._path = found.path
        kind = _KINDS.get(stat.S_IFMT(found.inode.mode))
        if kind is None:
            self._report.left_out[SOCKETS] += 1
            return False
        try:
            self._add(found, *kind)
        except CorruptError as error:
            self.lost(found.path, error)
            return False
        self._report.items += 1
        self._report.advance(self._report)
        return True

    def _add(self, found: Found, kind: bytes, word: str) -> None:
        inode = found.inode
        name = b"./" + found.path + (b"/" if found.path and kind == DIRECTORY else b"")
        if kind != DIRECTORY and not found.path:
            name = self._name
        member = Member(kind, name, inode.mode, inode.uid, inode.gid, inode.mtime.sec * _SECOND + inode.mtime.nsec)
        first = self._first_name(found, name) if inode.nlink > 1 and kind != DIRECTORY else None
        if first is not None:
            self._write(header(member._replace(kind=LINK, target=first)))
            self._report.made["hard links"] += 1
            return
        if kind == SYMLINK:
            member = member._replace(target=read_symlink(self._filesystem, found.place, inode))
        elif kind in (CHARACTER, BLOCK_DEVICE):
            member = member._replace(device=_device(found))
        if self._with_xattrs:
            member = member._replace(records=tuple(xattr_records(self._xattrs(found))))
        if kind == FILE:
            self._file(found, member)
        else:
            self._write(header(member))
        self._report.made[word] += 1
        if inode.nlink > 1 and kind != DIRECTORY and self._room >= len(name):
            self._first_names[found.place] = name
            self._room -= len(name)

    def _first_name(self, found: Found, name: bytes) -> bytes | None:
        first = self._first_names.get(found.place)
        if first is None and self._room < len(name):
            self._report.left_out["hard links that became copies, being too many"] += 1
        return first

    def _xattrs(self, found: Found) -> Iterator[tuple[bytes, bytes]]:
        return xattrs(self._filesystem, found.place, lambda error: self._unread(f"attributes: {error}"))

    # -- content -------------------------------------------------------------------------------------

    def _file(self, found: Found, member: Member) -> None:
        file = File(self._filesystem, found.place, found.inode, verify=self._verify)
        regions = _Regions(file)
        if not regions.is_sparse:
            self._write(header(member._replace(size=file.size)))
            self._content(found, file, with_holes=True)
            self._write(bytes(-file.size % BLOCK))
            return
        folder, _, last = member.name.rpartition(b"/")
        records = (*sparse_records(member.name, file.size), *member.records)
        stored = folder + b"/GNUSparseFile.0/" + last
        size = regions.map_size + regions.data_size
        self._write(header(member._replace(name=stored, real_name=member.name, size=size, records=records)))
        for part in regions.map():
            self._write(part)
        self._content(found, file, with_holes=False)
        self._write(bytes(-regions.data_size % BLOCK))

    def _content(self, found: Found, file: File, *, with_holes: bool) -> None:
        """All of a file, zeros for what is lost, and for holes where they are not left out."""
        report, bad = self._report, BadRanges()
        for piece in file.pieces(trouble=lambda error: self._unread(str(error))):
            if piece.data is not None:
                self._write(piece.data)
                report.bytes += piece.length
                report.advance(report)
                continue
            if piece.problem is not None:
                bad.add(piece.offset, piece.length, piece.problem)
            if piece.problem is not None or with_holes:
                for at in range(0, piece.length, len(_ZEROS)):
                    self._write(_ZEROS[: piece.length - at])
        if bad:
            report.add(bad.problem(found.path))

    def _unread(self, text: str) -> None:
        self._report.add(Problem(BAD_DATA, self._path, text))

    def _write(self, data: bytes | bytearray | memoryview) -> None:
        if data:
            self._write_out(data)
            self._written += len(data)


class _Regions:
    """Where a file has data, and the map that says so: numbers in lines, of how many regions, then offset and length
    of each. The regions are gone through again whenever they are needed, since there may be millions.
    """

    def __init__(self, file: File) -> None:
        self._file = file
        self.data_size = self._count = length = 0
        for offset, size in self._all():
            self._count += 1
            self.data_size += size
            length += len(b"%d\n%d\n" % (offset, size))
        self.is_sparse = self.data_size < file.size
        length += len(b"%d\n" % self._count)
        self.map_size = length + -length % BLOCK

    def map(self) -> Iterator[bytes]:
        text = b"%d\n" % self._count
        written = 0
        for offset, size in self._all():
            text += b"%d\n%d\n" % (offset, size)
            if len(text) > RECORD:
                yield text
                written, text = written + len(text), b""
        yield text.ljust(self.map_size - written, b"\0")

    def _all(self) -> Iterator[tuple[int, int]]:
        """Offset and length of each region; the last, of no length, is at the end of a file that ends with a hole."""
        file, begin, end = self._file, 0, 0
        if 0 < file.size <= file.filesystem.sectorsize and _is_inline(file):
            yield 0, file.size
            return
        for segment in file.segments(trouble=lambda error: None):
            if segment.reads_as_zeros:
                continue
            if segment.file_offset != end:
                if end > begin:
                    yield begin, end - begin
                begin = segment.file_offset
            end = segment.file_offset + segment.length
        if end > begin:
            yield begin, end - begin
        if end < file.size:
            yield file.size, 0


def _is_inline(file: File) -> bool:
    try:
        return file.whole() is not None
    except CorruptError:
        return False


def _device(found: Found) -> tuple[int, int]:
    """The numbers of a device node, where a header can say them."""
    major, minor = found.inode.device_numbers
    if major >= 8**7:
        raise CorruptError(f"{found.place}: device numbers are {major}, {minor}, expected below {8**7}")
    return major, minor
