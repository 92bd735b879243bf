"""The overlay: what is read is what a plain array of bytes would hold, and the base never changes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sparse import Zeros

from pybtrfs.errors import DeviceError
from pybtrfs.volume.overlay import PAGE, OverlayDevice

EDGES = st.sampled_from([page * PAGE + more for page in range(6) for more in (-1, 0, 1)]).map(lambda at: max(at, 0))
OFFSETS = EDGES | st.integers(0, 6 * PAGE)


class Bytes:
    """A base that can only be read."""

    def __init__(self, data: bytes) -> None:
        self.name, self.data, self.size, self.closed = "base", data, len(data), False

    def read(self, offset: int, length: int) -> bytes:
        assert 0 <= offset <= offset + length <= len(self.data)
        return self.data[offset : offset + length]

    def write(self, offset: int, data: bytes) -> None:
        raise AssertionError("nothing is written through")

    def flush(self) -> None:
        raise AssertionError("nothing is flushed through")

    def close(self) -> None:
        self.closed = True


class OverlayMachine(RuleBasedStateMachine):
    """Writes, reads and changes of size against a bytearray."""

    @initialize(size=OFFSETS, seed=st.integers(0, 9))
    def begin(self, size: int, seed: int) -> None:
        self.before = random.Random(seed).randbytes(size)
        self.base = Bytes(self.before)
        self.device, self.model = OverlayDevice(self.base), bytearray(self.before)

    @rule(offset=OFFSETS, length=OFFSETS, value=st.integers(0, 255))
    def write(self, offset: int, length: int, value: int) -> None:
        data = bytes((value + index) % 256 for index in range(min(length, max(0, len(self.model) - offset))))
        if offset > len(self.model):
            with pytest.raises(DeviceError, match="end after the device's"):
                self.device.write(offset, data)
            return
        self.device.write(offset, data)
        self.model[offset : offset + len(data)] = data

    @rule(offset=OFFSETS, length=OFFSETS)
    def read(self, offset: int, length: int) -> None:
        if offset + length > len(self.model):
            with pytest.raises(DeviceError, match="end after the device's"):
                self.device.read(offset, length)
        else:
            assert self.device.read(offset, length) == self.model[offset : offset + length]

    @rule(size=OFFSETS)
    def resize(self, size: int) -> None:
        self.device.resize(size)
        self.model[:] = self.model[:size].ljust(size, b"\0")

    @invariant()
    def all_is_as_in_the_model(self) -> None:
        assert self.device.size == len(self.model)
        assert self.device.read(0, len(self.model)) == self.model
        assert self.base.data == self.before
        assert self.device.bytes_held <= -(-len(self.model) // PAGE) * PAGE


TestOverlay = OverlayMachine.TestCase


@given(st.lists(st.integers(0, 2**60), max_size=20))
def test_memory_is_that_of_the_pages_written_however_large_the_device(offsets: list[int]) -> None:
    device = OverlayDevice(Zeros(2**60 + 8))
    for offset in offsets * 2:
        device.write(offset, b"12345678")
    assert device.bytes_held <= 2 * PAGE * len(set(offsets))
    assert all(device.read(offset, 1) == b"1" for offset in offsets[-1:])


def test_a_write_that_takes_too_much_memory_is_refused_whole() -> None:
    device = OverlayDevice(Zeros(1 << 40), most=3 * PAGE)
    device.write(PAGE - 1, b"ab")
    with pytest.raises(DeviceError, match="takes more than 12288 bytes of memory"):
        device.write(PAGE, b"x" * 3 * PAGE)
    assert device.read(PAGE - 1, 3) == b"ab\0"
    device.write(2 * PAGE, b"y" * PAGE)
    device.write(0, b"z" * 3 * PAGE)
    assert device.read(0, 3 * PAGE) == b"z" * 3 * PAGE


def test_two_overlays_of_one_base_do_not_see_each_other_and_closing_one_closes_the_base() -> None:
    base = Bytes(bytes(3 * PAGE))
    one, other = OverlayDevice(base), OverlayDevice(base)
    one.write(5, b"one")
    one.flush()
    assert other.read(5, 3) == bytes(3)
    one.close()
    assert base.closed
