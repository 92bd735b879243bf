"""The small values that many lines share: times, flags, names.

A name comes from an image and must not control the terminal it is shown on. `escaped` writes what could
break a line, or is not ASCII, in the C way (`\\n`, `\\303`), and a space as `\\ `; so do btrfs-progs for file
names and attributes. `shown` leaves printable text as it is and writes only the rest in octal: btrfs-progs
print those names (of subvolumes, of STRING items) raw, which differs for no harmless name.
"""

import time
from functools import lru_cache

from pybtrfs.ondisk.constants import U64_MAX

SHOWN_NAME_MAX = 255
"""Bytes of a name or an attribute's value that are printed; btrfs-progs stop there as well."""

_LETTERS = dict(zip(b"\a\b\x1b\f\n\r\t\v \\", "abefnrtv \\", strict=True))
_ESCAPES = {
    byte: f"\\{_LETTERS[byte]}" if byte in _LETTERS else f"\\{byte:03o}"
    for byte in range(256)
    if byte in _LETTERS or not 0x20 < byte < 0x7F
}


def escaped(name: bytes) -> str:
    """At most the first 255 bytes, with all but printable ASCII escaped."""
    return name[:SHOWN_NAME_MAX].decode("latin-1").translate(_ESCAPES)


def shown(name: bytes) -> str:
    """Text up to the first NUL, with what is not printable UTF-8 in octal."""
    name = name.partition(b"\0")[0]
    text = name.decode(errors="surrogateescape")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _octal(char) for char in text)


def dotted(name: bytes) -> str:
    """Text up to the first NUL, with a dot for all but printable ASCII: labels and magics."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in name.partition(b"\0")[0])


@lru_cache(maxsize=4096)
def local_time(sec: int) -> str:
    """Seconds since 1970 in the local time zone, such as 2024-05-01 12:30:00."""
    try:
        at = time.localtime(sec)
    except (OverflowError, OSError, ValueError):
        return "out of range"
    return f"{at.tm_year}-{at.tm_mon:02}-{at.tm_mday:02} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"


def time_text(sec: int, nsec: int) -> str:
    """A timespec: the seconds as the unsigned number on disk, then the local time."""
    return f"{sec & U64_MAX}.{nsec} ({local_time(sec)})"


def joined_flags(flags: int, names: dict[int, str]) -> str:
    """The names of the set bits with bars between; those without a name as one number."""
    found = [name for bit, name in names.items() if flags & bit]
    for bit in names:
        flags &= ~bit
    if flags:
        found.append(f"UNKNOWN: 0x{flags:x}")
    return "|".join(found)


def signed(value: int) -> int:
    """A u64 as the s64 that it may be meant as."""
    return value - (1 << 64) if value >> 63 else value


def _octal(char: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in char.encode(errors="surrogateescape"))
