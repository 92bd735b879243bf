"""What deleting would free, against its definition: that is freed to which nothing else leads."""

import random
import shutil
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from commandline import run
from damage import Blocks, applied
from reaching import roots_by_walking, uses_by_walking

from pybtrfs.errors import CorruptError
from pybtrfs.fs.du import Row, Scope, Selection
from pybtrfs.fs.exclusive import OUTSIDE, Freed, Share, exclusive
from pybtrfs.fs.filesystem import Filesystem, open_filesystem
from pybtrfs.fs.inode import TOP, Place
from pybtrfs.fs.names import paths_of
from pybtrfs.fs.path import resolve
from pybtrfs.fs.subvolume import Subvolumes
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.extent import EXTENT_HEAD
from pybtrfs.ondisk.header import HEADER, ITEM

Image = Callable[[str], Path]
ZOO = ("snapshots", "old-snapshots", "reflinks", "crowded", "hard-links", "compressed", "quotas", "fragmented")


def fail(text: str) -> None:
    raise AssertionError(text)


def broken(path: bytes, error: CorruptError) -> None:
    raise error


class Definition:
    """The long way: everything that leads to each block and extent."""

    def __init__(self, filesystem: Filesystem) -> None:
        self.nodesize = filesystem.nodesize
        self.roots = roots_by_walking(filesystem)
        self.users = {
            (bytenr, next(iter(uses)).extent.disk_num_bytes): {(use.tree_id, use.ino) for use in uses}
            for bytenr, uses in uses_by_walking(filesystem).items()
        }
        subvolumes = Subvolumes(filesystem)
        self.tops = {s.id: b"/" + path for s in subvolumes if (path := subvolumes.find_path(s)) is not None}
        pairs = {user for users in self.users.values() for user in users}
        trees = {number: filesystem.tree(number) for number in self.tops}
        self.paths = {
            (number, ino): [self.tops[number].rstrip(b"/") + b"/" + path for path in paths_of(trees[number], ino)]
            for number, ino in pairs
            if number in trees
        }

    def subvolumes_freed(self, ids: set[int]) -> Freed:
        data = sum(size for (_, size), users in self.users.items() if {number for number, _ in users} <= ids)
        return Freed(data, self.nodesize * sum(roots <= ids for roots in self.roots.values()))

    def freed(self, place: bytes) -> Freed:
        """What deleting a directory with all that its path leads to would free."""
        whole = {number for number, top in self.tops.items() if under(place, top)}
        gone = {user for user, paths in self.paths.items() if all(under(place, path) for path in paths)}
        gone |= {user for users in self.users.values() for user in users if user[0] in whole}
        data = sum(size for (_, size), users in self.users.items() if users <= gone)
        return Freed(data, self.subvolumes_freed(whole).metadata)


def under(place: bytes, path: bytes) -> bool:
    return path == place or path.startswith(place.rstrip(b"/") + b"/")


def rows_of(filesystem: Filesystem, start: Place, scope: Scope) -> list[Row]:
    selection = Selection(filesystem, scope)
    selection.add(start, (TOP, b""), broken)
    return list(selection.rows(fail))


def agrees_with_the_definition(filesystem: Filesystem, rng: random.Random) -> None:
    definition, ids = Definition(filesystem), [subvolume.id for subvolume in Subvolumes(filesystem)]
    sets = [*combinations(ids, 1), *combinations(ids[:5], 2), tuple(ids), tuple(rng.sample(ids, len(ids) // 2))]
    for chosen in sets[:60]:
        found = exclusive(filesystem, {number: Share(0) for number in chosen}, [0], fail)
        assert found == [definition.subvolumes_freed(set(chosen))]
    rows = rows_of(filesystem, TOP, Scope())
    assert len({row.path for row in rows}) == len(rows)
    for row in rows if len(rows) < 60 else rng.sample(rows, 60):
        assert row.freed == definition.freed(b"/" + row.path)
        assert row.size == sum(row.freed)
    for row in rng.sample(rows, min(8, len(rows))):  # each on its own, and summed up without rows below
        place = resolve(filesystem, row.path)
        assert rows_of(filesystem, place, Scope())[-1].freed == row.freed
        assert [below.freed for below in rows_of(filesystem, place, Scope(deepest=0))] == [row.freed]


def test_what_goes_is_what_nothing_else_leads_to(filesystem: Filesystem, seed: int) -> None:
    agrees_with_the_definition(filesystem, random.Random(seed))


@pytest.mark.kernel
@pytest.mark.parametrize("name", ZOO)
def test_what_goes_from_an_image_of_the_kernel_is_what_nothing_else_leads_to(
    kernel_image: Image, name: str, seed: int
) -> None:
    with open_filesystem(str(kernel_image(name))) as filesystem:
        agrees_with_the_definition(filesystem, random.Random(seed))


@pytest.mark.kernel
def test_a_row_for_each_file_has_what_is_its_alone(kernel_image: Image) -> None:
    with open_filesystem(str(kernel_image("hard-links"))) as filesystem:
        definition = Definition(filesystem)
        for row in rows_of(filesystem, TOP, Scope(files=True)):
            assert row.freed == definition.freed(b"/" + row.path)


def test_rows_are_summed_up_below_a_depth_and_other_subvolumes_can_be_left_out(filesystem: Filesystem) -> None:
    every = {row.path: row.freed for row in rows_of(filesystem, TOP, Scope())}
    shallow = {row.path: row.freed for row in rows_of(filesystem, TOP, Scope(deepest=1))}
    assert shallow == {path: freed for path, freed in every.items() if b"/" not in path}
    alone = exclusive(filesystem, {5: Share(0)}, [0], fail)
    assert rows_of(filesystem, TOP, Scope(deepest=0, cross=False))[0].freed == alone[0]
    assert rows_of(filesystem, TOP, Scope(cross=False))[-1].freed == alone[0]


def test_nothing_goes_where_nothing_is_chosen(filesystem: Filesystem) -> None:
    assert exclusive(filesystem, {}, [0], fail) == [Freed(0, 0)]
    assert exclusive(filesystem, {99: Share(0)}, [0], fail) == [Freed(0, 0)]
    assert exclusive(filesystem, {256: Share(OUTSIDE)}, [0], fail) == [Freed(0, 0)]


# -- damage ----------------------------------------------------------------------------------------------


@pytest.fixture
def copy(image: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(image, tmp_path / "image"))


def extent_item(blocks: Blocks, kind: int, wanted: int | None = None) -> tuple[int, int, int]:
    """The leaf, slot and address of an extent item."""
    for bytenr, data in blocks.data.items():
        header = HEADER.unpack_from(data)
        if header.owner == c.EXTENT_TREE_OBJECTID and not header.level:
            items = np.frombuffer(data, ITEM.dtype, header.nritems, HEADER.size)
            for slot, item in enumerate(items):
                if item["key"]["type"] == kind and wanted in (None, item["key"]["objectid"]):
                    return bytenr, slot, int(item["key"]["objectid"])
    raise AssertionError("no such extent item")


def test_a_count_of_fewer_references_than_there_are_is_told(copy: Path) -> None:
    with open_filesystem(str(copy)) as filesystem:
        root = filesystem.tree(256).root_block().bytenr
    blocks = Blocks(copy)
    leaf, slot, _ = extent_item(blocks, c.METADATA_ITEM_KEY, root)
    block = bytearray(blocks.data[leaf])
    item = ITEM.unpack_from(block, HEADER.size + slot * ITEM.size)
    at = HEADER.size + item.offset + EXTENT_HEAD.offset_of("refs")
    block[at : at + 8] = bytes(8)
    said: list[str] = []
    with applied(copy, blocks.patch(leaf, block, "refs", mend=True)):
        with open_filesystem(str(copy)) as filesystem:
            assert exclusive(filesystem, {256: Share(0)}, [0], said.append) == [Freed(0, 0)]
        result = run("du", "-s", "--exclusive", f"{copy}:/home")
    assert said == [f"tree block {root}: the extent tree counts 0 references, found were 1"]
    assert (result.status, result.output, result.complaint()) == (1, f"0\t{copy}:/home\n", None)


def test_a_block_that_cannot_be_read_is_told_and_the_rest_is_counted(copy: Path) -> None:
    with open_filesystem(str(copy)) as filesystem:
        whole = exclusive(filesystem, {256: Share(0)}, [0], fail)[0]
        root = filesystem.tree(256).root_block().bytenr
    blocks = Blocks(copy)
    said: list[str] = []
    torn = bytearray(blocks.data[root])
    torn[-1] ^= 1
    with applied(copy, blocks.patch(root, torn, "torn", mend=False)), open_filesystem(str(copy)) as filesystem:
        [found] = exclusive(filesystem, {256: Share(0)}, [0], said.append)
    assert found.metadata < whole.metadata
    assert len(said) == 1
    assert f"tree block {root}" in said[0]
