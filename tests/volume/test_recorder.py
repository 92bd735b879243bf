"""The recorder: everything passes through, and any power cut can be told from the events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sparse import SparseDevice

from pybtrfs.volume.recorder import Cut, Event, Recording, replay

SIZE = 3 * 4096
ACTIONS = st.lists(
    st.tuples(st.integers(0, 2), st.none() | st.tuples(st.integers(0, SIZE - 9), st.binary(min_size=1, max_size=9)))
)


def recorded(actions: list[tuple[int, tuple[int, bytes] | None]]) -> tuple[Recording, list[SparseDevice]]:
    recording, bases = Recording(), [SparseDevice(SIZE) for _ in range(3)]
    devices = [recording.device(base) for base in bases]
    for number, write in actions:
        if write is None:
            devices[number].flush()
        else:
            devices[number].write(*write)
            assert devices[number].read(write[0], len(write[1])) == write[1]
    return recording, bases


@given(ACTIONS)
def test_all_events_replayed_give_the_devices_again(actions: list[tuple[int, tuple[int, bytes] | None]]) -> None:
    recording, bases = recorded(actions)
    cut = recording.cut(len(recording.events))
    again = {number: SparseDevice(SIZE) for number in range(3)}
    replay(cut.lasting, again)
    replay(cut.pending, again)
    assert [again[number].read(0, SIZE) for number in range(3)] == [base.read(0, SIZE) for base in bases]
    assert len(cut.lasting) + len(cut.pending) == sum(write is not None for _, write in actions)


@given(ACTIONS, st.data())
def test_what_lasts_is_what_a_flush_of_its_own_device_followed(
    actions: list[tuple[int, tuple[int, bytes] | None]], data: st.DataObject
) -> None:
    recording, _ = recorded(actions)
    moment = data.draw(st.integers(0, len(actions)))
    lasting: list[Event] = []
    pending: list[Event] = []
    for at, (number, write) in enumerate(actions[:moment]):
        if write is not None:
            flushed = (number, None) in actions[at:moment]
            (lasting if flushed else pending).append(Event(number, *write))
    assert recording.cut(moment) == Cut(lasting, pending)


def test_a_flush_of_one_device_says_nothing_about_another() -> None:
    recording = Recording()
    one, other = (recording.device(SparseDevice(SIZE)) for _ in range(2))
    for device in (one, other):
        device.write(0, b"x")
    one.flush()
    assert recording.cut(2) == Cut([], [Event(0, 0, b"x"), Event(1, 0, b"x")])
    assert recording.cut(3) == Cut([Event(0, 0, b"x")], [Event(1, 0, b"x")])


def test_what_is_recorded_is_a_copy_and_name_and_size_are_the_bases() -> None:
    recording = Recording()
    device, data = recording.device(SparseDevice(SIZE, "the base")), bytearray(b"abc")
    device.write(1, data)
    data[:] = b"xyz"
    device.close()
    assert (device.name, device.size, recording.events) == ("the base", SIZE, [Event(0, 1, b"abc")])
