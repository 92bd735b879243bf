"""A volume: the devices of a filesystem, its superblock, and logical addresses that can be read.

A damaged chunk, copy or device is not an error here: whoever reads is handed every way to the bytes, and decides.
How the devices are found is `opening`'s work.
"""

from collections.abc import Iterable, Iterator

from pybtrfs.checksum import CSUM_TYPES, CsumType
from pybtrfs.errors import DeviceError, UnreachableError, UnsupportedError
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import CHUNK
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.superblock import Superblock
from pybtrfs.volume.chunks import ChunkMap
from pybtrfs.volume.device import Device
from pybtrfs.volume.redundancy import Way, ways
from pybtrfs.volume.striping import Piece, Placement

INCOMPAT_READ = (
    c.INCOMPAT_MIXED_BACKREF
    | c.INCOMPAT_DEFAULT_SUBVOL
    | c.INCOMPAT_MIXED_GROUPS
    | c.INCOMPAT_COMPRESS_LZO
    | c.INCOMPAT_COMPRESS_ZSTD
    | c.INCOMPAT_BIG_METADATA
    | c.INCOMPAT_EXTENDED_IREF
    | c.INCOMPAT_RAID56
    | c.INCOMPAT_SKINNY_METADATA
    | c.INCOMPAT_NO_HOLES
    | c.INCOMPAT_METADATA_UUID
    | c.INCOMPAT_RAID1C34
    | c.INCOMPAT_SIMPLE_QUOTA
)
"""The incompat features that this version reads."""
COMPAT_RO_WRITTEN = (
    c.COMPAT_RO_FREE_SPACE_TREE | c.COMPAT_RO_FREE_SPACE_TREE_VALID | c.COMPAT_RO_VERITY | c.COMPAT_RO_BLOCK_GROUP_TREE
)
"""The compat_ro features that this version could keep right when writing."""


class Volume:
    """One filesystem's devices and the map between logical and physical addresses."""

    def __init__(
        self,
        superblock: Superblock,
        devices: dict[int, Device],
        stale: frozenset[int] = frozenset(),
        superblocks: dict[int, Superblock] | None = None,
    ) -> None:
        """`devices` by devid; those in `stale` missed commits and are read last; `superblocks` as each has its own."""
        self.superblock, self.devices, self._stale = superblock, devices, stale
        self.superblocks = superblocks or {}
        self.chunks = ChunkMap()
        self.csum_type: CsumType = CSUM_TYPES[superblock.csum_type]
        self.nodesize, self.sectorsize = superblock.nodesize, superblock.sectorsize
        self.block_fsids: tuple[bytes, ...] = (superblock.block_fsid,)
        self.accept_seeds(member.block_fsid for member in self.superblocks.values())
        for key, chunk in superblock.system_chunks():
            self.chunks.add(key.offset, chunk, self.sectorsize)

    def accept_seeds(self, fsids: Iterable[bytes]) -> None:
        """Let blocks carry these fsids, too: a filesystem that was grown on a seed reads the seed's blocks."""
        self.block_fsids = tuple(dict.fromkeys((*self.block_fsids, *fsids)))

    def copies(self, logical: int, length: int) -> Iterator[Way]:
        """Each way to come by a range: what it is, for messages, and its bytes; None where they cannot be had."""
        parts = [self._ways(piece) for piece in self.chunks.pieces(logical, length)]
        return parts[0] if len(parts) == 1 else _joined(parts)

    def holds(self, logical: int) -> bool:
        """Whether there is a chunk for this address."""
        return self.chunks.find(logical) is not None

    def read_first(self, logical: int, length: int) -> tuple[bytes, list[tuple[int, int]]]:
        """The first copy of a range, piece by piece, and the parts (address, length) of which none could be read.

        Zeros stand for those; `copies` may still know a way. `CorruptError` where no chunk holds the range.
        """
        parts, unread = [], []
        for piece in self.chunks.pieces(logical, length):
            found = next(filter(None, map(self._read_fresh, piece.copies)), None)
            if found is None:
                unread.append((logical, piece.length))
            parts.append(bytes(piece.length) if found is None else found)
            logical += piece.length
        return parts[0] if len(parts) == 1 else b"".join(parts), unread

    def direct_copies(self, logical: int, length: int, *, first: int) -> Iterator[Way]:
        """The copies of a range from the one numbered `first` on, without parity; those of missing devices left out."""
        pieces = self.chunks.pieces(logical, length)
        for number in range(first, min(len(piece.copies) for piece in pieces)):
            places = [piece.copies[number] for piece in pieces]
            if all(place.devid in self.devices for place in places):
                parts = [self._read(place) for place in places]
                text = f"mirror {number + 1} (devid {places[0].devid} at {places[0].physical})"
                yield text, None if None in parts else b"".join(part for part in parts if part is not None)

    def read_at(self, place: Placement) -> bytes | None:
        """The bytes of one place on a device; None where they cannot be read."""
        return self._read(place)

    def _ways(self, piece: Piece) -> Iterator[Way]:
        """First what needs no stale device: an old block there may well have the checksum of its old bytes."""
        if self._stale:
            yield from (way for way in ways(piece, self._read_fresh) if way[1] is not None)
        yield from ways(piece, self._read)

    def _read_fresh(self, place: Placement) -> bytes | None:
        return None if place.devid in self._stale else self._read(place)

    def _read(self, place: Placement) -> bytes | None:
        device = self.devices.get(place.devid)
        try:
            return None if device is None else device.read(place.physical, place.length)
        except UnreachableError:
            if len(self.devices) == 1:
                raise  # nothing more can be read: to call each block damaged would be a lie
            return None
        except DeviceError:
            return None

    def add_chunk(self, key: Key, data: bytes) -> None:
        """Take in an item of the chunk tree."""
        self.chunks.add(key.offset, CHUNK.parse(data), self.sectorsize)

    def close(self) -> None:
        for device in self.devices.values():
            device.close()


def refuse_unknown_features(superblock: Superblock, path: str) -> None:
    """`UnsupportedError`, by name, for incompat features that this version does not read."""
    extra = superblock.incompat_flags & ~INCOMPAT_READ
    if not extra:
        return
    names = [name.lower().replace("_", "-") for name in c.flag_names(extra, c.INCOMPAT_NAMES)]
    unnamed = c.unnamed(extra, c.INCOMPAT_NAMES)
    if unnamed:
        names.append(f"unknown incompat bits {unnamed:#x}")
    raise UnsupportedError(f"{path}: not supported: {', '.join(names)}")


def unknown_compat_ro(superblock: Superblock) -> list[str]:
    """Names of compat_ro features that make the filesystem read-only to us."""
    extra = superblock.compat_ro_flags & ~COMPAT_RO_WRITTEN
    return [f"unknown compat_ro bits {extra:#x}"] if extra else []


def _joined(parts: list[Iterator[Way]]) -> Iterator[Way]:
    """Ways to a range of several pieces: the n-th readable way to each, the last where a piece has fewer."""
    columns = [[way for way in part if way[1] is not None] for part in parts]
    if not all(columns):
        yield "a part of the range", None
        return
    for number in range(max(map(len, columns))):
        chosen = [column[min(number, len(column) - 1)] for column in columns]
        yield ", ".join(dict.fromkeys(text for text, _ in chosen)), b"".join(data for _, data in chosen if data)
