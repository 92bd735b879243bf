"""What `ls` prints of a directory: a line a name, as coreutils' ls has them in the C locale."""

import stat
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pybtrfs.ondisk.inode import InodeItem
from pybtrfs.render.files import BLOCK, Node, is_device, type_letter
from pybtrfs.render.tables import text_table
from pybtrfs.render.times import full_time, list_time

_KIB = 1024
_UNITS = "KMGTPE"


class Style(NamedTuple):
    """What a line has beside the name."""

    long: bool
    inode: bool
    allocated: bool  # the space in use, in KiB
    human: bool
    classify: bool  # a mark behind the name that says the type
    full_time: bool
    now: float
    escape: Callable[[bytes], str]


def total_line(nodes: Sequence[Node], style: Style) -> str:
    """The space that the files of a directory use."""
    return f"total {_kib(sum(node.blocks for node in nodes), style)}"


def listing(nodes: Sequence[Node], style: Style) -> Iterator[str]:
    """A line a file, in columns whose width is that of the widest cell."""
    names = (_name(node, style) for node in nodes)
    if not (style.long or style.inode or style.allocated):
        return names
    mark = any(node.has_acl for node in nodes)
    widths = _device_widths(nodes)
    rows = [_cells(node, style, widths, mark_acls=mark) for node in nodes]
    return (f"{cells} {name}" for cells, name in zip(text_table(rows), names, strict=True))


def columns(names: Sequence[str], width: int, cells: Callable[[str], int]) -> Iterator[str]:
    """Names in as many columns as a terminal has room for, downwards; `cells` says how wide a name is."""
    widths = [cells(name) for name in names]
    for count in range(min(len(names), max(1, width // 3)), 0, -1):
        lines = -(-len(names) // count)
        room = [max(widths[at : at + lines]) + 2 for at in range(0, len(names), lines)]
        if count == 1 or sum(room) - 2 < width:
            break
    for line in range(lines if names else 0):
        row = list(zip(names[line::lines], widths[line::lines], room, strict=False))
        yield "".join(name + " " * (space - own) for name, own, space in row[:-1]) + row[-1][0]


def human_size(size: int) -> str:
    """Bytes with the unit that fits, rounded up, as `ls -h` has them."""
    if size < _KIB:
        return str(size)
    for power, unit in enumerate(_UNITS, 1):
        divisor = _KIB**power
        tenths, whole = -(-size * 10 // divisor), -(-size // divisor)
        if whole < _KIB or unit == _UNITS[-1]:
            break
    return f"{tenths // 10}.{tenths % 10}{unit}" if tenths < 100 else f"{whole}{unit}"


def _cells(node: Node, style: Style, widths: tuple[int, int], *, mark_acls: bool) -> list[str]:
    inode = node.inode
    cells = [f">{node.place.ino if inode else '?'}"] if style.inode else []
    if style.allocated:
        cells.append(f">{_kib(node.blocks, style) if inode else '?'}")
    if not style.long:
        return cells
    if inode is None:
        return [*cells, f"<{type_letter(node.type)}?????????", *[">?"] * 5]
    acl = ("+" if node.has_acl else " ") if mark_acls else ""
    when = full_time(inode.mtime) if style.full_time else list_time(inode.mtime, style.now)
    return [
        *cells,
        f"<{stat.filemode(inode.mode)}{acl}",
        f">{inode.nlink}",
        f">{inode.uid}" if node.user is None else f"<{node.user}",
        f">{inode.gid}" if node.group is None else f"<{node.group}",
        f">{_size(inode, style, widths)}",
        f">{when}",
    ]


def _size(inode: InodeItem, style: Style, widths: tuple[int, int]) -> str:
    if is_device(inode.mode):
        return ", ".join(str(number).rjust(width) for number, width in zip(inode.device_numbers, widths, strict=True))
    return human_size(inode.size) if style.human else str(inode.size)


def _device_widths(nodes: Sequence[Node]) -> tuple[int, int]:
    numbers = [node.inode.device_numbers for node in nodes if node.inode is not None and is_device(node.inode.mode)]
    majors, minors = (max((len(str(pair[part])) for pair in numbers), default=0) for part in (0, 1))
    return majors, minors


def _kib(count: int, style: Style) -> str:
    return human_size(count * BLOCK) if style.human else str(-(-count * BLOCK // _KIB))


def _name(node: Node, style: Style) -> str:
    name = style.escape(node.name)
    if node.target is not None and style.long:
        mark = classify(node.target_mode) if style.classify else ""
        return f"{name} -> {style.escape(node.target)}{mark}"
    if not style.classify or node.inode is None:
        return name
    return name + classify(node.inode.mode)


def classify(mode: int) -> str:
    """What `ls -F` puts behind a name."""
    mark = _MARKS.get(stat.S_IFMT(mode), "")
    return "*" if not mark and stat.S_ISREG(mode) and mode & 0o111 else mark


_MARKS = {stat.S_IFDIR: "/", stat.S_IFLNK: "@", stat.S_IFIFO: "|", stat.S_IFSOCK: "="}
