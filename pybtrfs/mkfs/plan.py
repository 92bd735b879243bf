"""The plan of a filesystem: every byte that will be written, computed without a device.

`plan` is pure: what varies (the clock, the source of UUIDs) is handed in, and the same input gives the same
bytes. Blocks need addresses before the trees that record them can be built, and the number of blocks depends on
what those trees hold. So the trees are built in rounds: each takes the layout that the last one gave, until a
round gives the layout that it took. The sizes of items do not depend on addresses, so three rounds do.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import NamedTuple

from pybtrfs.btree.block import Block
from pybtrfs.btree.bulk import BlockForm, BuiltTree, build_tree
from pybtrfs.checksum import seal
from pybtrfs.mkfs.blockgroups import FIRST_DEVID, block_addresses, place_block_groups
from pybtrfs.mkfs.options import Options
from pybtrfs.mkfs.striping import striped
from pybtrfs.mkfs.trees import Layout, Member, Spec, TreeBlock, chunk_items, device_item, trees_of
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.key import KEY, MIN_KEY
from pybtrfs.ondisk.superblock import ROOT_BACKUP, SUPERBLOCK, RootBackup, Superblock
from pybtrfs.ondisk.uuid import NULL_UUID

GENERATION = 8  # what btrfs-progs arrive at after their several transactions; ours is the only one
_LATER = {"squota": 4, "quota": 3}  # the transactions that a feature adds, of the first one that is on
_ROUNDS = 8


class Write(NamedTuple):
    """Bytes, and where they go."""

    devid: int
    offset: int
    data: bytes


class Plan(NamedTuple):
    """A filesystem on its devices, ready to be written."""

    spec: Spec
    layout: Layout
    blocks: tuple[tuple[int, bytes], ...]  # logical address and bytes, by address
    superblock: Superblock  # the primary copy of the first device, without its checksum

    def writes(self) -> Iterator[Write]:
        """Every copy of every tree block, and the parity over them."""
        for group in self.spec.groups:
            inside = [block for block in self.blocks if group.start <= block[0] < group.start + group.length]
            for place, data in striped(group, inside):
                yield Write(place.devid, place.physical, data)

    def superblocks(self, devid: int = FIRST_DEVID) -> list[tuple[int, bytes]]:
        """Physical offset and bytes of each superblock copy that fits on a device, the primary first."""
        member = next(member for member in self.spec.members if member.devid == devid)
        superblock = self.superblock._replace(dev_item=device_item(self.spec, member))
        fitting = [offset for offset in c.SUPER_OFFSETS if offset + SUPERBLOCK.size <= member.size]
        return [(offset, self._sealed(superblock._replace(bytenr=offset))) for offset in fitting]

    def _sealed(self, superblock: Superblock) -> bytes:
        raw = bytearray(SUPERBLOCK.pack(superblock))
        seal(self.spec.options.csum_type, raw)
        return bytes(raw)


def plan(options: Options, sizes: Sequence[int], clock: Callable[[], int], uuids: Callable[[], bytes]) -> Plan:
    """An empty filesystem on devices of so many bytes each; the first one has devid 1.

    `clock` gives seconds since 1970, `uuids` a new UUID of 16 bytes each time. Raises `DeviceError` where a
    device is too small.
    """
    sizes = [size - size % options.sectorsize for size in sizes]
    fsid, first = options.fsid or uuids(), options.device_uuid or uuids()
    chunk_tree_uuid, subvolume_uuid = uuids(), uuids()
    device_uuids = [first, *(uuids() for _ in sizes[1:])]
    spec = Spec(
        options=options,
        members=tuple(map(Member, range(FIRST_DEVID, FIRST_DEVID + len(sizes)), sizes, device_uuids)),
        groups=tuple(place_block_groups(options, sizes)),
        fsid=fsid,
        chunk_tree_uuid=chunk_tree_uuid,
        subvolume_uuid=subvolume_uuid,
        now=clock(),
        generation=GENERATION + next((more for name, more in _LATER.items() if options.features.has(name)), 0),
    )
    layout, blocks = _build_until_stable(spec)
    return Plan(spec, layout, blocks, _superblock(spec, layout))


def seeded_uuids(options: Options, sizes: Sequence[int]) -> Callable[[], bytes]:
    """A source of UUIDs (version 8 of RFC 9562) that gives the same ones for the same options and sizes."""
    from hashlib import sha256  # noqa: PLC0415  start-up

    names = {"data": options.data.name, "metadata": options.metadata.name, "csum_type": options.csum_type.number}
    seed = repr(({**options._asdict(), **names, "features": tuple(options.features)}, list(sizes))).encode()
    numbers = count()

    def draw() -> bytes:
        raw = bytearray(sha256(b"%d " % next(numbers) + seed).digest()[:16])
        raw[6], raw[8] = raw[6] & 0x0F | 0x80, raw[8] & 0x3F | 0x80
        return bytes(raw)

    return draw


def _build_until_stable(spec: Spec) -> tuple[Layout, tuple[tuple[int, bytes], ...]]:
    layout = Layout()
    for _ in range(_ROUNDS):
        built, blocks = _build(spec, layout)
        if built == layout:
            return layout, blocks
        layout = built
    raise AssertionError("the layout of an empty filesystem settles within a few rounds")


def _build(spec: Spec, before: Layout) -> tuple[Layout, tuple[tuple[int, bytes], ...]]:
    """All trees, with items that speak of the layout before."""
    options = spec.options
    form = BlockForm(options.nodesize, spec.fsid, spec.chunk_tree_uuid, spec.generation, options.csum_type)
    system, metadata = (_addresses(spec, kind) for kind in (c.BLOCK_GROUP_SYSTEM, c.BLOCK_GROUP_METADATA))
    blocks: dict[int, bytes] = {}
    roots: list[tuple[int, BuiltTree]] = []
    for row in trees_of(options):
        addresses = system if row.id == c.CHUNK_TREE_OBJECTID else metadata
        items = row.items(spec, before)
        tree = build_tree(form, row.id, items, _drawing(addresses), blocks.__setitem__)
        roots.append((row.id, tree))
    written = tuple(sorted(blocks.items()))
    return Layout(tuple(_tree_block(bytenr, data) for bytenr, data in written), tuple(roots)), written


def _drawing(addresses: Iterator[int]) -> Callable[[int], int]:
    return lambda level: next(addresses)


def _tree_block(bytenr: int, data: bytes) -> TreeBlock:
    block = Block(data, bytenr)
    return TreeBlock(bytenr, block.header.owner, block.level, block.keys[0] if block.nritems else MIN_KEY)


def _addresses(spec: Spec, kind: int) -> Iterator[int]:
    """Addresses for blocks in the first block group of a kind."""
    group = next(group for group in spec.groups if group.flags & kind)
    yield from block_addresses(group, spec.options.nodesize)
    raise AssertionError("the first block group of a kind has room for an empty filesystem's blocks")


def _superblock(spec: Spec, layout: Layout) -> Superblock:
    options, roots = spec.options, dict(layout.roots)
    root, chunk_root = roots[c.ROOT_TREE_OBJECTID], roots[c.CHUNK_TREE_OBJECTID]
    array = b"".join(KEY.pack(key) + data for key, data in chunk_items(spec, c.BLOCK_GROUP_SYSTEM))
    return Superblock(
        csum=b"",
        fsid=spec.fsid,
        bytenr=c.SUPER_OFFSETS[0],
        flags=c.HEADER_FLAG_WRITTEN,
        magic=c.MAGIC,
        generation=spec.generation,
        root=root.bytenr,
        chunk_root=chunk_root.bytenr,
        log_root=0,
        log_root_transid=0,
        total_bytes=spec.size,
        bytes_used=len(layout.blocks) * options.nodesize,
        root_dir_objectid=c.ROOT_TREE_DIR_OBJECTID,
        num_devices=len(spec.members),
        sectorsize=options.sectorsize,
        nodesize=options.nodesize,
        leafsize=options.nodesize,
        stripesize=options.sectorsize,
        sys_chunk_array_size=len(array),
        chunk_root_generation=spec.generation,
        compat_flags=0,
        compat_ro_flags=options.features.compat_ro,
        incompat_flags=options.features.incompat,
        csum_type=options.csum_type.number,
        root_level=root.level,
        chunk_root_level=chunk_root.level,
        log_root_level=0,
        dev_item=device_item(spec, spec.members[0]),
        label=options.label,
        cache_generation=0 if options.features.has("free-space-tree") else c.U64_MAX,
        uuid_tree_generation=spec.generation,  # the tree is right: no mount need look it over, as it must with C's 0
        metadata_uuid=NULL_UUID,
        nr_global_roots=0,
        remap_root=0,
        remap_root_generation=0,
        remap_root_level=0,
        reserved=b"",
        sys_chunk_array=array,
        super_roots=_backups(spec, layout),
        padding=b"",
    )


def _backups(spec: Spec, layout: Layout) -> tuple[RootBackup, ...]:
    """One slot holds the roots, in its turn by generation, the others nothing: there was no earlier commit."""
    root, chunk, extent, fs, dev, csum = (dict(layout.roots)[number] for number in _BACKED_UP)
    empty = ROOT_BACKUP.unpack_from(bytes(ROOT_BACKUP.size))
    newest = RootBackup(
        tree_root=root.bytenr,
        tree_root_gen=spec.generation,
        chunk_root=chunk.bytenr,
        chunk_root_gen=spec.generation,
        extent_root=extent.bytenr,
        extent_root_gen=spec.generation,
        fs_root=fs.bytenr,
        fs_root_gen=spec.generation,
        dev_root=dev.bytenr,
        dev_root_gen=spec.generation,
        csum_root=csum.bytenr,
        csum_root_gen=spec.generation,
        total_bytes=spec.size,
        bytes_used=len(layout.blocks) * spec.options.nodesize,
        num_devices=len(spec.members),
        unused_64=b"",
        tree_root_level=root.level,
        chunk_root_level=chunk.level,
        extent_root_level=extent.level,
        fs_root_level=fs.level,
        dev_root_level=dev.level,
        csum_root_level=csum.level,
        unused_8=b"",
    )
    return tuple(newest if slot == (spec.generation - 1) % 4 else empty for slot in range(4))


_BACKED_UP = (
    c.ROOT_TREE_OBJECTID,
    c.CHUNK_TREE_OBJECTID,
    c.EXTENT_TREE_OBJECTID,
    c.FS_TREE_OBJECTID,
    c.DEV_TREE_OBJECTID,
    c.CSUM_TREE_OBJECTID,
)
