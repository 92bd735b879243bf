"""Names on a terminal and back."""

from hypothesis import given
from hypothesis import strategies as st

from pybtrfs.commands._names import escape_name, unescape_name


@given(st.binary(max_size=40) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_what_is_shown_of_any_name_is_printable_and_can_be_typed_back(name: bytes) -> None:
    shown = escape_name(name)
    assert shown.isprintable()
    assert unescape_name(shown.encode()) == name


def test_a_name_is_shown_as_it_is_where_it_can_be() -> None:
    assert escape_name("naïve ☃ [/bold]".encode()) == "naïve ☃ [/bold]"
    assert escape_name(b"\xff\x1b[31m\\x") == r"\xff\x1b[31m\\x"
