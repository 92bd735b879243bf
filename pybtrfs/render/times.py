"""Points in time as coreutils print them in the C locale, in the local time zone."""

import time

from pybtrfs.ondisk.inode import Timespec

_HALF_A_YEAR = 31556952 // 2  # seconds, of a Gregorian year


def full_time(at: Timespec) -> str:
    """With nanoseconds and zone; the bare seconds where the calendar ends before."""
    local = _local(at.sec)
    if local is None:
        return f"{at.sec}.{at.nsec:09}"
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', local)}.{at.nsec:09} {time.strftime('%z', local)}"


def list_time(at: Timespec, now: float) -> str:
    """As `ls -l` has it: the time of the day, or the year where it is not of the last six months."""
    local = _local(at.sec)
    if local is None:
        return str(at.sec)
    recent = now - _HALF_A_YEAR < at.sec + at.nsec / 10**9 < now
    return time.strftime("%b %e %H:%M" if recent else "%b %e  %Y", local)


def _local(sec: int) -> time.struct_time | None:
    try:
        return time.localtime(sec)
    except (OverflowError, OSError, ValueError):
        return None
