"""The map of block groups as an SVG picture: a bar a device, all to one scale, and a legend.

In a bar each device extent is a box in the light tint of its kind, filled from below as far as its block group is
used; a box's title, which a browser shows under the pointer, says what it is. Where a device has more extents than
can be told apart, equal parts of it are drawn instead, as on a terminal.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pybtrfs.ondisk import constants as c
from pybtrfs.render.map import FREE, KINDS, MIXED, Bar, cells, kind_of, share_used
from pybtrfs.render.map_text import Picture
from pybtrfs.render.sizes import Units, size_text
from pybtrfs.render.space import profile_name, type_name

_NAMESPACE = "http://www.w3.org/2000/svg"
_FULL = {c.BLOCK_GROUP_DATA: "#2f6fd0", c.BLOCK_GROUP_METADATA: "#e08214", c.BLOCK_GROUP_SYSTEM: "#8e44ad"}
_TINT = {c.BLOCK_GROUP_DATA: "#bcd4f5", c.BLOCK_GROUP_METADATA: "#fbdcb2", c.BLOCK_GROUP_SYSTEM: "#e2c8ee"}
FULL = {**_FULL, MIXED: "#16978a", FREE: "#f1f3f5"}
TINT = {**_TINT, MIXED: "#b5e3dc", FREE: "#f1f3f5"}
_FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
_INK, _GREY, _FRAME = "#212529", "#6c757d", "#adb5bd"
_WIDTH, _MARGIN, _BAR, _STEP, _LINE = 1000, 24, 46, 92, 24
_MOST_BOXES = _PARTS = 400
_MOST_LETTERS = 100


class Box(NamedTuple):
    """A part of a bar: bytes from the device's beginning, and what it shows."""

    start: int
    length: int
    kind: int
    fill: float
    title: str


def boxes(bar: Bar, units: Units) -> list[Box]:
    """The extents of a device; where they are too many, runs of equal parts of it that look the same."""
    if len(bar.extents) <= _MOST_BOXES:
        return list(_exact(bar, units))
    joined: list[Box] = []
    for number, cell in enumerate(cells(bar.extents, bar.size, _PARTS)):
        start, end = bar.size * number // _PARTS, bar.size * (number + 1) // _PARTS
        kind, fill = cell.kind, round(cell.fill, 2)
        if joined and (joined[-1].kind, joined[-1].fill) == (kind, fill):
            joined[-1] = joined[-1]._replace(length=end - joined[-1].start)
        else:
            joined.append(Box(start, end - start, kind, fill, ""))
    return [
        box._replace(title=f"mostly {type_name(box.kind)}, {_place(box, units)}, {box.fill:.0%} used")
        for box in joined
        if box.kind
    ]


def map_svg(picture: Picture, title: str, escape: Callable[..., str]) -> str:
    """The picture as the text of an SVG file; `title` and paths are escaped."""
    legend_at = _MARGIN + 34 + _STEP * len(picture.bars)
    height = legend_at + _LINE * (len(picture.usages) + 1) + _MARGIN
    root = ET.Element(
        "svg",
        {"xmlns": _NAMESPACE, "viewBox": f"0 0 {_WIDTH} {height}", "width": str(_WIDTH), "height": str(height)},
    )
    root.set("font-family", _FONT)
    root.set("shape-rendering", "crispEdges")  # boxes that touch show no seam
    ET.SubElement(root, "title").text = title
    _rect(root, 0, 0, _WIDTH, height, fill="#ffffff")
    _text(root, _MARGIN, _MARGIN + 10, _shortened(title), size=17, weight="bold")
    largest = max([1, *(bar.size for bar in picture.bars)])
    for number, bar in enumerate(picture.bars):
        _draw_bar(root, bar, _MARGIN + 34 + _STEP * number, (_WIDTH - 2 * _MARGIN) / largest, picture.units, escape)
    _draw_legend(root, picture, legend_at)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _exact(bar: Bar, units: Units) -> Iterator[Box]:
    for extent in bar.extents:
        start, end = min(extent.start, bar.size), min(extent.start + extent.length, bar.size)
        if (kind := kind_of(extent)) in KINDS and start < end:
            box = Box(start, end - start, kind, share_used(extent), "")
            name = f"{type_name(extent.chunk.type)}, {profile_name(extent.chunk.type)}"
            yield box._replace(title=f"{name}, {_place(box, units)}, chunk {extent.logical}, {box.fill:.0%} used")


def _place(box: Box, units: Units) -> str:
    return f"{size_text(box.length, units)} at {size_text(box.start, units)}"


def _draw_bar(root: ET.Element, bar: Bar, top: int, pixels: float, units: Units, escape: Callable[..., str]) -> None:
    """A device: its heading, its boxes, and a frame around them."""
    where = "missing" if bar.path is None else escape(bar.path)
    heading = ET.SubElement(root, "text", {"x": str(_MARGIN), "y": str(top + 14), "font-size": "13", "fill": _INK})
    ET.SubElement(heading, "tspan", {"font-weight": "bold"}).text = f"devid {bar.devid}"
    sizes = f"{size_text(bar.size, units)}, {size_text(bar.allocated, units)} allocated"
    ET.SubElement(heading, "tspan", {"fill": _GREY, "dx": "10"}).text = f"{sizes}, {_shortened(where)}"
    top, width = top + 22, max(2.0, bar.size * pixels)
    _rect(root, _MARGIN, top, width, _BAR, fill=FULL[FREE])
    for box in boxes(bar, units):
        group = ET.SubElement(root, "g")
        ET.SubElement(group, "title").text = box.title
        left, wide = _MARGIN + box.start * pixels, max(0.75, box.length * pixels)
        _rect(group, left, top, wide, _BAR, fill=TINT[box.kind])
        if box.fill:
            high = max(1.0, _BAR * box.fill)
            _rect(group, left, top + _BAR - high, wide, high, fill=FULL[box.kind])
        if len(bar.extents) <= _MOST_BOXES and wide > 4:
            _rect(group, left, top, wide, _BAR, fill="none", stroke="#ffffff")
    _rect(root, _MARGIN, top, width, _BAR, fill="none", stroke=_FRAME)


def _draw_legend(root: ET.Element, picture: Picture, top: int) -> None:
    """A line for each type and profile, and one for what is free."""
    units = picture.units
    rows: list[tuple[int, str, str, str, str]] = []
    for usage in picture.usages:
        percent = 100 * usage.used / max(1, usage.total)
        raw = f"{size_text(picture.raw[usage.flags], units)} on devices"
        used = f"{size_text(usage.used, units)} used ({percent:.2f}%)"
        name = f"{type_name(usage.flags)}, {profile_name(usage.flags)}"
        rows.append((usage.flags & c.BLOCK_GROUP_TYPE_MASK, name, size_text(usage.total, units), used, raw))
    rows.append((FREE, "Unallocated", size_text(picture.unallocated, units), "", ""))
    for number, (kind, name, *sums) in enumerate(rows):
        y = top + _LINE * number
        _rect(root, _MARGIN, y, 24, 14, fill=TINT.get(kind, TINT[FREE]), stroke=_FRAME)
        if kind in KINDS:
            _rect(root, _MARGIN, y + 7, 24, 7, fill=FULL[kind])
        _text(root, _MARGIN + 36, y + 12, name)
        for x, text in zip((300, 480, 640), sums, strict=True):
            _text(root, x, y + 12, text, ink=_GREY, at_end=True)


def _text(
    parent: ET.Element,
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    ink: str = _INK,
    at_end: bool = False,
    weight: str = "",
) -> None:
    place = {"x": f"{x:g}", "y": f"{y:g}", "font-size": str(size), "fill": ink}
    if at_end:
        place["text-anchor"] = "end"
    if weight:
        place["font-weight"] = weight
    ET.SubElement(parent, "text", place).text = text


def _rect(parent: ET.Element, x: float, y: float, width: float, height: float, **looks: str) -> None:
    place = {"x": x, "y": y, "width": width, "height": height}
    ET.SubElement(parent, "rect", {name: f"{round(number, 2):g}" for name, number in place.items()} | looks)


def _shortened(text: str) -> str:
    """Text that fits a line: the middle of a longer one is left out."""
    half = _MOST_LETTERS // 2
    return text if len(text) <= _MOST_LETTERS else f"{text[:half]}…{text[-half:]}"
