"""Types of option values: byte counts with the suffixes K M G T P E (powers of 1024), and UUIDs."""

import re
from typing import Any

import click

from pybtrfs.ondisk.uuid import UUID_SIZE

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


IMAGE = click.Path(readable=False)
"""A path; that it can be read is for the device to say, with its own exit status."""
SIZE = _Size()
UUID = _Uuid()
