"""Byte counts for people, as btrfs-progs print them."""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def size_text(size: int) -> str:
    """With the largest unit that leaves at least 1, and two decimals, such as 8.00MiB."""
    power = min((size.bit_length() - 1) // 10, len(_UNITS) - 1) if size else 0
    return f"{size / 1024**power:.2f}{_UNITS[power]}"
