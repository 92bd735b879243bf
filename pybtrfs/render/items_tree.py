"""Items that describe trees, quotas and the state of the filesystem, as text."""

from pybtrfs.btree.block import Item
from pybtrfs.checksum import CSUM_TYPES
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.balance import BALANCE_ITEM, BalanceArgs
from pybtrfs.ondisk.chunk import DEV_REPLACE, DEV_STATS
from pybtrfs.ondisk.free_space import FREE_SPACE_HEADER
from pybtrfs.ondisk.inode import Timespec
from pybtrfs.ondisk.quota import QGROUP_INFO, QGROUP_LIMIT, QGROUP_STATUS
from pybtrfs.ondisk.root import ROOT_ITEM, ROOT_REF
from pybtrfs.ondisk.uuid import SUBVOL_IDS, uuid_text
from pybtrfs.render.keys import key_text, objectid_text
from pybtrfs.render.options import Options
from pybtrfs.render.values import local_time, shown, signed, time_text

_REPLACE_MODES = {0: "ALWAYS", 1: "AVOID"}
_REPLACE_STATES = {0: "NEVER_STARTED", 1: "STARTED", 2: "FINISHED", 3: "CANCELED", 4: "SUSPENDED"}

# -- trees -------------------------------------------------------------------------------------------


def root_item(item: Item, _: Options) -> str:
    """What ROOT_ITEM says of a tree; the later fields only where they count."""
    data = item.data.ljust(ROOT_ITEM.size, b"\0") if len(item.data) in ROOT_ITEM.forms else item.data
    root = ROOT_ITEM.unpack_from(data)
    text = (
        f"\t\tgeneration {root.generation} root_dirid {root.root_dirid} bytenr {root.bytenr} "
        f"byte_limit {root.byte_limit} bytes_used {root.bytes_used}\n"
        f"\t\tlast_snapshot {root.last_snapshot} flags 0x{root.flags:x}({'RDONLY' if root.read_only else 'none'}) "
        f"refs {root.refs}\n"
        f"\t\tdrop_progress {key_text(*root.drop_progress)} drop_level {root.drop_level}\n"
        f"\t\tlevel {root.level} generation_v2 {root.generation_v2}\n"
    )
    if not root.has_uuids:
        return text
    times = (("ctime", root.ctime), ("otime", root.otime), ("stime", root.stime), ("rtime", root.rtime))
    return (
        f"{text}\t\tuuid {uuid_text(root.uuid)}\n"
        f"\t\tparent_uuid {uuid_text(root.parent_uuid)}\n"
        f"\t\treceived_uuid {uuid_text(root.received_uuid)}\n"
        f"\t\tctransid {root.ctransid} otransid {root.otransid} stransid {root.stransid} rtransid {root.rtransid}\n"
    ) + "".join(_time_line(name, at) for name, at in times)


def _time_line(name: str, at: Timespec) -> str:
    return f"\t\t{name} {time_text(at.sec, at.nsec)}\n"


def root_ref(item: Item, options: Options) -> str:
    """A subvolume's name, from its parent."""
    return _root_ref(item, "ref")


def root_backref(item: Item, options: Options) -> str:
    """A subvolume's name, to its parent."""
    return _root_ref(item, "backref")


def _root_ref(item: Item, kind: str) -> str:
    ref, _ = ROOT_REF.read(item.data, 0, len(item.data))
    return f"\t\troot {kind} key dirid {ref.dirid} sequence {ref.sequence} name {shown(ref.name)}\n"


def uuid_item(item: Item, _: Options) -> str:
    """The subvolumes that carry a UUID."""
    if len(item.data) % 8:
        return f"btrfs: uuid item with illegal size {len(item.data)}!\n"
    return "".join(f"\t\tsubvol_id {subvol.id}\n" for subvol in SUBVOL_IDS.parse(item.data))


def untyped_item(item: Item, _: Options) -> str:
    """Type 0 means something only under the objectid of the v1 space cache."""
    if item.key.objectid != c.FREE_SPACE_OBJECTID:
        return ""
    header = FREE_SPACE_HEADER.unpack_from(item.data)
    return (
        f"\t\tlocation {key_text(*header.location)}\n"
        f"\t\tcache generation {header.generation} entries {header.num_entries} bitmaps {header.num_bitmaps}\n"
    )


def string_item(item: Item, _: Options) -> str:
    """The string, with control bytes escaped."""
    return f"\t\titem data {shown(item.data)}\n"


# -- quotas ------------------------------------------------------------------------------------------


def qgroup_status(item: Item, options: Options) -> str:
    """The state of quotas."""
    data = item.data.ljust(QGROUP_STATUS.size, b"\0") if len(item.data) in QGROUP_STATUS.forms else item.data
    status = QGROUP_STATUS.unpack_from(data)
    enabled = f" enable_gen {status.enable_gen}" if options.simple_quota else ""
    return (
        f"\t\tversion {status.version} generation {status.generation} "
        f"flags {_qgroup_flags(status.flags)} scan {status.rescan}{enabled}\n"
    )


def _qgroup_flags(flags: int) -> str:
    names = c.flag_names(flags, c.QGROUP_STATUS_FLAG_NAMES)
    rest = c.unnamed(flags & ~c.QGROUP_STATUS_FLAG_ON, c.QGROUP_STATUS_FLAG_NAMES)
    unknown = [f"UNKNOWN(0x{rest:x})"] if rest else []
    return "|".join(["ON" if flags & c.QGROUP_STATUS_FLAG_ON else "OFF", *names, *unknown])


def qgroup_info(item: Item, _: Options) -> str:
    """What a qgroup holds."""
    info = QGROUP_INFO.unpack_from(item.data)
    return (
        f"\t\tgeneration {info.generation}\n"
        f"\t\treferenced {info.rfer} referenced_compressed {info.rfer_cmpr}\n"
        f"\t\texclusive {info.excl} exclusive_compressed {info.excl_cmpr}\n"
    )


def qgroup_limit(item: Item, _: Options) -> str:
    """What a qgroup may hold."""
    limit = QGROUP_LIMIT.unpack_from(item.data)
    return (
        f"\t\tflags {limit.flags:x}\n"
        f"\t\tmax_referenced {signed(limit.max_rfer)} max_exclusive {signed(limit.max_excl)}\n"
        f"\t\trsv_referenced {signed(limit.rsv_rfer)} rsv_exclusive {signed(limit.rsv_excl)}\n"
    )


# -- state -------------------------------------------------------------------------------------------


def persistent_item(item: Item, _: Options) -> str:
    """Device statistics, or what else persists."""
    objectid, kind, offset = item.key
    head = f"\t\tpersistent item objectid {objectid_text(objectid, kind)} offset {offset}\n"
    if objectid != c.DEV_STATS_OBJECTID:
        return f"{head}\t\tunknown persistent item objectid {objectid}\n"
    stats = DEV_STATS.unpack_from(item.data)
    return (
        f"{head}\t\tdevice stats\n"
        f"\t\twrite_errs {stats.write_errs} read_errs {stats.read_errs} flush_errs {stats.flush_errs} "
        f"corruption_errs {stats.corruption_errs} generation {stats.generation_errs}\n{_more_stats(item.data)}"
    )


def _more_stats(data: bytes) -> str:
    """Counters of a newer kernel; that the first stands behind its title, on one line, is btrfs-progs' way."""
    more = range(DEV_STATS.size, len(data) - 7, 8)
    lines = (
        f"\t\tunknown item {at // 8} offset {at} value {int.from_bytes(data[at : at + 8], 'little')}\n" for at in more
    )
    return f"\t\tunknown stats item bytes {len(data) - DEV_STATS.size}{''.join(lines)}" if more else ""


def temporary_item(item: Item, _: Options) -> str:
    """A balance, or what else is under way."""
    objectid, kind, offset = item.key
    head = f"\t\ttemporary item objectid {objectid_text(objectid, kind)} offset {offset}\n"
    if objectid == c.BALANCE_OBJECTID:
        return head + _balance(item.data)
    if objectid == c.CSUM_CHANGE_OBJECTID:
        known = CSUM_TYPES.get(offset)
        return head + (
            f"\t\ttarget csum type {known.name} ({offset})\n" if known else f"\t\tunknown csum type {offset}\n"
        )
    return f"{head}\t\tunknown temporary item objectid {objectid}\n"


def _balance(data: bytes) -> str:
    balance = BALANCE_ITEM.unpack_from(data)
    parts = (("DATA", balance.data), ("METADATA", balance.meta), ("SYSTEM", balance.sys))
    text = "".join(f"\t\t{name}\n{_balance_args(args)}" for name, args in parts)
    return f"\t\tbalance status flags {balance.flags}\n{text}"


def _balance_args(args: BalanceArgs) -> str:
    return (
        f"\t\tprofiles {args.profiles} devid {args.devid} target {args.target} flags {args.flags}\n"
        f"\t\tusage_min {args.usage_min} usage_max {args.usage_max} pstart {args.pstart} pend {args.pend}\n"
        f"\t\tvstart {args.vstart} vend {args.vend} limit_min {args.limit_min} limit_max {args.limit_max}\n"
        f"\t\tstripes_min {args.stripes_min} stripes_max {args.stripes_max}\n"
    )


def dev_replace(item: Item, _: Options) -> str:
    """btrfs-progs print the start time twice, so the stop time is its repetition."""
    replace = DEV_REPLACE.unpack_from(item.data)
    mode, state = replace.cont_reading_from_srcdev_mode, replace.replace_state
    started = f"{replace.time_started} ({local_time(signed(replace.time_started))})"
    return (
        f"\t\tsrc devid {signed(replace.src_devid)} cursor left {replace.cursor_left} "
        f"cursor right {replace.cursor_right} mode {_REPLACE_MODES.get(mode, f'unknown({mode})')}\n"
        f"\t\tstate {_REPLACE_STATES.get(state, f'unknown({state})')} write errors {replace.num_write_errors} "
        f"uncorrectable read errors {replace.num_uncorrectable_read_errors}\n"
        f"\t\tstart time {started}\n"
        f"\t\tstop time {started}\n"
    )
