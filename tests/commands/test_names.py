"""Names on a terminal and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybtrfs.commands._image import split_place
from pybtrfs.commands._names import escape_name, unescape_name


@given(st.binary(max_size=40) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_what_is_shown_of_any_name_is_printable_and_can_be_typed_back(name: bytes) -> None:
    shown = escape_name(name)
    assert shown.isprintable()
    assert unescape_name(shown.encode()) == name


def test_a_name_is_shown_as_it_is_where_it_can_be() -> None:
    assert escape_name("naïve ☃ [/bold]".encode()) == "naïve ☃ [/bold]"
    assert escape_name(b"\xff\x1b[31m\\x") == r"\xff\x1b[31m\\x"


@pytest.mark.parametrize(
    ("typed", "image", "path"),
    [
        ("disk.img", "disk.img", "/"),
        ("disk.img:/", "disk.img", "/"),
        ("disk.img:/a:/b", "disk.img", "/a:/b"),
        ("disk.img://etc", "disk.img", "//etc"),
        ("disk.img:/mirror/https://host", "disk.img", "/mirror/https://host"),
        ("a\nb:/c", "a\nb", "/c"),
        ("/dev/disk/by-path/pci-0000:00:1f.2", "/dev/disk/by-path/pci-0000:00:1f.2", "/"),
        ("/dev/disk/by-path/pci-0000:00:1f.2:/x", "/dev/disk/by-path/pci-0000:00:1f.2", "/x"),
        ("https://host:8080/disk.img", "https://host:8080/disk.img", "/"),
        ("https://host:8080/disk.img:/etc", "https://host:8080/disk.img", "/etc"),
        ("zip://disk.img::https://host/a.zip:/etc", "zip://disk.img::https://host/a.zip", "/etc"),
        ("simplecache::s3://bucket/disk.img:/", "simplecache::s3://bucket/disk.img", "/"),
        ("./disk://etc", "./disk", "//etc"),
    ],
)
def test_a_place_is_split_at_the_first_colon_and_slash_that_are_not_those_of_a_url(
    typed: str, image: str, path: str
) -> None:
    assert split_place(typed) == (image, path.encode())
