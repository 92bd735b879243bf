"""Which files are wanted: globs that include and exclude, and the regular expression of `btrfs restore`.

A glob without a slash is compared with names, wherever they are; one with a slash with whole paths from the start,
where `*` and `?` stop at slashes and `**` does not. What `exclude` matches is left out with all below it. Where
there is any `include`, only what matches one is wanted, all that is below such a directory, and the way there.

`path_regex` is compared with each path, which begins with a slash; a directory that does not match is left out with
all below it.
"""

import re
from collections.abc import Iterable
from enum import Enum

_SPECIAL = re.compile(r"(\*\*/?|\*|\?|\[!?\]?[^\]]*\])", re.DOTALL)


class Verdict(Enum):
    """What becomes of a file or directory."""

    WANTED = "wanted"
    ON_THE_WAY = "on the way"  # a directory that is made only if something below it is wanted
    LEFT_OUT = "left out"  # with all below it


class Selection:
    """The files that are wanted; by default all. Raises `ValueError` for a pattern that cannot be meant."""

    def __init__(
        self,
        include: Iterable[bytes] = (),
        exclude: Iterable[bytes] = (),
        path_regex: bytes | None = None,
        *,
        ignore_case: bool = False,
    ) -> None:
        self._include, self._exclude = _matcher(include), _matcher(exclude)
        try:
            self._regex = None if path_regex is None else re.compile(path_regex, re.IGNORECASE if ignore_case else 0)
        except re.error as error:
            raise ValueError(f"the regular expression cannot be meant: {error}") from None
        self.takes_all = not (self._include or self._exclude or self._regex)

    def judge(self, path: bytes, *, is_directory: bool) -> Verdict:
        """What becomes of what is at `path`, which has no slash in front."""
        if self._exclude and self._exclude.fullmatch(path):
            return Verdict.LEFT_OUT
        if self._regex and not self._regex.search(b"/" + path):
            return Verdict.LEFT_OUT
        if not self._include or self._included(path):
            return Verdict.WANTED
        return Verdict.ON_THE_WAY if is_directory else Verdict.LEFT_OUT

    def _included(self, path: bytes) -> bool:
        """Whether it, or a directory above it, is included."""
        assert self._include is not None, "asked only where there is one"
        while path:
            if self._include.fullmatch(path):
                return True
            path = path.rpartition(b"/")[0]
        return False


def _matcher(globs: Iterable[bytes]) -> re.Pattern[bytes] | None:
    found = [_regex(glob) for glob in globs]
    try:
        return re.compile(b"|".join(found), re.DOTALL) if found else None
    except re.error as error:
        raise ValueError(f"the pattern cannot be meant: {error}") from None


def _regex(glob: bytes) -> bytes:
    """The regular expression for whole paths that a glob stands for."""
    text = glob.decode("latin-1")
    parts = "".join(map(_part, _SPECIAL.split(text.strip("/"))))
    prefix = "" if "/" in text.rstrip("/") else "(?:.*/)?"
    return f"(?:{prefix}{parts})".encode("latin-1")


def _part(part: str) -> str:
    plain = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if part in plain:
        return plain[part]
    if part.startswith("[") and len(part) > 2:
        inside = part[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        return f"(?!/)[{'^' + inside[1:] if inside.startswith('!') else inside}]"
    return re.escape(part)
