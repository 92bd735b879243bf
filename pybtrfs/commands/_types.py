"""Types of option values: byte counts with the suffixes K M G T P E (powers of 1024), UUIDs, orders of rows."""

import os
import re
from typing import TYPE_CHECKING, Any

import click

from pybtrfs.ondisk.uuid import UUID_SIZE

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_SUFFIXES: dict[str, int] = {suffix: 1024**power for power, suffix in enumerate("BKMGTPE")}
_FORM = re.compile(r"([0-9]+)([BKMGTPE]?)(?:I?B)?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """The number of bytes that `text` says; `ValueError` where it says none."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"'{text}' is not a size (a number, with K M G T P E for powers of 1024)")
    size = int(match[1]) * _SUFFIXES[match[2].upper() or "B"]
    if size >= 2**64:
        raise ValueError(f"'{text}' is larger than 64 bits hold")
    return size


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return int(value)
        try:
            return parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Number(click.ParamType[int]):
    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(str(value), 0)
        except ValueError:
            number = -1
        if not 0 <= number < 2**64:
            self.fail(f"'{value}' is not a number of up to 64 bits (decimal, or hexadecimal behind 0x)", param, ctx)
        return number


class _Uuid(click.ParamType[bytes]):
    name = "uuid"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        digits = str(value).removeprefix("urn:uuid:").strip("{}").replace("-", "")
        try:
            uuid = bytes.fromhex(digits)
        except ValueError:
            uuid = b""
        if len(uuid) != UUID_SIZE:
            self.fail(f"'{value}' is not a UUID (32 hexadecimal digits)", param, ctx)
        return uuid


class _Bytes(click.ParamType[bytes]):
    """What was typed, byte by byte."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        return os.fsencode(value)


class SortOrder(click.ParamType[list[tuple[str, bool]]]):
    """Names of columns parted by commas, each with + or - in front: pairs of a name and whether it descends."""

    name = "columns"

    def __init__(self, *names: str) -> None:
        self.names = names

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"[+|-]{'|'.join(self.names)},..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[tuple[str, bool]]:
        if isinstance(value, list):
            return value
        keys = [(part.removeprefix("-").removeprefix("+"), part.startswith("-")) for part in str(value).split(",")]
        for name, _ in keys:
            if name not in self.names:
                self.fail(f"'{name}' is none of {', '.join(self.names)}", param, ctx)
        return keys

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem  # noqa: PLC0415  start-up

        before = incomplete[: len(incomplete) - len(incomplete.rpartition(",")[2].lstrip("+-"))]
        names = (before + name for name in self.names)
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


IMAGE = click.Path(readable=False)
"""A path; that it can be read is for the device to say, with its own exit status."""
SIZE = _Size()
NUMBER = _Number()
UUID = _Uuid()
BYTES = _Bytes()
