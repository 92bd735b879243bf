"""What is neither right nor wrong: counters of errors, work that was interrupted, and the UUID tree's state."""

from collections.abc import Iterator

from pybtrfs.check.findings import Finding, Severity
from pybtrfs.errors import CorruptError, NotFoundError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.uuidtree import UuidTree
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import DEV_REPLACE, DEV_STATS
from pybtrfs.ondisk.key import Key

_REPLACE_STATES = {0: "never started", 1: "started", 2: "finished", 3: "cancelled", 4: "suspended"}
_UNDER_WAY = (1, 4)
_UUID_CODES = {
    "missing": ("UUI-001", Severity.WARNING),
    "stale": ("UUI-002", Severity.WARNING),
    "wrong-kind": ("UUI-003", Severity.WARNING),
    "doubled": ("UUI-004", Severity.WARNING),
    "malformed": ("UUI-005", Severity.ERROR),
}


def findings(filesystem: Filesystem) -> Iterator[Finding]:
    """All of them."""
    try:
        yield from _devices(filesystem)
        if filesystem.root_tree.find(Key(c.BALANCE_OBJECTID, c.TEMPORARY_ITEM_KEY, 0)):
            yield _note("STA-003", "a balance was interrupted; the next mount goes on with it")
    except CorruptError:
        pass  # the walk tells of it
    yield from _uuid_tree(filesystem)


def _note(code: str, text: str, severity: Severity = Severity.NOTE) -> Finding:
    return Finding(code, severity, text)


def _devices(filesystem: Filesystem) -> Iterator[Finding]:
    tree = filesystem.find_tree(c.DEV_TREE_OBJECTID)
    for item in tree.items(last=Key(c.DEV_STATS_OBJECTID, c.DEV_REPLACE_KEY, c.U64_MAX)) if tree else ():
        if item.key.type == c.PERSISTENT_ITEM_KEY:
            stats = item.read(DEV_STATS)
            told = ", ".join(f"{name} {count}" for name, count in zip(stats._fields, stats, strict=True) if count)
            if told:
                yield _note("STA-001", f"devid {item.key.offset} has met errors: {told}")
            if item.key.offset not in filesystem.device_items:
                yield _note("STA-001", f"error counters of devid {item.key.offset}, which does not exist")
        elif item.key.type == c.DEV_REPLACE_KEY:
            replace = item.read(DEV_REPLACE)
            state = _REPLACE_STATES.get(replace.replace_state)
            if state is None:
                text = f"the state of a device replacement is {replace.replace_state}, unknown"
                yield _note("STA-002", text, Severity.ERROR)
            elif replace.replace_state in _UNDER_WAY:
                yield _note("STA-002", f"the replacement of devid {replace.src_devid} is {state}")


def _uuid_tree(filesystem: Filesystem) -> Iterator[Finding]:
    """`fs.uuidtree` compares the tree with the root items; where it is not current, the next mount mends it."""
    try:
        tree = UuidTree(filesystem)
        if not tree.current and not filesystem.begins_elsewhere:
            sb = filesystem.superblock
            text = f"uuid_tree_generation is {sb.uuid_tree_generation}, generation {sb.generation}"
            yield _note("UUI-007", f"superblock: {text}: the next mount compares the UUID tree with the subvolumes")
        for problem in tree.verify():
            code, severity = _UUID_CODES[problem.kind]
            kind = "received UUID" if problem.received else "UUID"
            text = f"UUID tree: {kind} {problem.uuid.hex()} of subvolume {problem.id}: {problem.text}"
            severity = severity if tree.current or severity == Severity.ERROR else Severity.NOTE
            yield Finding(code, severity, text, tree=c.UUID_TREE_OBJECTID)
    except NotFoundError:
        yield _note("UUI-006", "there is no UUID tree; the next mount makes one")
    except CorruptError:
        return  # the walk tells of it
