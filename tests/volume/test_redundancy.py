"""Parity and geometry: whatever one or two devices of a row lose, the others say what it was."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybtrfs.ondisk.chunk import Chunk, Stripe
from pybtrfs.ondisk.constants import STRIPE_LEN
from pybtrfs.volume import parity
from pybtrfs.volume.profiles import BY_NAME, Profile
from pybtrfs.volume.redundancy import ways
from pybtrfs.volume.striping import Placement, pieces

PROFILES = ["raid0", "raid1", "raid1c3", "raid1c4", "raid10", "raid5", "raid6", "single", "dup"]


class Disks:
    """A chunk over several devices, written by this test's own simple reading of the profiles."""

    def __init__(self, profile: Profile, devices: int, content: bytes) -> None:
        self.profile, self.content = profile, content
        stripes = tuple(
            Stripe(1 + (index if profile.name != "DUP" else 0), index << 30, bytes(16)) for index in range(devices)
        )
        self.chunk = Chunk(len(content), 2, STRIPE_LEN, profile.flag, 0, 0, 0, devices, profile.sub_stripes, stripes)
        self.elements: dict[tuple[int, int], bytes] = {}
        elements = [content[at : at + STRIPE_LEN] for at in range(0, len(content), STRIPE_LEN)]
        if profile.whole:
            for index in range(devices):
                self._put(index, 0, content)
        else:
            self._stripe(elements, devices)

    def _stripe(self, elements: list[bytes], devices: int) -> None:
        columns = (devices - self.profile.parity) // self.profile.sub_stripes
        for row in range(0, len(elements), columns):
            data, number = elements[row : row + columns], row // columns
            if self.profile.parity:
                extra = [parity.p_of(data), parity.q_of(data)][: self.profile.parity]
                for index, element in enumerate(data + extra):
                    self._put((number + index) % devices, number, element)
            else:
                for index, element in enumerate(data):
                    for copy in range(self.profile.sub_stripes):
                        self._put(index * self.profile.sub_stripes + copy, number, element)

    def _put(self, index: int, row: int, data: bytes) -> None:
        self.elements[index, row] = data

    def read(self, place: Placement, lost: tuple[int, ...] = ()) -> bytes | None:
        index, at = place.physical >> 30, place.physical & ((1 << 30) - 1)
        if index in lost:
            return None
        if self.profile.whole:
            return self.elements[index, 0][at : at + place.length]
        row, within = divmod(at, STRIPE_LEN)
        return self.elements[index, row][within : within + place.length]


def disks(name: str, more: int) -> Disks:
    profile = BY_NAME[name]
    devices = profile.devices_min + more if not profile.whole else profile.copies
    if name == "raid10":
        devices = 4 + 2 * more
    columns = 1 if profile.whole else (devices - profile.parity) // profile.sub_stripes
    content = b"".join(bytes([number * 37 % 251]) * 4096 for number in range(16 * columns * 3))
    return Disks(profile, devices, content)


@pytest.mark.parametrize("more", [0, 1, 2])
@pytest.mark.parametrize("name", PROFILES)
def test_any_range_reads_as_written_and_with_as_many_devices_lost_as_the_profile_tolerates(
    name: str, more: int
) -> None:
    made = disks(name, more)
    length = len(made.content)
    ranges = [(0, length), (4096, 4096), (STRIPE_LEN - 4096, 8192), (length - 65536, 65536)]
    tolerated = {"dup": 1}.get(name, made.profile.tolerated)
    for lost in [(), *combinations(range(made.chunk.num_stripes), tolerated)]:
        for offset, size in ranges:
            found = b""
            for piece in pieces(made.chunk, made.profile, offset, size):
                readable = [data for _, data in ways(piece, lambda place: made.read(place, lost)) if data is not None]  # noqa: B023
                wanted = made.content[offset + len(found) : offset + len(found) + piece.length]
                assert wanted in readable
                found += wanted
            assert found == made.content[offset : offset + size]


def test_a_raid6_stripe_with_wrong_bytes_is_found_out_though_it_reads_well() -> None:
    made = disks("raid6", 2)
    [piece] = pieces(made.chunk, made.profile, 0, 4096)
    wanted = made.content[:4096]
    made.elements[0, 0] = b"wrong" + made.elements[0, 0][5:]
    made.elements[1, 0] = b"wrong" + made.elements[1, 0][5:]
    found = [data for _, data in ways(piece, made.read)]
    assert found[0] != wanted
    assert wanted in found


@settings(max_examples=50)
@given(st.lists(st.binary(min_size=64, max_size=64), min_size=2, max_size=20), st.data())
def test_p_and_q_give_back_any_two_stripes(row: list[bytes], data: st.DataObject) -> None:
    p, q = parity.p_of(row), parity.q_of(row)
    first = data.draw(st.integers(0, len(row) - 1))
    second = data.draw(st.integers(0, len(row) - 1).filter(lambda index: index != first))
    assert parity.from_p(row, p, first) == row[first]
    assert parity.from_q(row, q, first) == row[first]
    holed: list[bytes | None] = [None if index in (first, second) else part for index, part in enumerate(row)]
    assert parity.from_p_and_q(holed, p, q, first, second) == row[first]
    assert parity.from_p_and_q(holed, p, q, second, first) == row[second]


def test_the_field_is_the_one_of_the_kernel() -> None:
    assert [parity.power(exponent) for exponent in (0, 1, 7, 8, 254, 255)] == [1, 2, 128, 0x1D, 0x8E, 1]
    assert all(parity.multiplied(bytes([value]), parity.inverse(value)) == b"\1" for value in range(1, 256))
