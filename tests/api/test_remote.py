"""Images behind a web server on the loopback: what is read and how much of it, and what is said when it fails."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import fsspec
import pytest
from rangeserver import RangeServer, serving

import pybtrfs

GIB = 1 << 30


@pytest.fixture(scope="module")
def server(image: Path) -> Iterator[RangeServer]:
    os.truncate(image, GIB)  # what is behind the filesystem is a hole
    with serving(image) as made:
        yield made


@pytest.fixture
def well(server: RangeServer) -> Iterator[RangeServer]:
    """The server, with its faults gone at the end, and nothing counted."""
    server.requests = server.sent = 0
    yield server
    server.ranges = server.tells_size = True
    server.breaks = server.short = False
    server.status = None


def command(*words: str) -> tuple[int, str, str]:
    """`pybtrfs WORDS` in a process of its own: exit status, output, errors."""
    made = subprocess.run(
        [sys.executable, "-m", "pybtrfs", *words], capture_output=True, text=True, check=False, timeout=60
    )
    return made.returncode, made.stdout, made.stderr


def test_listing_and_reading_a_small_file_of_a_large_image_reads_little_of_it(well: RangeServer) -> None:
    with pybtrfs.open(well.url) as fs:
        assert [entry.stat().st_size for entry in fs.scandir("home")] == [33, 265_000, 70_000, 33, 33]
        assert fs.read_bytes("home/notes").startswith(b"a small file")
        assert well.sent <= 512 * 1024
        assert well.requests <= 8
        before = well.sent
        assert len(fs.read_bytes("home/random")) == 70_000
        assert well.sent - before <= 3 * 65_536
        before = well.requests
        assert sum(1 for _ in fs.scantree()) == 32
        fs.read_bytes("home/random")
        assert well.requests - before <= 4


def test_the_same_through_fsspec(well: RangeServer) -> None:
    with fsspec.open(f"btrfs://home/notes::{well.url}") as file:
        assert file.read().startswith(b"a small file")
    assert well.sent <= 512 * 1024


def test_commands_take_urls_and_paths_behind_them(well: RangeServer, image: Path) -> None:
    assert command("subvolume", "list", f"{well.url}:/home") == command("subvolume", "list", f"{image}:/home")
    status, _, errors = command("subvolume", "list", f"{well.url}:/home/none")
    assert (status, errors) == (1, f"pybtrfs: {well.url}: /home/none: no such file or directory\n")
    status, output, _ = command("inspect", "dump-super", well.url)
    assert (status, "made-by-the-kernel" in output) == (0, True)
    well.ranges = False
    status, output, errors = command("subvolume", "list", well.url)
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith(f"pybtrfs: {well.url}: cannot read at 65536: The HTTP server doesn't")
    assert command("mkfs", well.url)[0] == 1


def no_ranges(server: RangeServer) -> None:
    server.ranges = False


def unknown_size(server: RangeServer) -> None:
    server.tells_size = False


def breaks(server: RangeServer) -> None:
    server.breaks = True


def short(server: RangeServer) -> None:
    server.short = True


def unavailable(server: RangeServer) -> None:
    server.status = HTTPStatus.SERVICE_UNAVAILABLE


Fault = Callable[[RangeServer], None]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (no_ranges, "cannot read at 65536: The HTTP server doesn't appear to support range requests"),
        (unknown_size, "cannot open: the server does not say how long it is"),
        (breaks, "cannot read at 65536: "),
        (short, "ends at 131071, 1 more bytes expected"),
        (unavailable, "cannot open: the server answers 503 Service Unavailable"),
    ],
)
def test_a_server_that_does_not_serve_is_one_line(well: RangeServer, fault: Fault, says: str) -> None:
    fault(well)
    with pytest.raises(pybtrfs.DeviceError) as caught:
        pybtrfs.open(well.url)
    assert str(caught.value).startswith(f"{well.url}: {says}")
    assert "\n" not in str(caught.value)
    assert well.sent < 16 << 20  # what the kernel's buffers took of a body that nobody wanted


def test_a_file_that_is_not_there_and_a_server_that_is_not_are_one_line(well: RangeServer) -> None:
    with pytest.raises(pybtrfs.DeviceError, match=r"/imagex: cannot open: the server answers 404 Not Found$"):
        pybtrfs.open(f"{well.url}x")
    with pytest.raises(pybtrfs.DeviceError, match=r"9/x: cannot open: Cannot connect to host 127\.0\.0\.1:9"):
        pybtrfs.open("http://127.0.0.1:9/x")


@pytest.mark.parametrize("fault", [breaks, short, unavailable])
def test_a_server_that_fails_later_is_not_taken_for_damage(well: RangeServer, fault: Fault) -> None:
    with pybtrfs.open(well.url) as fs:
        fault(well)
        told = list[str]()
        with pytest.raises(pybtrfs.UnreachableError, match=f"^{well.url}: "):
            list(fs.scantree("/", lambda error: told.append(str(error))))
        assert told == []
        well.breaks = well.short = False
        well.status = None
        assert sum(1 for _ in fs.scantree()) == 32
