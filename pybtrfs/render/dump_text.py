"""A dump of trees as text: each event of `fs.dump` is the lines that btrfs-progs print for it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pybtrfs.checksum import CSUM_TYPES
from pybtrfs.fs.blockwalk import Trouble
from pybtrfs.fs.dump import Backups, BlockEvent, Event, Totals, TreeBegins
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.superblock import RootBackup, Superblock
from pybtrfs.ondisk.uuid import uuid_text
from pybtrfs.render.keys import key_text
from pybtrfs.render.options import Options
from pybtrfs.render.tree_text import Complain, block_text


def options_of(
    superblock: Superblock, *, hide_names: bool = False, csum_items: bool = False, csum_headers: bool = False
) -> Options:
    """The options of a dump, with the facts that it needs of the filesystem."""
    csum_size = CSUM_TYPES[superblock.csum_type].size
    simple_quota = bool(superblock.incompat_flags & c.INCOMPAT_SIMPLE_QUOTA)
    return Options(hide_names, csum_items, csum_headers, csum_size, superblock.sectorsize, simple_quota)


def dump_text(events: Iterable[Event], options: Options, complain: Complain) -> Iterator[str]:
    """Pieces of text, each of whole lines; a block is one piece. `complain` takes lines about damage."""
    for event in events:
        yield _EVENT_TEXT[type(event)](event, options, complain)


def _begins(event: TreeBegins, _options: Options, _complain: Complain) -> str:
    key = "" if event.key is None else f" {key_text(*event.key)}"
    if event.only_root:
        return f"{event.word} tree{key or ':'} {event.root.bytenr} level {event.root.level}\n"
    return f"{event.word} tree{key}{'' if event.only_leaves or not key else ' '}\n"


def _block(event: BlockEvent, options: Options, complain: Complain) -> str:
    plain = options._replace(csum_items=False, csum_headers=False) if event.plain else options
    return block_text(event.block, plain, complain)


def _backups(event: Backups, _options: Options, _complain: Complain) -> str:
    v2 = event.superblock.incompat_flags & c.INCOMPAT_EXTENT_TREE_V2
    extent_name = "block group root" if v2 else "extent root"
    return "".join(_backup(slot, root, extent_name) for slot, root in enumerate(event.superblock.super_roots))


def _backup(slot: int, root: RootBackup, extent_name: str) -> str:
    return (
        f"btrfs root backup slot {slot}\n"
        f"\ttree root gen {root.tree_root_gen} block {root.tree_root}\n"
        f"\t\t{extent_name} gen {root.extent_root_gen} block {root.extent_root}\n"
        f"\t\tchunk root gen {root.chunk_root_gen} block {root.chunk_root}\n"
        f"\t\tdevice root gen {root.dev_root_gen} block {root.dev_root}\n"
        f"\t\tcsum root gen {root.csum_root_gen} block {root.csum_root}\n"
        f"\t\tfs root gen {root.fs_root_gen} block {root.fs_root}\n"
        f"\t\t{root.bytes_used} used {root.total_bytes} total {root.num_devices} devices\n"
    )


def _totals(event: Totals, _options: Options, _complain: Complain) -> str:
    sb = event.superblock
    return f"total bytes {sb.total_bytes}\nbytes used {sb.bytes_used}\nuuid {uuid_text(sb.fsid)}\n"


def _trouble(event: Trouble, _options: Options, complain: Complain) -> str:
    complain(event.text)
    return ""


_EVENT_TEXT: dict[type, Callable[[Any, Options, Complain], str]] = {
    TreeBegins: _begins,
    BlockEvent: _block,
    Backups: _backups,
    Totals: _totals,
    Trouble: _trouble,
}
