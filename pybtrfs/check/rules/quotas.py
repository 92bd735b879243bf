"""Quotas: the items of the quota tree against each other, against the subvolumes, and against what these hold.

What a qgroup holds is counted anew, as `btrfs check -Q` does: `rfer` is all that any of its subvolumes reaches, `excl`
what no others reach. Simple quotas charge an extent to the subvolume that wrote it first. (`fs/btrfs/qgroup.c`.)
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from pybtrfs.check.columns import U64, Array, Batch
from pybtrfs.check.findings import Finding, Severity
from pybtrfs.check.sharing import Sharing, TooManySetsError, is_counted
from pybtrfs.check.tables import Tables
from pybtrfs.errors import CorruptError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.quota import QGROUP_INFO, QGROUP_STATUS, QgroupInfo, QgroupStatus, qgroup_name

_NUMBER = (1 << c.QGROUP_LEVEL_SHIFT) - 1
_FLAGS = (
    c.QGROUP_STATUS_FLAG_ON
    | c.QGROUP_STATUS_FLAG_RESCAN
    | c.QGROUP_STATUS_FLAG_INCONSISTENT
    | c.QGROUP_STATUS_FLAG_SIMPLE_MODE
)


class Quotas(NamedTuple):
    """The quota tree, read."""

    status: QgroupStatus | None
    infos: dict[int, QgroupInfo]
    limits: set[int]
    relations: set[tuple[int, int]]  # as the keys have them: both ways

    def members(self, group: int) -> set[int]:
        """The qgroups of level 0 in a group, itself where it is one."""
        found, waiting = set[int](), [group]
        seen = {group}
        while waiting:
            one = waiting.pop()
            if not one >> c.QGROUP_LEVEL_SHIFT:
                found.add(one)
            below = {a for a, b in self.relations if b == one and a < b} - seen
            seen |= below
            waiting += below
        return found


class Charges:
    """What simple quotas charge to trees: takes blocks and extent items as they are walked."""

    def __init__(self, filesystem: Filesystem) -> None:
        self._wanted = bool(filesystem.superblock.incompat_flags & c.INCOMPAT_SIMPLE_QUOTA)
        self._parts: list[Array] = []

    def take_blocks(self, batch: Batch) -> None:
        """Tree blocks of subvolumes: their owners pay."""
        if self._wanted:
            size = np.full(len(batch), batch.nodesize, U64)
            self._parts.append(np.stack([batch.header("owner"), batch.header("generation"), size]))

    def take_extents(self, t: Tables) -> None:
        """Extent items that name who pays for them."""
        if not self._wanted:
            return
        refs, items = t.inline_ref.where(t.inline_ref.kind == U64(c.EXTENT_OWNER_REF_KEY)), t.extent_item
        at = np.searchsorted(items.rows, refs.rows)
        if len(at):
            self._parts.append(np.stack([refs.offset, items.generation[at], items.length[at]]))

    def held(self, enabled: int) -> dict[int, int]:
        """Bytes by tree, of all that is not older than the quotas."""
        owner, generation, length = np.concatenate([np.zeros((3, 0), U64), *self._parts], axis=1)
        counted = generation >= U64(enabled)
        trees, which = np.unique(owner[counted], return_inverse=True)
        sums = np.zeros(len(trees), U64)
        np.add.at(sums, which.reshape(-1), length[counted])
        return {tree: size for tree, size in zip(trees.tolist(), sums.tolist(), strict=True) if is_counted(tree)}


def findings(
    filesystem: Filesystem, dying: set[int], sharing: Callable[[], Sharing | None], charges: Charges
) -> Iterator[Finding]:
    """All of what is wrong with quotas. `dying`: subvolumes being deleted; `sharing` is asked only where it is needed,
    and is None where blocks are lost."""
    quotas = _read(filesystem)
    if quotas is None:
        return
    yield from _items(filesystem, quotas)
    status = quotas.status
    if status is None or not status.flags & c.QGROUP_STATUS_FLAG_ON:
        return
    if status.flags & c.QGROUP_STATUS_FLAG_SIMPLE_MODE:
        yield from _simple(quotas, charges.held(status.enable_gen))
        return
    why = _uncounted(status, dying)
    held = None
    if why is None:
        try:
            held = sharing()
            why = None if held is not None else "blocks of subvolumes are lost"
        except TooManySetsError:
            why = "too many subvolumes share blocks in too many ways"
    if held is None:
        yield _found("QUO-009", f"quotas were not counted: {why}", Severity.NOTE)
    else:
        yield from _counted(quotas, held)


def _found(code: str, text: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(code, severity, text, tree=c.QUOTA_TREE_OBJECTID)


def _read(filesystem: Filesystem) -> Quotas | None:
    tree = filesystem.find_tree(c.QUOTA_TREE_OBJECTID)
    if tree is None:
        return None
    status, infos, limits, relations = None, {}, set(), set()
    for item in tree.items(trouble=lambda error: None):  # the walk tells of blocks that are damaged
        try:
            if item.key.type == c.QGROUP_STATUS_KEY:
                status = item.read(QGROUP_STATUS)
            elif item.key.type == c.QGROUP_INFO_KEY:
                infos[item.key.offset] = item.read(QGROUP_INFO)
        except CorruptError:
            continue  # rules/items.py tells of lengths
        if item.key.type == c.QGROUP_LIMIT_KEY:
            limits.add(item.key.offset)
        elif item.key.type == c.QGROUP_RELATION_KEY:
            relations.add((item.key.objectid, item.key.offset))
    return Quotas(status, infos, limits, relations)


def _items(filesystem: Filesystem, quotas: Quotas) -> Iterator[Finding]:
    """The items by themselves: a status, pairs of account and limits, relations both ways, subvolumes that exist."""
    status, generation = quotas.status, filesystem.superblock.generation
    if status is None:
        yield _found("QUO-001", "the quota tree has no status")
    elif status.version != c.QGROUP_STATUS_VERSION or status.flags & ~_FLAGS:
        yield _found("QUO-001", f"status: version is {status.version}, flags {status.flags:#x}")
    elif status.generation > generation:
        text = f"status: generation is {status.generation}, the superblock's {generation}"
        yield _found("QUO-002", text, Severity.WARNING)
    for group in sorted(quotas.infos.keys() ^ quotas.limits):
        missing = "account" if group in quotas.limits else "limits"
        yield _found("QUO-003", f"qgroup {qgroup_name(group)} has no {missing}")
    for one, other in sorted(quotas.relations):
        names = f"qgroups {qgroup_name(one)} and {qgroup_name(other)}"
        if (other, one) not in quotas.relations:
            yield _found("QUO-004", f"{names}: the relation stands only one way")
        if one < other and not {one, other} <= quotas.infos.keys():
            yield _found("QUO-005", f"{names}: a relation to a qgroup that does not exist")
        if one >> c.QGROUP_LEVEL_SHIFT == other >> c.QGROUP_LEVEL_SHIFT:
            yield _found("QUO-005", f"{names}: a relation between qgroups of one level")
    simple = status is not None and bool(status.flags & c.QGROUP_STATUS_FLAG_SIMPLE_MODE)
    for group, info in sorted(quotas.infos.items()):
        name = f"qgroup {qgroup_name(group)}"
        if info.generation > generation:
            text = f"{name}: generation is {info.generation}, the superblock's {generation}"
            yield _found("QUO-002", text, Severity.WARNING)
        compressed = (info.rfer_cmpr, info.excl_cmpr)
        wrong = not simple and compressed not in ((info.rfer, info.excl), (0, 0))  # simple ones do not keep it
        if wrong or info.excl > info.rfer:
            text = f"{name}: rfer {info.rfer} ({info.rfer_cmpr}), excl {info.excl} ({info.excl_cmpr})"
            yield _found("QUO-006", text, Severity.WARNING)
        if not group >> c.QGROUP_LEVEL_SHIFT and filesystem.find_root_item(group & _NUMBER) is None:
            yield _found("QUO-007", f"{name}: there is no such subvolume", Severity.NOTE)


def _uncounted(status: QgroupStatus, dying: set[int]) -> str | None:
    if status.flags & c.QGROUP_STATUS_FLAG_RESCAN:
        return "a rescan is running"
    if status.flags & c.QGROUP_STATUS_FLAG_INCONSISTENT:
        return "they are marked as inconsistent"
    return f"subvolume {min(dying)} is being deleted" if dying else None


def _counted(quotas: Quotas, held: Sharing) -> Iterator[Finding]:
    bits = {tree: 1 << bit for bit, tree in enumerate(held.trees)}
    sets = [(mask, int(size)) for mask, size in zip(held.sets.masks, held.bytes_of.tolist(), strict=True) if size]
    for group, info in sorted(quotas.infos.items()):
        members = quotas.members(group)
        if not group >> c.QGROUP_LEVEL_SHIFT and group not in bits:
            continue  # of a subvolume that is gone, whose account nobody keeps
        ours = sum(bits.get(member, 0) for member in members)
        rfer = sum(size for mask, size in sets if mask & ours)
        excl = sum(size for mask, size in sets if mask & ours and not mask & ~ours)
        yield from _compared(group, info, rfer, excl)


def _compared(group: int, info: QgroupInfo, rfer: int, excl: int) -> Iterator[Finding]:
    if (info.rfer, info.excl) != (rfer, excl):
        text = f"rfer {info.rfer} and excl {info.excl}, its subvolumes hold {rfer} and {excl}"
        yield _found("QUO-008", f"qgroup {qgroup_name(group)}: {text}")


def _simple(quotas: Quotas, held: dict[int, int]) -> Iterator[Finding]:
    for group, info in sorted(quotas.infos.items()):
        total = sum(held.get(member, 0) for member in quotas.members(group))
        yield from _compared(group, info, total, total)
