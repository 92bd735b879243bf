"""Every structure of the format: parsing and building are inverse, and no bytes make a parser fail oddly."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybtrfs.errors import CorruptError
from pybtrfs.ondisk import registry
from pybtrfs.ondisk.extent import EXTENT_HEAD, INLINE_REFS, TREE_BLOCK_INFO, ExtentItem, ExtentItemCodec
from pybtrfs.ondisk.file_extent import FILE_EXTENT, INLINE_EXTENT, ExtentData
from pybtrfs.ondisk.free_space import FREE_SPACE_ENTRY
from pybtrfs.ondisk.header import HEADER, ITEM, KEY_PTR
from pybtrfs.ondisk.layout import Fixed, Many, Raw, Tailed
from pybtrfs.ondisk.superblock import SUPERBLOCK

ROWS = [*registry.ITEM_TYPES.values(), *registry.SPECIAL_ITEMS.values(), registry.VERITY_HEAD]
CODECS = {f"{row.name} {row.objectid}": row.codec for row in ROWS} | {
    layout.name: layout for layout in (SUPERBLOCK, HEADER, ITEM, KEY_PTR, FREE_SPACE_ENTRY)
}
each_codec = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())


@each_codec
@given(data=st.data())
def test_what_is_built_from_a_value_parses_to_that_value(codec: Any, data: st.DataObject) -> None:
    value = data.draw(values_of(codec))
    assert codec.parse(codec.build(value)) == value


@each_codec
@given(data=st.data())
def test_bytes_that_parse_build_to_the_same_bytes_and_others_are_called_corrupt(
    codec: Any, data: st.DataObject
) -> None:
    item = mutated(data, codec.build(data.draw(values_of(codec))))
    try:
        value = codec.parse(item)
    except CorruptError:
        return
    rebuilt = codec.build(value, len(item)) if isinstance(codec, Fixed) and codec.forms[:-1] else codec.build(value)
    assert rebuilt == item


@pytest.mark.parametrize(
    "layout", [codec for codec in CODECS.values() if isinstance(codec, Fixed)], ids=lambda c: c.name
)
@given(data=st.data())
def test_the_struct_the_numpy_dtype_and_the_offsets_agree(layout: Fixed[Any], data: st.DataObject) -> None:
    import numpy as np

    value = data.draw(values_of(layout))
    row = np.frombuffer(layout.build(value)[: layout.size], layout.dtype)[0]
    assert layout.dtype.itemsize == layout.size
    for field in layout.fields:
        assert layout.dtype.fields is not None
        assert layout.dtype.fields[field.name][1] == layout.offset_of(field.name) == field.offset
        if field.layout is None:
            found = row[field.name]
            assert getattr(value, field.name) == (bytes(found) if field.code.endswith("s") else found)


def test_each_type_number_of_the_constants_has_a_row_and_each_row_its_number() -> None:
    from pybtrfs.ondisk import constants

    numbers = {
        value
        for name, value in vars(constants).items()
        if name.endswith("_KEY") or name.startswith("UUID_KEY_")
        if name != "UNTYPED_KEY"
    }
    assert numbers == set(registry.ITEM_TYPES)


def test_the_sizes_are_those_of_the_format() -> None:
    sizes = {row.name: row.codec.size for row in ROWS if isinstance(row.codec, Fixed)}
    assert (sizes["INODE_ITEM"], sizes["ROOT_ITEM"], sizes["DEV_ITEM"], SUPERBLOCK.size) == (160, 439, 98, 4096)


def test_no_offset_or_format_string_is_typed_outside_the_declarations() -> None:
    package = Path(registry.__file__).parent.parent
    for file in package.rglob("*.py"):
        if file.name != "layout.py":
            assert not re.search(r"(?<!\.)\bstruct\.(un)?pack|from struct import|\bStruct\(", file.read_text()), file


def mutated(data: st.DataObject, item: bytes) -> bytes:
    """The item as it is, cut, grown, or with a byte changed."""
    buffer = io.BytesIO(item)
    for _ in range(data.draw(st.integers(0, 3))):
        buffer.seek(data.draw(st.integers(0, len(item))))
        if data.draw(st.booleans()):
            buffer.write(data.draw(st.binary(min_size=1, max_size=1)))
        elif data.draw(st.booleans()):
            buffer.truncate()
        item = buffer.getvalue()
    return item


def values_of(codec: Any) -> st.SearchStrategy[Any]:
    """Any value that a codec can build."""
    if isinstance(codec, Raw):
        return st.binary(max_size=300) if codec.size is None else st.just(bytes(codec.size))
    if isinstance(codec, Many):
        return st.lists(values_of(codec.element), max_size=4).map(tuple)
    if isinstance(codec, ExtentData):
        return st.one_of(values_of(INLINE_EXTENT), values_of(FILE_EXTENT)).filter(
            lambda value: (value.type == 0) == (type(value) is INLINE_EXTENT.cls)
        )
    if isinstance(codec, ExtentItemCodec):
        return extent_items(skinny=codec is registry.ITEM_TYPES[169].codec)
    return fixed_values(codec)


@st.composite
def fixed_values(draw: st.DrawFn, layout: Fixed[Any]) -> Any:
    values = {field.name: draw(field_values(field)) for field in layout.fields}
    if isinstance(layout, Tailed):
        for name, stated_at, element in layout._tails:
            tail = st.binary(max_size=40) if element is None else st.lists(fixed_values(element), max_size=3).map(tuple)
            values[name] = draw(tail)
            if stated_at is not None:
                values[layout.fields[stated_at].name] = len(values[name])
    if layout in (INLINE_EXTENT, FILE_EXTENT):
        values["type"] = 0 if layout is INLINE_EXTENT else draw(st.integers(1, 255))
    return layout.cls(**values)


def field_values(field: Any) -> st.SearchStrategy[Any]:
    if field.layout is not None:
        nested = fixed_values(field.layout)
        return nested if field.repeats == 1 else st.tuples(*[nested] * field.repeats)
    if field.code.endswith("s"):
        return st.binary(min_size=field.size, max_size=field.size)
    bits = field.size * 8
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if field.code == "q" else (0, 2**bits - 1)
    return st.one_of(st.sampled_from([low, high, 0, 1]), st.integers(low, high))


@st.composite
def extent_items(draw: st.DrawFn, *, skinny: bool) -> ExtentItem:
    head = draw(fixed_values(EXTENT_HEAD))
    has_info = not skinny and bool(head.flags & 2)
    info = draw(fixed_values(TREE_BLOCK_INFO)) if has_info else None
    types = draw(st.lists(st.sampled_from(sorted(INLINE_REFS)), max_size=4))
    refs = tuple(draw(fixed_values(INLINE_REFS[number]))._replace(type=number) for number in types)
    return ExtentItem(*head, info, refs)
