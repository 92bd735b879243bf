"""How a structure is declared, and what is derived from the declaration.

A structure is a `NamedTuple` whose annotations give each field's width, and one line that states its
size; nothing else in the project knows an offset, a size or a format string:

    class Timespec(NamedTuple):
        sec: U64
        nsec: U32

    TIMESPEC = Fixed(Timespec, 12)

From that come `TIMESPEC.unpack_from(block, at)` and `.pack(value)` (a `struct.Struct`), the numpy dtype
for columnar scans (`dtype`), the offset of a field (`offset_of`) and the tables of docs/ONDISK.md. All
integers on disk are little-endian and nothing is aligned.

`Tailed` is a structure whose last fields have lengths that earlier fields state, `Many` repeats one to
the end of the item, `Raw` is plain bytes. Each has `parse(item bytes) -> value` and `build(value) ->
item bytes`, which are inverse; `parse` raises `CorruptError` where the bytes do not fit. These are not
construct declarations: a typed tuple checks under `mypy --strict`, reads twenty times as fast, and
importing construct alone would take a third of what a whole `uuid lookup` may.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple, Protocol, TypeVar, cast

from pybtrfs.errors import CorruptError

if TYPE_CHECKING:
    import numpy as np

_AT_ONCE = 64  # a compiled struct takes memory for each field: a few short ones, not one for each length
Buffer = bytes | bytearray | memoryview
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

U8 = Annotated[int, "B"]
U16 = Annotated[int, "H"]
U32 = Annotated[int, "I"]
U64 = Annotated[int, "Q"]
S64 = Annotated[int, "q"]
Uuid = Annotated[bytes, "16s"]


class Times(NamedTuple):
    """Annotation of a field that repeats a declared structure a fixed number of times."""

    times: int


class Length(NamedTuple):
    """Annotation of a tail: `field` states how many bytes, or how many structures, it has."""

    field: str


class Rest(NamedTuple):
    """Annotation of a tail that takes what is left of the item."""


class Codec(Protocol[T_co]):
    """Reads one item's bytes as a value and writes them back."""

    @property
    def name(self) -> str: ...
    def parse(self, data: Buffer) -> T_co: ...
    def build(self, value: Any) -> bytes: ...


class Field(NamedTuple):
    """One field of a declared structure: where it stands, in bytes, and what it is."""

    name: str
    offset: int
    size: int
    code: str  # the struct code, or "" where the field is a structure
    layout: "Fixed[Any] | None"
    repeats: int  # how many structures follow each other


def maker(cls: type[T]) -> Callable[[Iterable[Any]], T]:
    """What makes a named tuple of as many values as it has fields: its `_make`, which would count them once more."""
    return cast(Callable[[Iterable[Any]], T], partial(tuple.__new__, cls))


class Fixed(Generic[T]):
    """A structure of one size. `forms` are other sizes in which it occurs, as a prefix of this one."""

    def __init__(self, cls: type[T], size: int, *, forms: Sequence[int] = ()) -> None:
        self.cls, self.size, self.forms = cls, size, (*forms, size)
        self.name = cls.__name__
        self.tails: dict[str, Any] = {}
        self.fields = tuple(self._declared())
        self.struct = struct.Struct("<" + "".join(_codes(self)))
        assert self.struct.size == size, f"{self.name} is declared with {self.struct.size} bytes, not {size}"
        self._make = maker(cls)
        self._names = tuple(_flat_names(self))
        self._runs = tuple(_runs(self))
        self._flat = all(make is None for _, make in self._runs)
        _LAYOUTS[cls] = self

    def unpack_from(self, buffer: Buffer, at: int = 0) -> T:
        """The value at byte `at`; `struct.error` where the buffer is too short."""
        flat = self.struct.unpack_from(buffer, at)
        return self._made(flat)

    def iter_unpack(self, buffer: Buffer) -> Iterator[T]:
        """The values that follow each other in a buffer of a whole number of them."""
        flats = self.struct.iter_unpack(buffer)
        return map(self._made, flats)

    def unpack_many(self, buffer: Buffer, at: int, times: int) -> list[Any]:
        """The flat fields of `times` of these in a row: a whole leaf's at once, for `pick`."""
        flat: list[Any] = []
        for done in range(0, times, _AT_ONCE):
            part = _repeated(self.struct.format, min(_AT_ONCE, times - done))
            flat += part.unpack_from(buffer, at + done * self.size)
        return flat

    def pack_many_into(self, buffer: bytearray, at: int, flat: Sequence[Any]) -> None:
        """Write what `unpack_many` reads."""
        width = len(self._names)
        for done in range(0, len(flat) // width, _AT_ONCE):
            part = flat[done * width : (done + _AT_ONCE) * width]
            _repeated(self.struct.format, len(part) // width).pack_into(buffer, at + done * self.size, *part)

    def pick(self, flat: Sequence[Any], name: str) -> Sequence[Any]:
        """One field of all, out of what `unpack_many` has read; dots reach into nested structures."""
        return flat[self._names.index(name) :: len(self._names)]

    def pack(self, value: T) -> bytes:
        return self.struct.pack(*(value if self._flat else self._flatten(value)))  # type: ignore[misc]

    def parse(self, data: Buffer) -> T:
        if len(data) == self.size:
            return self.unpack_from(data)
        if len(data) not in self.forms:
            expected = " or ".join(map(str, self.forms))
            raise CorruptError(f"{self.name} has {len(data)} bytes, expected {expected}")
        return self.unpack_from(bytes(data).ljust(self.size, b"\0"))

    def build(self, value: T, size: int | None = None) -> bytes:
        """The bytes of `value`, of the form with `size` bytes (the longest unless given)."""
        data = self.pack(value)
        return data if size is None else data[:size]

    def offset_of(self, name: str) -> int:
        """Offset in bytes of a field from the structure's start; dots reach into nested ones."""
        head, _, rest = name.partition(".")
        field = next(field for field in self.fields if field.name == head)
        return field.offset + (field.layout.offset_of(rest) if rest and field.layout else 0)

    @cached_property
    def dtype(self) -> "np.dtype[Any]":
        """The numpy dtype: same fields, derived by width."""
        import numpy as np  # noqa: PLC0415  start-up

        return np.dtype([(field.name, _numpy_type(field)) for field in self.fields])

    def _declared(self) -> Iterator[Field]:
        at = 0
        for name, annotation in self.cls.__annotations__.items():
            kind = getattr(annotation, "__metadata__", (annotation,))[0]
            if isinstance(kind, Length | Rest):
                self.tails[name] = (kind, _element(annotation))
                continue
            layout = _element(annotation) if isinstance(kind, Times) else _LAYOUTS.get(kind)
            repeats = kind.times if isinstance(kind, Times) else 1
            code = kind if layout is None else ""
            size = layout.size * repeats if layout else struct.calcsize("<" + code)
            yield Field(name, at, size, code, layout, repeats)
            at += size

    def _nest(self, flat: Sequence[Any]) -> list[Any]:
        """The values of the fields, nested structures made, from the struct's flat ones."""
        values: list[Any] = []
        for run, make in self._runs:
            if make is None:
                values += flat[run]
            else:
                values.append(make(flat[run]))
        return values

    def _made(self, flat: Sequence[Any]) -> T:
        return self._make(flat if self._flat else self._nest(flat))

    def _flatten(self, value: Any) -> Iterator[Any]:
        for field, part in zip(self.fields, value, strict=False):
            if field.layout is None:
                yield part
            elif isinstance(self.cls.__annotations__[field.name], type):
                yield from field.layout._flatten(part)
            else:
                for one in part:
                    yield from field.layout._flatten(one)


class Tailed(Fixed[T]):
    """A structure of which `size` bytes are fixed and the last fields have stated lengths."""

    def read(self, data: Buffer, at: int, end: int) -> tuple[T, int]:
        """The value at byte `at` of an item that ends at byte `end`, and where it ends itself."""
        if end - at < self.size:
            raise CorruptError(f"{self.name} at byte {at}: {end - at} bytes left, expected {self.size}")
        values = self._nest(self.struct.unpack_from(data, at))
        at += self.size
        for name, stated_at, layout in self._tails:
            stated = end - at if stated_at is None else values[stated_at]
            behind = at + (stated * layout.size if layout else stated)
            if behind > end:
                raise CorruptError(f"{self.name}.{name} of {behind - at} bytes at byte {at}: {end - at} bytes left")
            piece = bytes(data[at:behind])
            values.append(tuple(layout.iter_unpack(piece)) if layout else piece)
            at = behind
        return self._make(values), at

    def parse(self, data: Buffer) -> T:
        value, end = self.read(data, 0, len(data))
        if end != len(data):
            raise CorruptError(f"{self.name} ends at byte {end}, its item at {len(data)}")
        return value

    def pack(self, value: T) -> bytes:
        parts: Sequence[Any] = value  # type: ignore[assignment]
        data = self.struct.pack(*self._flatten(parts))
        for (name, stated_at, layout), tail in zip(self._tails, parts[len(self.fields) :], strict=True):
            stated = stated_at is None or parts[stated_at] == len(tail)
            assert stated, f"{self.name}.{name} is not as long as stated"
            data += b"".join(map(layout.pack, tail)) if layout else tail
        return data

    @cached_property
    def _tails(self) -> list[tuple[str, int | None, Fixed[Any] | None]]:
        """Each tail's name, the index of the field that states its length (None: the rest), its structure."""
        names = [field.name for field in self.fields]
        return [
            (name, names.index(kind.field) if isinstance(kind, Length) else None, layout)
            for name, (kind, layout) in self.tails.items()
        ]


class Many(Generic[T]):
    """One structure after the other, up to the end of the item."""

    def __init__(self, element: Fixed[T]) -> None:
        self.element = element
        self.name = element.name

    def parse(self, data: Buffer) -> tuple[T, ...]:
        if not isinstance(self.element, Tailed):
            if len(data) % self.element.size:
                raise CorruptError(f"{self.name}: {len(data)} bytes, not a multiple of {self.element.size}")
            return tuple(self.element.iter_unpack(data))
        values, at = [], 0
        while at < len(data):
            value, at = self.element.read(data, at, len(data))
            values.append(value)
        return tuple(values)

    def build(self, values: Sequence[T]) -> bytes:
        return b"".join(map(self.element.pack, values))


class Raw:
    """Bytes with no structure of their own; `size` where the format fixes how many."""

    def __init__(self, name: str, size: int | None = None) -> None:
        self.name, self.size = name, size

    def parse(self, data: Buffer) -> bytes:
        if self.size is not None and len(data) != self.size:
            raise CorruptError(f"{self.name} has {len(data)} bytes, expected {self.size}")
        return bytes(data)

    def build(self, value: bytes) -> bytes:
        return value


_LAYOUTS: dict[Any, Fixed[Any]] = {}


def _codes(layout: Fixed[Any]) -> Iterator[str]:
    for field in layout.fields:
        for _ in range(field.repeats):
            if field.layout:
                yield from _codes(field.layout)
            else:
                yield field.code


def _flat_names(layout: Fixed[Any], prefix: str = "") -> Iterator[str]:
    for field in layout.fields:
        for _ in range(field.repeats):
            if field.layout:
                yield from _flat_names(field.layout, f"{prefix}{field.name}.")
            else:
                yield prefix + field.name


def _runs(layout: Fixed[Any]) -> Iterator[tuple[slice, Callable[[Sequence[Any]], Any] | None]]:
    """Slices of the flat values: runs of plain fields, and what makes each nested structure of its own."""
    start = at = 0
    for field in layout.fields:
        if field.layout is None:
            at += 1
            continue
        if start < at:
            yield slice(start, at), None
        width = len(field.layout._names)
        nested = isinstance(layout.cls.__annotations__[field.name], type)
        made = field.layout._make if field.layout._flat else field.layout._made
        yield slice(at, at + width * field.repeats), made if nested else partial(_several, field.layout)
        start = at = at + width * field.repeats
    if start < at:
        yield slice(start, at), None


def _several(layout: Fixed[Any], flat: Sequence[Any]) -> tuple[Any, ...]:
    width = len(layout._names)
    return tuple(layout._made(flat[at : at + width]) for at in range(0, len(flat), width))


@lru_cache(maxsize=512)
def _repeated(code: str, times: int) -> struct.Struct:
    return struct.Struct("<" + code.lstrip("<") * times)


def _element(annotation: Any) -> "Fixed[Any] | None":
    """The layout of S in `Annotated[tuple[S, ...], …]`; None for bytes."""
    arguments = getattr(annotation.__origin__, "__args__", ())
    return _LAYOUTS[arguments[0]] if arguments else None


def _numpy_type(field: Field) -> Any:
    if field.layout is None:
        kind = {"q": "<i"}.get(field.code, "<u" if len(field.code) == 1 else "V")
        return f"{kind}{field.size}"
    return field.layout.dtype if field.repeats == 1 else (field.layout.dtype, field.repeats)
