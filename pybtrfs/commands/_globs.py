r"""Patterns of file names, as fnmatch(3) reads them: * ? [a-z] [!a-z] [[:digit:]] and \ before what means itself.

A * matches slashes and leading dots, too. What is not UTF-8 in a name counts as one character a byte.
"""

import re
from collections.abc import Callable, Iterator

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": " \\t-\\r",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_SET = re.compile(r"\[(?P<no>[!^]?)(?P<items>\]?+(?:\[:\w+:\]|\\.|[^\]\\])*)\]", re.DOTALL)
_ITEM = re.compile(r"\[:(?P<name>\w+):\]|(?P<first>\\.|.)(?:-(?P<last>\\.|.))?", re.DOTALL)
_NEVER = "(?!)"


def glob_test(pattern: str, *, ignore_case: bool = False) -> Callable[[bytes], bool]:
    """What says of a name whether all of it matches; in time that is linear in the stars and the name."""
    first, *others = _segments(pattern)
    expression = first
    if others:
        expression += "".join(f"(?>.*?{part})" for part in others[:-1] if part) + f".*{others[-1]}"
    matcher = re.compile(expression, re.DOTALL | (re.IGNORECASE if ignore_case else 0))
    return lambda name: matcher.fullmatch(name.decode("utf-8", "surrogateescape")) is not None


def _segments(pattern: str) -> list[str]:
    """Regular expressions of what stands between the stars."""
    segments, at = [""], 0
    while at < len(pattern):
        char, found = pattern[at], _SET.match(pattern, at)
        at += 1
        if char == "*":
            segments.append("")
        elif char == "?":
            segments[-1] += "."
        elif char == "[" and found is not None:
            segments[-1] += _set(found["no"], found["items"])
            at = found.end()
        elif char == "\\":
            segments[-1] += re.escape(pattern[at]) if at < len(pattern) else _NEVER
            at += 1
        else:
            segments[-1] += re.escape(char)
    return segments


def _set(negated: str, items: str) -> str:
    parts = "".join(_parts(items))
    if not parts:
        return "." if negated else _NEVER
    return f"[{'^' if negated else ''}{parts}]"


def _parts(items: str) -> Iterator[str]:
    for found in _ITEM.finditer(items):
        if found["name"] is not None:
            yield _CLASSES.get(found["name"], "")
            continue
        first = found["first"][-1]
        last = first if found["last"] is None else found["last"][-1]
        if first <= last:
            yield f"{re.escape(first)}-{re.escape(last)}"
