"""Writing to the host: nothing outside the target, whatever it held before; depth; what new files get."""

import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybtrfs import host
from pybtrfs.errors import HostError
from pybtrfs.host import Attributes, Descent, Directory

PLAIN = Attributes(0o644, (1_000_000_001, 2_000_000_002))


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def unheard(text: str) -> None:
    raise AssertionError(text)


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Directory]:
    (tmp_path / "top").mkdir()
    (tmp_path / "outside").mkdir()
    directory = host.open_target(os.fsencode(tmp_path / "top"))
    yield directory
    directory.close()


def make(directory: Directory, name: bytes, content: bytes = b"x", attributes: Attributes = PLAIN) -> None:
    fd, as_made = directory.create(name, attributes)
    host.write(fd, content, 0)
    host.settle(fd, attributes, unheard, as_made=as_made)
    os.close(fd)


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/etc", b"../x", b"a\0b"])
def test_what_is_no_single_name_is_refused_by_every_call(top: Directory, name: bytes) -> None:
    calls = (
        lambda: top.make_directory(name),
        lambda: top.enter(name),
        lambda: top.create(name, PLAIN),
        lambda: top.make_symlink(name, b"target", PLAIN, unheard),
        lambda: top.make_node(name, stat.S_IFIFO, (0, 0), PLAIN, unheard),
        lambda: top.link(name, top, b"a"),
        lambda: top.link(b"a", top, name),
        lambda: top.remove(name),
        lambda: top.stat(name),
    )
    for call in calls:
        with pytest.raises(HostError, match="cannot be a name"):
            call()


@pytest.mark.parametrize("target", ["../outside", "../outside/new", "/dev/null", "nowhere"])
def test_a_symbolic_link_that_is_there_is_never_followed(top: Directory, tmp_path: Path, target: str) -> None:
    (tmp_path / "top" / "name").symlink_to(target)
    calls = (
        lambda: top.create(b"name", PLAIN),
        lambda: top.make_directory(b"name"),
        lambda: top.enter(b"name"),
        lambda: top.make_symlink(b"name", b"x", PLAIN, unheard),
        lambda: top.make_node(b"name", stat.S_IFIFO, (0, 0), PLAIN, unheard),
    )
    for call in calls:
        with pytest.raises(HostError):
            call()
    assert list((tmp_path / "outside").iterdir()) == []
    top.remove(b"name")
    make(top, b"name", b"content")
    assert (tmp_path / "top" / "name").read_bytes() == b"content"


def test_a_hard_link_to_a_symbolic_link_is_to_the_link_itself(top: Directory, tmp_path: Path) -> None:
    (tmp_path / "outside" / "secret").write_text("secret")
    (tmp_path / "top" / "link").symlink_to("../outside/secret")
    top.link(b"again", top, b"link")
    assert (tmp_path / "top" / "again").is_symlink()


def test_a_file_gets_mode_times_and_attributes(top: Directory, tmp_path: Path) -> None:
    make(
        top,
        b"file",
        b"content",
        Attributes(0o4711, (-1_500_000_000, 4_102_444_800_123_456_789), None, [(b"user.a", b"\0")]),
    )
    found = (tmp_path / "top" / "file").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_mtime_ns) == (0o4711, 4_102_444_800_123_456_789)
    assert os.getxattr(tmp_path / "top" / "file", "user.a") == b"\0"


@pytest.mark.parametrize("mode", [0o000, 0o400, 0o666, 0o777, 0o1640, 0o2755])
def test_the_mode_is_that_which_was_asked_for_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    for umask in (0, 0o022, 0o077, 0o777):
        before = os.umask(umask)
        try:
            (tmp_path / f"{umask}").mkdir(mode=0o700)
            (tmp_path / f"{umask}").chmod(0o700)
            top = host.open_target(os.fsencode(tmp_path / f"{umask}"))
        finally:
            os.umask(before)
        before = os.umask(umask)
        make(top, b"file", b"", PLAIN._replace(mode=mode))
        top.make_node(b"fifo", stat.S_IFIFO, (0, 0), PLAIN._replace(mode=mode), unheard)
        os.umask(before)
        for name in ("file", "fifo"):
            assert stat.S_IMODE((tmp_path / f"{umask}" / name).stat().st_mode) == mode
        top.close()


def test_acls_and_groups_of_the_target_are_not_inherited(tmp_path: Path) -> None:
    acl = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHi", *entry) for entry in ((1, 7, -1), (2, 7, 4242), (4, 5, -1), (16, 7, -1), (32, 0, -1))
    )
    try:
        os.setxattr(tmp_path, "system.posix_acl_default", acl)
    except OSError:
        pytest.skip("the folder of this test takes no ACLs")
    descent = Descent(host.open_target(os.fsencode(tmp_path)))
    make(descent.here, b"file")
    assert descent.here.make_directory(b"folder")
    descent.enter(b"folder", is_new=True)
    make(descent.here, b"below")
    descent.leave(PLAIN._replace(mode=0o755), unheard)
    descent.close()
    for name, mode in (("file", 0o644), ("folder", 0o755), ("folder/below", 0o644)):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode
        assert not [key for key in os.listxattr(tmp_path / name) if "acl" in key]


def test_directories_far_deeper_than_a_path_may_be_long_take_few_descriptors(tmp_path: Path) -> None:
    depth, name = 1000, b"n" * 200
    descent = Descent(host.open_target(os.fsencode(tmp_path)))
    before = descriptors()
    for _ in range(depth):
        assert descent.here.make_directory(name)
        descent.enter(name, is_new=True)
    make(descent.here, b"file")
    source = (*descent.names, b"file")
    assert descriptors() - before < 100
    for _ in range(depth):
        descent.leave(PLAIN._replace(mode=0o700), unheard)
    descent.link(b"far away", source)
    assert descent.here.fd == descent.top.fd
    descent.close()
    assert (tmp_path / "far away").stat().st_nlink == 2
    assert (tmp_path / os.fsdecode(name)).stat().st_mtime_ns == PLAIN.times[1]
    os.system(f"rm -r '{tmp_path}'/*")


def test_a_directory_that_was_moved_away_is_not_gone_back_through(tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    (tmp_path / "outside").mkdir()
    descent = Descent(host.open_target(os.fsencode(tmp_path / "top")))
    for number in range(100):
        descent.here.make_directory(b"%d" % number)
        descent.enter(b"%d" % number)
    deep = tmp_path.joinpath("top", *map(str, range(30)))
    deep.rename(tmp_path / "outside" / "moved")
    with pytest.raises(HostError, match="moved away"):
        [descent.leave(None, unheard) for _ in range(100)]
    descent.close()


def test_what_the_host_does_not_take_is_told_and_the_rest_is_set(top: Directory, tmp_path: Path) -> None:
    told: list[str] = []
    fd, _ = top.create(b"file", PLAIN)
    host.settle(fd, PLAIN._replace(mode=0o600, xattrs=[(b"nonsense.a", b""), (b"user.b", b"1")]), told.append)
    os.close(fd)
    assert len(told) == 1
    assert "nonsense.a" in told[0]
    assert os.getxattr(tmp_path / "top" / "file", "user.b") == b"1"


def test_times_and_sizes_beyond_all_measure_are_told_not_raised_as_tracebacks(top: Directory) -> None:
    told: list[str] = []
    fd, _ = top.create(b"file", PLAIN)
    host.settle(fd, PLAIN._replace(times=(2**63 * 10**9, 0)), told.append)
    with pytest.raises(HostError):
        host.set_size(fd, 2**64)
    with pytest.raises(HostError):
        host.set_size(fd, 2**63 - 1)
    os.close(fd)
    assert told
    with pytest.raises(HostError):
        top.make_node(b"device", stat.S_IFCHR, (2**40, 1), PLAIN, unheard)
