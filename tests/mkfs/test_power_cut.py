"""Whenever the power is cut while a filesystem is made, the old one is there, or none, or the new one: all of it.

Over several devices, too, each of which then holds any part of what was written to it since its last flush. What is
there is judged as users would see it: all members together, the old ones together, and each device alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

import pytest
from crash import power_cuts
from sparse import SparseDevice

from pybtrfs.errors import PybtrfsError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.mkfs.format import Destination, write_plan
from pybtrfs.mkfs.options import Request, resolve
from pybtrfs.mkfs.plan import Plan, plan
from pybtrfs.mkfs.signatures import find_signatures
from pybtrfs.volume.device import Device
from pybtrfs.volume.opening import Member, assemble
from pybtrfs.volume.recorder import Recording
from pybtrfs.volume.superblocks import choose

MIB = 1024**2
OLD, NEW = b"O" * 16, b"N" * 16


def planned(fsid: bytes, sizes: Sequence[int] = (300 * MIB,), **wishes: object) -> Plan:
    numbers = count(1)
    options = resolve(Request(fsid=fsid, **wishes), len(sizes))  # type: ignore[arg-type]
    return plan(options, sizes, lambda: 1_700_000_000, lambda: next(numbers).to_bytes(16, "big"))


class Case(NamedTuple):
    """A filesystem that is there, on these of the devices, and the one that is made on all of them."""

    old: Plan
    places: tuple[int, ...]
    new: Plan


def same(number: int) -> list[int]:
    return [300 * MIB] * number


CASES = {
    "one device": Case(planned(OLD), (0,), planned(NEW)),
    "other nodes": Case(planned(OLD, nodesize=65536), (0,), planned(NEW, nodesize=4096, metadata="single")),
    "shorter": Case(planned(OLD, mixed=True), (0,), planned(NEW, [200 * MIB], csum="sha256")),
    "raid1": Case(planned(OLD, same(2)), (0, 1), planned(NEW, same(2), data="raid1")),
    "from the second to both": Case(planned(OLD), (1,), planned(NEW, same(2), metadata="raid0", data="raid0")),
    "raid5 to raid6": Case(
        planned(OLD, same(3), metadata="raid5", data="raid5", nodesize=4096),
        (0, 1, 2),
        planned(NEW, same(3), metadata="raid6", data="raid6"),
    ),
    "the last three to raid10": Case(
        planned(OLD, same(3), metadata="raid1c3", csum="xxhash"),
        (3, 2, 1),
        planned(NEW, same(4), metadata="raid10", data="raid10"),
    ),
}


def seen(devices: Sequence[Device]) -> bytes | None:
    """The fsid of the filesystem that these devices are opened as; None where nothing is, or not all.

    What opens is read whole, unless devices are missing that the profile cannot do without.
    """
    try:
        superblocks = [choose(device, None, lambda text: None).superblock for device in devices]
        members = [Member(device.name, device, sb) for device, sb in zip(devices, superblocks, strict=True)]
        filesystem = Filesystem(assemble(members, lambda text: None))
        filesystem.refuse_strangers()
    except PybtrfsError:
        return None
    missing = len(filesystem.missing_devices())
    tolerated = min(_tolerated(filesystem))
    if missing <= tolerated:
        for tree_id in (1, 3, *(key.objectid for key, _ in filesystem.root_items())):
            assert list(filesystem.tree(tree_id).items()) or tree_id == 7
    return filesystem.superblock.fsid


def _tolerated(filesystem: Filesystem) -> list[int]:
    """How many devices may be missing, for each chunk of metadata."""
    from pybtrfs.ondisk.constants import BLOCK_GROUP_DATA
    from pybtrfs.volume.profiles import find_profile

    chunks = [chunk for _, chunk in filesystem.volume.chunks if chunk.type & ~BLOCK_GROUP_DATA]
    profiles = [find_profile(chunk.type) for chunk in chunks if chunk.type != BLOCK_GROUP_DATA]
    return [profile.tolerated for profile in profiles if profile is not None]


def states(name: str, discards: bool, seed: int, samples: int) -> list[bytes | None]:
    """What is there after each cut, with all the members; every device was looked at alone as well."""
    case = CASES[name]
    before = [SparseDevice(300 * MIB, f"device {number}") for number in range(len(case.new.spec.members))]
    write_plan(case.old, [Destination(before[place]) for place in case.places])
    assert seen([before[place] for place in case.places]) == OLD
    recording, found = Recording(), [find_signatures(device) for device in before]
    copies = [device.copied() for device in before]
    devices = [recording.device(copy) for copy in copies]
    frees = [copy.freeing(device) if discards else None for copy, device in zip(copies, devices, strict=True)]
    write_plan(case.new, list(map(Destination, devices, found, frees)))
    assert seen(devices) == NEW
    states = []
    for cut in power_cuts(recording, before, seed, samples, prefixes=len(before) == 1):
        together, olds = seen(cut), seen([cut[place] for place in case.places])
        assert together in ({OLD, None, NEW} if len(case.places) == len(cut) else {None, NEW})
        assert olds in ({OLD, None, NEW} if olds == together else {OLD, None})
        alone = {seen([device]) for device in cut} - {None}
        assert len(alone | {together, olds} - {None}) <= 1, "the old filesystem and the new one at once"
        states.append(together or olds or next(iter(alone), None))
    return states


def check(name: str, discards: bool, seed: int, samples: int) -> None:
    found = states(name, discards, seed, samples)
    assert set(found) == {OLD, None, NEW}
    assert found[0] == OLD
    assert found[-1] == NEW
    reached = [state for state in found if state is not None]
    assert reached == sorted(reached, reverse=True), "no way back from the new filesystem to the old one"


@pytest.mark.parametrize("discards", [False, True], ids=["wiped", "discarded"])
@pytest.mark.parametrize("name", CASES)
def test_a_power_cut_leaves_the_old_filesystem_or_none_or_the_new_one(name: str, discards: bool, seed: int) -> None:
    check(name, discards, seed, 6)


@pytest.mark.soak
@pytest.mark.parametrize("discards", [False, True], ids=["wiped", "discarded"])
@pytest.mark.parametrize("name", CASES)
def test_many_power_cuts_leave_the_old_filesystem_or_none_or_the_new_one(name: str, discards: bool, seed: int) -> None:
    check(name, discards, seed, 200)
