"""Faults of subvolumes, the UUID tree, quotas, the log, the v1 cache, data; and what is only worth a note."""

from collections.abc import Callable

import pytest
from faults import Fault, Sick, rows, unsound
from planted import Planted, findings

from pybtrfs.checksum import crc32c
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.balance import BALANCE_ITEM
from pybtrfs.ondisk.chunk import DEV_REPLACE
from pybtrfs.ondisk.dir import DIR_ITEM
from pybtrfs.ondisk.file_extent import FILE_EXTENT
from pybtrfs.ondisk.free_space import FREE_SPACE_ENTRY, FREE_SPACE_HEADER, FreeSpaceEntry
from pybtrfs.ondisk.key import Key
from pybtrfs.ondisk.root import ROOT_REF

pytestmark = pytest.mark.kernel
ROOTS, QUOTAS, UUIDS, LOG = c.ROOT_TREE_OBJECTID, c.QUOTA_TREE_OBJECTID, c.UUID_TREE_OBJECTID, c.TREE_LOG_OBJECTID
ROOT, REF, BACKREF, ORPHAN = c.ROOT_ITEM_KEY, c.ROOT_REF_KEY, c.ROOT_BACKREF_KEY, c.ORPHAN_ITEM_KEY
STATUS, ACCOUNT, LIMIT, RELATION = c.QGROUP_STATUS_KEY, c.QGROUP_INFO_KEY, c.QGROUP_LIMIT_KEY, c.QGROUP_RELATION_KEY
OWN, RECEIVED, DATA, INODE = c.UUID_KEY_SUBVOL, c.UUID_KEY_RECEIVED_SUBVOL, c.EXTENT_DATA_KEY, c.INODE_ITEM_KEY


def of_root(tree: int, field: str, value: int | bytes) -> object:
    return lambda p: p.set(ROOTS, (tree, ROOT, None), field, value)


def without(tree: int, *key: int | None) -> object:
    return lambda p: p.delete(tree, key)


def other_name(p: Planted) -> None:
    item = p.item(ROOTS, (5, REF, 256))
    p.replace(ROOTS, item.key, ROOT_REF.build(item.parse()._replace(name=b"x" * item.parse().name_len)))


def other_sequence_both_ways(p: Planted) -> None:
    for key in ((5, REF, 256), (256, BACKREF, 5)):
        p.set(ROOTS, key, "sequence", 99)


def other_name_in_the_directory(p: Planted) -> None:
    """An entry by index of the subvolume with another first letter, so that only the name tells."""
    for item in p.items(5, (256, c.DIR_INDEX_KEY, None)):
        if item.parse()[0].location.type == ROOT:
            p.write(5, item.key, DIR_ITEM.size, b"X")


def no_top_directory(p: Planted) -> None:
    p.set(256, (256, INODE, 0), "mode", 0o100644)


def relocated_from_nowhere(p: Planted) -> None:
    p.insert(ROOTS, (c.TREE_RELOC_OBJECTID, ROOT, 999), p.item(ROOTS, (5, ROOT, None)).data)


def one_uuid_twice(p: Planted) -> None:
    uuid = p.item(ROOTS, (256, ROOT, None)).parse().uuid
    p.set(ROOTS, (257, ROOT, None), "uuid", uuid)


def default_of(p: Planted, tree: int) -> None:
    p.set(ROOTS, (c.ROOT_TREE_DIR_OBJECTID, c.DIR_ITEM_KEY, None), "location.objectid", tree)


def received_without_times(p: Planted) -> None:
    p.set(ROOTS, (256, ROOT, None), "received_uuid", b"r" * 16)


SUBVOLUMES = [
    Fault("the csum tree is gone", "default", "ROO-001", without(ROOTS, 7, ROOT, None)),
    Fault("a root off its sector", "default", "ROO-002", of_root(256, "bytenr", 77)),
    Fault("a root of level nine", "default", "ROO-002", of_root(256, "level", 9)),
    Fault("a root of the future", "default", "ROO-003", of_root(256, "last_snapshot", 1 << 40)),
    Fault("a root of another generation", "default", "BLK-003", of_root(256, "generation", 3)),
    Fault("unknown flags of a root", "default", "ROO-004", of_root(256, "flags", 1 << 20)),
    Fault("a deletion of what is not deleted", "default", "ROO-005", of_root(256, "drop_progress.objectid", 300)),
    Fault("a tree that nobody knows", "default", "ROO-006",
          lambda p: p.rekey(ROOTS, (9, ROOT, None), objectid=99)),
    Fault("a root item with an offset", "default", "ROO-020", lambda p: p.rekey(ROOTS, (10, ROOT, 0), offset=1)),
    Fault("no references to a subvolume that has a name", "default", "ROO-007", of_root(256, "refs", 0)),
    Fault("two references to a subvolume", "default", "ROO-007", of_root(256, "refs", 2)),
    Fault("no references to the extent tree", "default", "ROO-007", of_root(2, "refs", 0)),
    Fault("another top directory", "default", "ROO-008", of_root(256, "root_dirid", 300)),
    Fault("a deletion that nobody ends", "half-deleted", "ROO-009", without(ROOTS, c.ORPHAN_OBJECTID, ORPHAN, None)),
    Fault("a top directory that is a file", "default", "ROO-010", no_top_directory),
    Fault("no top directory to relocate data through", "default", "ROO-010 INO-001",
          without(c.DATA_RELOC_TREE_OBJECTID, 256, c.INODE_ITEM_KEY, 0)),
    Fault("no way to a subvolume", "default", "ROO-011", without(ROOTS, 5, REF, 256)),
    Fault("no way from a subvolume", "default", "ROO-009 ROO-011", without(ROOTS, 256, BACKREF, 5)),
    Fault("two names of a subvolume", "default", "ROO-011 ROO-014", other_name),
    Fault("a name of no subvolume", "default", "ROO-012", without(ROOTS, 256, ROOT, None)),
    Fault("a relocation of nothing", "default", "ROO-013", relocated_from_nowhere),
    Fault("a subvolume that no directory has", "default", "ROO-014", other_sequence_both_ways),
    Fault("a subvolume under another name", "default", "ROO-014", other_name_in_the_directory),
    Fault("an orphan that is none", "default", "ROO-015",
          lambda p: p.insert(ROOTS, (c.ORPHAN_OBJECTID, ORPHAN, 256), b"")),
    Fault("an orphan of nothing", "default", "ROO-015",
          lambda p: p.insert(ROOTS, (c.ORPHAN_OBJECTID, ORPHAN, 999), b"")),
    Fault("received at no time", "default", "ROO-016", received_without_times),
    Fault("one UUID of two subvolumes", "snapshots", "ROO-017", one_uuid_twice),
    Fault("no default", "default", "ROO-018", without(ROOTS, 6, c.DIR_ITEM_KEY, None)),
    Fault("a default that does not exist", "labelled", "ROO-019", lambda p: default_of(p, 999)),
    Fault("a root item of another length", "default", "ITM-002",
          lambda p: p.replace(ROOTS, (256, ROOT, None), p.item(ROOTS, (256, ROOT, None)).data[:300])),
    Fault("a root item in the csum tree", "default", "ITM-001",
          lambda p: p.insert(7, (256, ROOT, 0), p.item(ROOTS, (256, ROOT, None)).data)),
    Fault("a name of a subvolume that is cut off", "default", "ITM-002 ROO-011",
          lambda p: p.replace(ROOTS, (5, REF, 256), bytes(17))),
]  # fmt: skip


def other_id(p: Planted) -> None:
    p.replace(UUIDS, p.item(UUIDS, (None, OWN, None)).key, (999).to_bytes(8, "little"))


def doubled_id(p: Planted) -> None:
    item = p.item(UUIDS, (None, OWN, None))
    p.replace(UUIDS, item.key, item.data * 2)


def as_received(p: Planted) -> None:
    p.rekey(UUIDS, p.item(UUIDS, (None, OWN, None)).key, type=RECEIVED)


def insert_replacement(state: int) -> object:
    value = DEV_REPLACE.unpack_from(bytes(DEV_REPLACE.size))._replace(replace_state=state)
    return lambda p: p.insert(4, (0, c.DEV_REPLACE_KEY, 0), DEV_REPLACE.pack(value))


STATES = [
    Fault("a UUID is missing", "received", "UUI-001", without(UUIDS, None, OWN, None)),
    Fault("a UUID of another subvolume", "received", "UUI-001 UUI-002", other_id),
    Fault("a UUID as a received one", "default", "UUI-003", as_received),
    Fault("an id twice", "received", "UUI-004", doubled_id),
    Fault("a UUID item of half an id", "received", "UUI-005 ITM-002",
          lambda p: p.replace(UUIDS, p.item(UUIDS, (None, OWN, None)).key, bytes(7))),
    Fault("no UUID tree", "default", "UUI-006", without(ROOTS, UUIDS, ROOT, None)),
    Fault("an old UUID tree", "default", "UUI-007", lambda p: p.superblock(uuid_tree_generation=3)),
    Fault("errors were met", "default", "STA-001",
          lambda p: p.set(4, (0, c.PERSISTENT_ITEM_KEY, 1), "write_errs", 3)),
    Fault("errors of no device", "default", "STA-001",
          lambda p: p.insert(4, (0, c.PERSISTENT_ITEM_KEY, 9), bytes(40))),
    Fault("a replacement at work", "default", "STA-002", insert_replacement(1)),
    Fault("a replacement in no known state", "default", "STA-002", insert_replacement(9)),
    Fault("a balance at work", "default", "STA-003",
          lambda p: p.insert(ROOTS, (c.BALANCE_OBJECTID, c.TEMPORARY_ITEM_KEY, 0), bytes(BALANCE_ITEM.size))),
]  # fmt: skip


def of_status(field: str, value: int) -> object:
    return lambda p: p.set(QUOTAS, (0, STATUS, 0), field, value)


def of_account(field: str, value: int, group: int = 256) -> object:
    return lambda p: p.set(QUOTAS, (0, ACCOUNT, group), field, value)


QUOTA_FAULTS = [
    Fault("no status of quotas", "quotas", "QUO-001", without(QUOTAS, 0, STATUS, 0)),
    Fault("quotas of another version", "quotas", "QUO-001", of_status("version", 2)),
    Fault("quotas of the future", "quotas", "QUO-002", of_account("generation", 1 << 40)),
    Fault("an account without limits", "quotas", "QUO-003", without(QUOTAS, 0, LIMIT, 256)),
    Fault("limits without an account", "quotas", "QUO-003", without(QUOTAS, 0, ACCOUNT, 256)),
    Fault("a relation one way", "quotas", "QUO-004", without(QUOTAS, 1 << 48 | 100, RELATION, 256)),
    Fault("a relation to nothing", "quotas", "QUO-005",
          lambda p: p.insert(QUOTAS, (999, RELATION, 1 << 48 | 100), b"")),
    Fault("more exclusive than referenced", "quotas", "QUO-006", of_account("excl", 1 << 40)),
    Fault("a qgroup of no subvolume", "quotas", "QUO-007",
          lambda p: p.rekey(QUOTAS, (0, ACCOUNT, 258), offset=777)),
    Fault("what a subvolume holds", "quotas", "QUO-008", of_account("rfer", 4096)),
    Fault("what a subvolume alone holds", "quotas", "QUO-008", of_account("excl", 4096)),
    Fault("what a group of subvolumes holds", "quotas", "QUO-008", of_account("rfer", 4096, 1 << 48 | 100)),
    Fault("quotas that may be wrong", "quotas", "QUO-009", of_status("flags", 1 | 4)),
    Fault("what a subvolume pays for", "simple-quotas", "QUO-008", of_account("rfer", 4096)),
]  # fmt: skip


def logged(ino: int, start: int, field: str, value: int) -> object:
    return lambda p: p.set(p.log_tree(), (ino, DATA, start), field, value, FILE_EXTENT)


def of_log_root(field: str, value: int) -> object:
    return lambda p: p.set(LOG, (LOG, ROOT, 5), field, value)


def log_in_an_extent(p: Planted) -> None:
    """An extent item where a block of the log lies."""
    item = p.item(2, (None, c.METADATA_ITEM_KEY, 0))
    p.insert(2, (p.log_tree().root.bytenr, c.METADATA_ITEM_KEY, 0), item.data)


LOG_FAULTS = [
    Fault("a log waits", "log", "LOG-001", lambda p: p.superblock((0,), label=bytes(256))),
    Fault("a log tree's root off its sector", "log", "LOG-002", of_log_root("bytenr", 77)),
    Fault("a stranger among the log trees", "log", "LOG-002 ITM-001",
          lambda p: p.insert(LOG, (1, c.CHUNK_ITEM_KEY, 0), bytes(80))),
    Fault("a log of the future", "log", "LOG-003", of_log_root("generation", 1 << 40)),
    Fault("a log of no subvolume", "log", "LOG-004", lambda p: p.rekey(LOG, (LOG, ROOT, 256), offset=999)),
    Fault("a log where an extent lies", "log", "LOG-005", log_in_an_extent),
    Fault("a logged extent over another", "log", "LOG-006",
          lambda p: p.set(p.log_tree(), (469, DATA, 0), "disk_bytenr",
                          p.item(2, (None, c.EXTENT_ITEM_KEY, None)).key.objectid, FILE_EXTENT)),
    Fault("a logged extent in no chunk", "log", "LOG-006", logged(469, 0, "disk_bytenr", 1 << 40)),
    Fault("a logged extent among metadata", "log", "LOG-006",
          lambda p: p.set(p.log_tree(), (469, DATA, 0), "disk_bytenr",
                          p.log_tree().root.bytenr + (8 << 20), FILE_EXTENT)),
    Fault("checksums of a logged extent are gone", "log", "LOG-007",
          lambda p: [p.delete(p.log_tree(), i.key) for i in
                     list(p.items(p.log_tree(), (None, c.EXTENT_CSUM_KEY, None)))]),
    Fault("a block of the log whose checksum fails", "log", "BLK-001",
          lambda p: p.raw(p.log_tree().root.bytenr, 9000, b"damage")),
    Fault("a block of the log of another tree", "log", "BLK-006",
          lambda p: p.header(p.log_tree().root.bytenr, "owner", 5)),
    Fault("a logged attribute longer than its item", "log", "ITM-003",
          lambda p: p.set(p.log_tree(), (262, c.XATTR_ITEM_KEY, None), "data_len", 9999)),
    Fault("a logged extent with an unknown compression", "log", "FIL-001", logged(469, 0, "compression", 9)),
    Fault("a logged inode of the future", "log", "INO-006",
          lambda p: p.set(p.log_tree(), (469, INODE, 0), "transid", 1 << 40)),
]  # fmt: skip


def cache_extent(p: Planted) -> int:
    """Where the cache of the first block group begins, on disk."""
    header = p.item(ROOTS, (c.FREE_SPACE_OBJECTID, c.UNTYPED_KEY, None)).read(FREE_SPACE_HEADER)
    found: int = p.item(ROOTS, (header.location.objectid, DATA, 0)).parse().disk_bytenr
    return found


def cached(chosen: Callable[[Planted, FreeSpaceEntry], int], **fields: int) -> object:
    """The entry of the first page of a cache for which `chosen` is greatest changed, the page's checksum mended."""

    def plant(p: Planted) -> None:
        at = cache_extent(p)
        header = p.item(ROOTS, (c.FREE_SPACE_OBJECTID, c.UNTYPED_KEY, None)).read(FREE_SPACE_HEADER)
        size = p.item(ROOTS, header.location).parse().size
        page = bytearray(p.filesystem.volume.read_first(at, 4096)[0])
        head = size // 4096 * 4
        places = range(head + 8, 4096 - FREE_SPACE_ENTRY.size, FREE_SPACE_ENTRY.size)[: header.num_entries]
        place = max(places, key=lambda at: chosen(p, FREE_SPACE_ENTRY.unpack_from(page, at)))
        entry = FREE_SPACE_ENTRY.unpack_from(page, place)
        changed = {name: getattr(entry, name) + more for name, more in fields.items()}
        page[place : place + FREE_SPACE_ENTRY.size] = FREE_SPACE_ENTRY.pack(entry._replace(**changed))
        page[:4] = crc32c(page[head:]).to_bytes(4, "little")
        p.data(at, bytes(page))

    return plant


def length(p: Planted, entry: FreeSpaceEntry) -> int:
    return entry.bytes


def behind_an_extent(p: Planted, entry: FreeSpaceEntry) -> int:
    return any(
        item.key.objectid + (item.key.offset if item.key.type == c.EXTENT_ITEM_KEY else p.filesystem.nodesize)
        == entry.offset
        for item in p.filesystem.tree(2).items(last=Key(entry.offset, 0, 0))
        if item.key.type in (c.EXTENT_ITEM_KEY, c.METADATA_ITEM_KEY)
    )


CACHES = [
    Fault("a cache of no block group", "v1-cache", "CAC-001",
          lambda p: p.insert(ROOTS, (c.FREE_SPACE_OBJECTID, c.UNTYPED_KEY, 1 << 40), bytes(FREE_SPACE_HEADER.size))),
    Fault("a cache that is not used", "v1-cache", "CAC-002",
          lambda p: p.set(ROOTS, (c.FREE_SPACE_OBJECTID, c.UNTYPED_KEY, None), "generation", 3, FREE_SPACE_HEADER)),
    Fault("a cache without a file", "v1-cache", "CAC-003",
          lambda p: p.set(ROOTS, (c.FREE_SPACE_OBJECTID, c.UNTYPED_KEY, None), "location.objectid", 9999,
                          FREE_SPACE_HEADER)),
    Fault("a page of a cache", "v1-cache", "CAC-003", lambda p: p.data(cache_extent(p) + 600, b"damage")),
    Fault("a count of entries", "v1-cache", "CAC-003",
          lambda p: p.set(ROOTS, (c.FREE_SPACE_OBJECTID, c.UNTYPED_KEY, None), "num_entries", 1 << 50,
                          FREE_SPACE_HEADER)),
    Fault("a cache that calls an extent free", "v1-cache", "CAC-004", cached(behind_an_extent, offset=-4096)),
    Fault("a cache that lacks free space", "v1-cache", "CAC-006", cached(length, bytes=-4096)),
]  # fmt: skip


def data_of(p: Planted, inode: int = 261) -> int:
    found: int = p.item(5, (inode, DATA, 0)).parse().disk_bytenr
    return found


DATA_FAULTS = [
    Fault("a sector of data", "default", "DAT-001", lambda p: p.data(data_of(p) + 5000, b"damage"), data=True),
    Fault("a checksum of data", "default", "DAT-001", lambda p: p.write(7, (None, c.EXTENT_CSUM_KEY, None), 0, b"!!!!"),
          data=True),
    Fault("one copy of data", "single-dup", "DAT-002", lambda p: p.data(data_of(p) + 5000, b"damage"), data=True),
    Fault("the other copy of data", "single-dup", "DAT-002", lambda p: p.data(data_of(p) + 5000, b"damage", 1),
          data=True),
    Fault("data by sha256", "sha256", "DAT-001", lambda p: p.data(data_of(p) + 5000, b"damage"), data=True),
]  # fmt: skip

FAULTS = [*SUBVOLUMES, *STATES, *QUOTA_FAULTS, *LOG_FAULTS, *CACHES, *DATA_FAULTS]


@rows(FAULTS)
def test_a_fault_of_trees_is_found(fault: Fault, sick: Sick) -> None:
    sick.judge(fault)


@pytest.mark.parametrize("name", sorted({fault.image for fault in FAULTS}))
def test_nothing_is_found_in_the_neighbours(name: str, sick: Sick) -> None:
    assert unsound(findings(sick.copy(name), data_csums=True)) == []


def test_sectors_side_by_side_are_one_finding(sick: Sick) -> None:
    def plant(p: Planted) -> None:
        p.data(data_of(p), bytes(3 * 4096))

    found = sick.found(Fault("three sectors", "default", "DAT-001", plant, data=True))
    assert [finding.message.partition(" of data")[0] for finding in found] == ["12288 bytes"]
