"""Headers of a tar archive: what the standard library reads out of them is what was put in."""

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from pybtrfs.archive.pax import FILE, SYMLINK, Member, acl_text, header, padded, record, xattr_records

NAMES = st.binary(min_size=1, max_size=300).map(lambda name: b"./" + name.replace(b"\0", b"n").replace(b"/", b"s"))


def read(data: bytes) -> tarfile.TarInfo:
    with tarfile.open(fileobj=io.BytesIO(data + bytes(10240)), encoding="utf-8", errors="surrogateescape") as archive:
        [found] = archive.getmembers()
    return found


@given(NAMES, NAMES, st.integers(0, 2**32 - 1), st.integers(-(2**62), 2**62), st.integers(0, 0o7777))
def test_names_numbers_and_times_come_back_from_the_standard_library(
    name: bytes, target: bytes, uid: int, mtime: int, mode: int
) -> None:
    found = read(header(Member(SYMLINK, name, mode, uid, uid // 2, mtime, target=target)))
    assert found.name.encode("utf-8", "surrogateescape") == name
    assert found.linkname.encode("utf-8", "surrogateescape") == target
    assert (found.uid, found.gid, found.mode) == (uid, uid // 2, mode)
    assert abs(found.mtime - mtime / 10**9) <= abs(mtime) / 10**9 / 2**50


@given(st.integers(0, 2**50))
def test_any_size_comes_back(size: int) -> None:
    data = header(Member(FILE, b"./file", 0o644, 0, 0, 0, size=size))
    assert tarfile.TarInfo.frombuf(data[-512:], "utf-8", "strict").size == (size if size < 8**11 else 0)
    assert (b"size=%d\n" % size in data) == (size >= 8**11)


@given(st.binary(min_size=1, max_size=120), st.binary(max_size=120))
def test_a_record_begins_with_its_own_length(key: bytes, value: bytes) -> None:
    made = record(key, value)
    length, _, rest = made.partition(b" ")
    assert int(length) == len(made)
    assert rest == key + b"=" + value + b"\n"


def test_what_the_old_header_can_say_needs_no_record() -> None:
    assert len(header(Member(FILE, b"./file", 0o644, 1000, 1000, 10**18))) == 512
    assert len(header(Member(FILE, b"./file", 0o644, 1000, 1000, 10**18 + 1))) == 3 * 512


def test_attributes_are_bytes_and_their_names_are_escaped_where_a_record_ends_them() -> None:
    assert list(xattr_records([(b"user.a=b%", b"\0\n=\xff")])) == [(b"SCHILY.xattr.user.a%3Db%25", b"\0\n=\xff")]


def test_an_acl_is_text_besides_and_what_is_none_is_not() -> None:
    acl = bytes.fromhex("02000000 01000600ffffffff 02000700e8030000 04000400ffffffff 10000700ffffffff 20000000ffffffff")
    assert acl_text(acl) == b"user::rw-,user:1000:rwx,group::r--,mask::rwx,other::---"
    for wrong in (b"", b"\3\0\0\0", acl[:-1], acl[:4] + b"\x03" + acl[5:], acl[:6] + b"\x09" + acl[7:]):
        assert acl_text(wrong) is None
    name = b"system.posix_acl_access"
    assert [key for key, _ in xattr_records([(name, acl)])] == [b"SCHILY.xattr." + name, b"SCHILY.acl.access"]
    assert [key for key, _ in xattr_records([(name, b"odd")])] == [b"SCHILY.xattr." + name]


def test_padding_is_up_to_a_block() -> None:
    assert [len(padded(bytes(size))) for size in (0, 1, 512, 513)] == [0, 512, 512, 1024]
