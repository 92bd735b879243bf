r"""Names of files on a terminal, and back: what cannot be shown is \xNN, byte by byte, and a backslash is doubled.

What was shown can be typed back. A path is first taken as it is typed, so that scripts need not double anything;
only where nothing has that name are the escapes read.
"""

import os
import re

_ESCAPE = re.compile(rb"\\(\\|x[0-9a-fA-F]{2})")


def escape_name(name: bytes) -> str:
    """A name or path as text that is safe on a terminal, and that `unescape_name` reads."""
    text = name.replace(b"\\", b"\\\\").decode("utf-8", "surrogateescape")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def unescape_name(typed: bytes) -> bytes:
    """The name that is shown as `typed`."""
    return _ESCAPE.sub(lambda found: _byte(found[1]), typed)


def _escaped(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(char))


def _byte(escape: bytes) -> bytes:
    return escape if escape == b"\\" else bytes.fromhex(escape[1:].decode())
