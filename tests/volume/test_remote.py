"""Images behind file objects and fsspec: what is read is right, kept within bounds, and fetched no more than needed."""

import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybtrfs.errors import DeviceError, UnreachableError, UnsupportedError
from pybtrfs.volume import remote
from pybtrfs.volume.remote import BLOCK_BYTES, FileObjectDevice, RemoteDevice

SIZE = 40 * BLOCK_BYTES + 17
CONTENT = b"".join(number.to_bytes(4, "big") for number in range(SIZE // 4 + 1))[:SIZE]


@pytest.fixture(scope="module", autouse=True)
def content() -> Iterator[None]:
    memory = fsspec.filesystem("memory")
    memory.pipe("/image", CONTENT)
    yield
    memory.rm("/image")


ranges = st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, 5 * BLOCK_BYTES)), max_size=20)


@given(reads=ranges, blocks=st.integers(1, 50))
def test_any_reads_give_the_bytes_and_keep_no_more_than_the_bound(reads: list[tuple[int, int]], blocks: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote, "CACHE_BYTES", blocks * BLOCK_BYTES)
        device = RemoteDevice.at("memory://image")
        for offset, length in reads:
            length = min(length, SIZE - offset)
            assert device.read(offset, length) == CONTENT[offset : offset + length]
            assert sum(map(len, device._cache.values())) <= max(blocks, 1) * BLOCK_BYTES
        assert (device.name, device.size) == ("memory://image", SIZE)
        device.close()


def test_a_small_read_fetches_one_block_and_the_second_nothing() -> None:
    device = RemoteDevice.at("memory://image")
    assert device.read(3 * BLOCK_BYTES + 5, 100) == CONTENT[3 * BLOCK_BYTES + 5 :][:100]
    assert (device.requests, device.bytes_read) == (1, BLOCK_BYTES)
    device.read(4 * BLOCK_BYTES - 10, 10)
    assert (device.requests, device.bytes_read) == (1, BLOCK_BYTES)
    device.read(SIZE - 1, 1)
    assert (device.requests, device.bytes_read) == (2, BLOCK_BYTES + 17)


def test_reads_in_a_row_fetch_more_and_more_ahead_and_nothing_twice() -> None:
    device = RemoteDevice.at("memory://image")
    for offset in range(0, SIZE, 4096):
        device.read(offset, min(4096, SIZE - offset))
    assert device.bytes_read == SIZE
    assert device.requests <= 6


def test_two_rows_of_reads_side_by_side_are_both_seen() -> None:
    device = RemoteDevice.at("memory://image")
    for number in range(16):
        device.read(number * BLOCK_BYTES, 10)
        device.read((number + 20) * BLOCK_BYTES, 10)
    assert device.requests <= 10


def test_reads_beyond_the_end_and_writes_are_refused() -> None:
    for device in (RemoteDevice.at("memory://image"), FileObjectDevice(io.BytesIO(CONTENT))):
        for offset, length in ((-1, 1), (SIZE, 1), (0, SIZE + 1)):
            with pytest.raises(DeviceError, match=f"end after the device's {SIZE}"):
                device.read(offset, length)
        with pytest.raises(UnsupportedError, match="is read only"):
            device.write(0, b"x")
        device.flush()
        assert device.read(SIZE, 0) == b""


class Odd(io.BytesIO):
    """A file object that does what it is told to do wrong."""

    def __init__(self, wrong: Callable[[], Any]) -> None:
        super().__init__(CONTENT)
        self.wrong = wrong

    def read(self, size: int | None = -1, /) -> Any:
        return self.wrong()


def raises(error: Exception) -> Callable[[], Any]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: b"", "<Odd>: ends at 100, 10 more bytes expected"),
        (lambda: None, "<Odd>: ends at 100, 10 more bytes expected"),
        (raises(ConnectionResetError(104, "reset by peer")), "<Odd>: cannot read at 100: .Errno 104. reset by peer"),
        (raises(ValueError("two\nlines. And more")), "<Odd>: cannot read at 100: two lines$"),
        (raises(KeyError()), "<Odd>: cannot read at 100: KeyError$"),
    ],
)
def test_whatever_a_file_object_does_wrong_is_one_line(wrong: Callable[[], Any], says: str) -> None:
    with pytest.raises(UnreachableError, match=f"^{says}"):
        FileObjectDevice(Odd(wrong)).read(100, 10)


def test_parts_that_come_short_are_put_together() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 7))

    assert FileObjectDevice(Slow(CONTENT)).read(100, 1000) == CONTENT[100:1100]


def test_a_file_object_that_cannot_seek_is_refused() -> None:
    class Pipe(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:
            raise io.UnsupportedOperation("seek")

    with pytest.raises(DeviceError, match="pipe: is not seekable"):
        FileObjectDevice(Pipe(), "pipe")


def test_without_fsspec_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'pybtrfs-toolkit\[remote\]'"):
        RemoteDevice.at("memory://image")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("memory://none", "memory://none: cannot open: no such file"),
        ("nonsense://x", "nonsense://x: cannot open: Protocol not known: nonsense"),
        ("zip://x::memory://image", "cannot open: File is not a zip file"),
    ],
)
def test_a_url_that_leads_nowhere_is_one_line(url: str, says: str) -> None:
    with pytest.raises(DeviceError, match=says) as caught:
        RemoteDevice.at(url)
    assert "\n" not in str(caught.value)
