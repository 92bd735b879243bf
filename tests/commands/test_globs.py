"""Patterns of names against the C library's fnmatch, which GNU find uses."""

import ctypes
import ctypes.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybtrfs.commands._globs import glob_test

_LIBC = ctypes.CDLL(ctypes.util.find_library("c") or None)
_IGNORE_CASE = 1 << 4  # glibc's FNM_CASEFOLD

patterns = st.text(st.sampled_from("ab*?[]!^\\:."), max_size=8) | st.lists(
    st.sampled_from(
        ["[ab]", "[!a]", "[^b]", "[a-c]", "[]a]", "[!]]", "[[:alpha:]x]", "[\\]]", "*", "?", "a", ".", "\\*"]
    ),
    max_size=5,
).map("".join)


@given(patterns, st.text(st.sampled_from("abAB*?[]-\\.x:"), max_size=6), st.booleans())
def test_patterns_match_what_the_c_library_matches(pattern: str, name: str, ignore_case: bool) -> None:
    if any(odd in pattern for odd in ("[:", "[.", "[=")) and "[[:alpha:]" not in pattern:
        return  # the C library takes the beginning of a class that does not end for an error
    flags = _IGNORE_CASE if ignore_case else 0
    wanted = _LIBC.fnmatch(pattern.encode(), name.encode(), flags) == 0
    assert glob_test(pattern, ignore_case=ignore_case)(name.encode()) == wanted


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", b"", True),
        ("*", b"a\nb/c", True),
        ("?", "☃".encode(), True),
        ("?\udcff", b"x\xff", True),
        ("[[:digit:]]*[[:upper:]]", b"1xY", True),
        ("[z-a]", b"m", False),
        ("[", b"[", True),
        ("a\\", b"a\\", False),
        ("[!a]", b"\n", True),
        ("[&&~]", b"&", True),
    ],
)
def test_a_pattern_takes_lines_bytes_and_characters(pattern: str, name: bytes, matches: bool) -> None:
    assert glob_test(pattern)(name) is matches


def test_many_stars_take_no_time_that_grows_with_their_number() -> None:
    assert not glob_test("*a" * 30 + "b")(b"a" * 5000)
