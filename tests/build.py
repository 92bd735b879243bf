"""Small trees in memory, and ways to break them: a disk of blocks by logical address, with two mirrors."""

from collections.abc import Iterable, Iterator

from pybtrfs.btree.bulk import BlockForm, BuiltTree, build_tree
from pybtrfs.btree.search import Root, Tree
from pybtrfs.btree.store import BlockStore
from pybtrfs.checksum import CSUM_TYPES, seal
from pybtrfs.ondisk.key import Key

FSID = bytes(range(16))
FORM = BlockForm(nodesize=4096, fsid=FSID, chunk_tree_uuid=bytes(16), generation=7, csum_type=CSUM_TYPES[0])
FIRST = 1 << 20


class MemoryVolume:
    """What a block store needs of a volume; `mirrors` are what stands on each copy."""

    def __init__(self, form: BlockForm = FORM) -> None:
        self.nodesize, self.sectorsize = form.nodesize, 4096
        self.block_fsids, self.csum_type = (form.fsid,), form.csum_type
        self.mirrors: tuple[dict[int, bytes], dict[int, bytes]] = ({}, {})

    def write(self, bytenr: int, block: bytes) -> None:
        for mirror in self.mirrors:
            mirror[bytenr] = block

    def copies(self, logical: int, length: int) -> Iterator[tuple[str, bytes | None]]:
        for number, mirror in enumerate(self.mirrors, 1):
            yield f"mirror {number}", mirror.get(logical)

    def patch(self, bytenr: int, at: int, data: bytes, *, mend: bool = True, mirrors: Iterable[int] = (0, 1)) -> None:
        """Write over bytes of a block, with its checksum made right again unless told not to."""
        for number in mirrors:
            block = bytearray(self.mirrors[number][bytenr])
            block[at : at + len(data)] = data
            if mend:
                seal(self.csum_type, block)
            self.mirrors[number][bytenr] = bytes(block)


def tree_of(
    items: Iterable[tuple[Key, bytes]], form: BlockForm = FORM, cache_bytes: int = 1 << 20
) -> tuple[MemoryVolume, Tree, BuiltTree]:
    """A tree built in memory, the volume that it stands on, and where it begins."""
    volume, addresses = MemoryVolume(form), iter(range(FIRST, 1 << 40, form.nodesize))
    built = build_tree(form, 5, items, lambda level: next(addresses), volume.write)
    store = BlockStore(volume, cache_bytes)
    return volume, Tree(store, Root(5, built.bytenr, built.level, form.generation)), built


def small_items(count: int, size: int = 30) -> list[tuple[Key, bytes]]:
    """`count` items with rising keys and data that says which one it is."""
    return [(Key(256 + index, 1, 0), index.to_bytes(8, "little").ljust(size, b".")[:size]) for index in range(count)]
