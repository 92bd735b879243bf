"""The bytes of a file: its segments read, decompressed and verified.

`File.pieces` goes through a range and says of each part what it holds, or why it cannot be read, so that whoever
rescues keeps the rest; `File.read` is the strict reader on top, which raises the first problem.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pybtrfs.btree.search import Trouble
from pybtrfs.compression import decompress
from pybtrfs.errors import CorruptError
from pybtrfs.fs.data import BadSector, read_data
from pybtrfs.fs.extents import Segment, segments
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.inode import Place, get_inode
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.file_extent import INLINE_EXTENT, FileExtent, InlineExtent
from pybtrfs.ondisk.inode import InodeItem
from pybtrfs.ondisk.key import Key

READ_BYTES = 1 << 20
_INLINE = bytes([c.FILE_EXTENT_INLINE])
_TYPE_AT = INLINE_EXTENT.offset_of("type")
_LONGEST_LINK = 64 * 1024  # a target is in the leaf, which is no larger


class Piece(NamedTuple):
    """A part of a file: its bytes; None for zeros: of a hole, preallocated, or what `problem` says is lost."""

    offset: int
    length: int
    data: bytes | bytearray | memoryview | None
    problem: str | None = None


class File:
    """A regular file, or what else has data. `size` is the inode's, in bytes."""

    def __init__(
        self, filesystem: Filesystem, place: Place, inode: InodeItem | None = None, *, verify: bool = True
    ) -> None:
        """`verify`: compare data with its checksums, where the inode is not one without (NODATASUM)."""
        self.filesystem, self.place = filesystem, place
        self.inode = get_inode(filesystem, place) if inode is None else inode
        self.size = self.inode.size
        self._verify = verify and not self.inode.flags & c.INODE_NODATASUM
        self._inflated: tuple[FileExtent, bytes] | None = None  # the last compressed extent: its next part is near

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """Up to `length` bytes from `offset` on, fewer at the end of the file; `CorruptError` for bad ones."""
        end = self.size if length is None else min(self.size, offset + length)
        parts = []
        for piece in self.pieces(offset, end):
            if piece.problem is not None:
                raise CorruptError(f"{self.place}: byte {piece.offset}: {piece.problem}")
            parts.append(bytes(piece.length) if piece.data is None else piece.data)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def whole(self) -> bytes | None:
        """All of it, where it stands as it is in one inline extent, as that of most small files; else None."""
        if self.size > self.filesystem.sectorsize:
            return None
        item = self.filesystem.tree(self.place.subvolume_id).find(Key(self.place.ino, c.EXTENT_DATA_KEY, 0))
        if item is None or item.data[_TYPE_AT : _TYPE_AT + 1] != _INLINE:
            return None
        extent = item.read(INLINE_EXTENT)
        plain = not (extent.compression or extent.encryption or extent.other_encoding)
        return extent.data if plain and len(extent.data) == extent.ram_bytes == self.size else None

    def segments(self, first: int = 0, end: int | None = None, trouble: Trouble | None = None) -> Iterator[Segment]:
        """The segments of a range, by default of the whole file."""
        return segments(self.filesystem, self.place, first, self.size if end is None else min(end, self.size), trouble)

    def pieces(self, first: int = 0, end: int | None = None, trouble: Trouble | None = None) -> Iterator[Piece]:
        """The bytes of a range in order, at most READ_BYTES at a time; together they are the whole range.

        Where the items that say what the file consists of are damaged, `CorruptError`, unless there is `trouble`.
        """
        for segment in self.segments(first, end, trouble):
            if segment.reads_as_zeros:
                yield Piece(segment.file_offset, segment.length, None)
            elif isinstance(segment.extent, InlineExtent):
                yield self._inline(segment, segment.extent)
            elif isinstance(segment.extent, FileExtent) and segment.extent.compression:
                yield self._compressed(segment, segment.extent)
            elif isinstance(segment.extent, FileExtent):
                yield from self._plain(segment, segment.extent)

    def _inline(self, segment: Segment, extent: InlineExtent) -> Piece:
        try:
            data = extent.data
            if extent.compression:
                data = decompress(extent.compression, data, extent.ram_bytes, self.filesystem.sectorsize)
        except CorruptError as error:
            return Piece(segment.file_offset, segment.length, None, f"inline extent: {error}")
        part = data[segment.file_offset :][: segment.length]
        return Piece(segment.file_offset, segment.length, part.ljust(segment.length, b"\0"))

    def _compressed(self, segment: Segment, extent: FileExtent) -> Piece:
        try:
            if self._inflated is None or self._inflated[0] != extent._replace(offset=0, num_bytes=0):
                self._inflated = extent._replace(offset=0, num_bytes=0), self._inflate(extent)
        except CorruptError as error:
            return Piece(segment.file_offset, segment.length, None, f"extent {extent.disk_bytenr}: {error}")
        at = extent.offset + segment.file_offset - segment.begin
        return Piece(segment.file_offset, segment.length, memoryview(self._inflated[1])[at : at + segment.length])

    def _inflate(self, extent: FileExtent) -> bytes:
        data, bad = read_data(self.filesystem, extent.disk_bytenr, extent.disk_num_bytes, verify=self._verify)
        if bad:
            raise CorruptError(bad[0].problem)
        return decompress(extent.compression, bytes(data), extent.ram_bytes, self.filesystem.sectorsize)

    def _plain(self, segment: Segment, extent: FileExtent) -> Iterator[Piece]:
        sectorsize = self.filesystem.sectorsize
        start = extent.disk_bytenr + extent.offset - segment.begin  # logical address of byte 0 of the file, if it were
        at, end = segment.file_offset, segment.file_offset + segment.length
        while at < end:
            stop = min(end, at - at % READ_BYTES + READ_BYTES)
            first = at - at % sectorsize
            length = -(-(stop - first) // sectorsize) * sectorsize
            try:
                data, bad = read_data(self.filesystem, start + first, length, verify=self._verify)
            except CorruptError as error:
                if not self.filesystem.volume.holds(start + first):
                    stop = end  # nor does one hold the rest, since an extent lies in one chunk
                yield Piece(at, stop - at, None, f"extent {extent.disk_bytenr}: {error}")
            else:
                whole = first == at and stop - at == len(data)
                piece = Piece(at, stop - at, data if whole else memoryview(data)[at - first : stop - first])
                yield from self._without(piece, bad, start) if bad else (piece,)
            at = stop

    def _without(self, piece: Piece, bad: list[BadSector], start: int) -> Iterator[Piece]:
        """A piece cut around its bad sectors."""
        assert piece.data is not None, "it was read"
        at, end, view = piece.offset, piece.offset + piece.length, memoryview(piece.data)
        for sector in bad:
            begin = max(at, sector.logical - start)
            behind = min(end, sector.logical - start + self.filesystem.sectorsize)
            if begin > at:
                yield Piece(at, begin - at, view[at - piece.offset : begin - piece.offset])
            yield Piece(begin, behind - begin, None, sector.problem)
            at = behind
        if at < end:
            yield Piece(at, end - at, view[at - piece.offset :])


def read_symlink(filesystem: Filesystem, place: Place, inode: InodeItem | None = None) -> bytes:
    """The target of a symbolic link; `CorruptError` for one that cannot be a path."""
    inode = get_inode(filesystem, place) if inode is None else inode
    if not 0 < inode.size < _LONGEST_LINK:
        raise CorruptError(f"{place}: a symbolic link of {inode.size} bytes, expected 1 to {_LONGEST_LINK - 1}")
    target = File(filesystem, place, inode).read()
    if b"\0" in target:
        raise CorruptError(f"{place}: the target of the symbolic link has a zero byte in it")
    return target
