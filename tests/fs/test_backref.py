"""From extents back to trees and files: against a walk of all trees, and with references that lie."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commandline import run
from damage import Blocks, applied
from reaching import roots_by_walking, uses_by_walking

from pybtrfs.errors import CorruptError
from pybtrfs.fs.backref import Backrefs, Extent, Use
from pybtrfs.fs.filesystem import Filesystem, open_filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.extent import INLINE_EXTENT_DATA_REF, INLINE_REF
from pybtrfs.ondisk.file_extent import FileExtent
from pybtrfs.ondisk.header import HEADER

ZOO = ("reflinks", "snapshots", "old-snapshots", "crowded", "compressed", "paused-balance")


def extent_at(backrefs: Backrefs, bytenr: int) -> Extent:
    extent = backrefs.find_extent(bytenr)
    assert extent is not None
    return extent


def agrees_with_walking(filesystem: Filesystem) -> None:
    backrefs = Backrefs(filesystem)
    for bytenr, roots in roots_by_walking(filesystem).items():
        assert backrefs.roots(bytenr) - {c.TREE_RELOC_OBJECTID} == roots
    for bytenr, uses in uses_by_walking(filesystem).items():
        extent = extent_at(backrefs, bytenr)
        found = list(backrefs.uses(extent))
        assert set(found) == uses
        assert len(found) == len(uses)
        references = list(backrefs.references(extent))
        assert sum(ref.times for ref in references) == extent.refs


def test_all_trees_and_files_are_found_from_their_extents(filesystem: Filesystem) -> None:
    agrees_with_walking(filesystem)


@pytest.mark.kernel
@pytest.mark.parametrize("name", ZOO)
def test_all_trees_and_files_of_an_image_of_the_kernel_are_found(
    kernel_image: Callable[[str], Path], name: str
) -> None:
    with open_filesystem(str(kernel_image(name))) as filesystem:
        agrees_with_walking(filesystem)


def test_an_address_within_an_extent_finds_it_and_free_space_finds_none(filesystem: Filesystem) -> None:
    backrefs = Backrefs(filesystem)
    extent = next(extent_at(backrefs, bytenr) for bytenr in uses_by_walking(filesystem))
    assert backrefs.find_extent(extent.bytenr + extent.num_bytes - 1) == extent
    after = backrefs.find_extent(extent.bytenr + extent.num_bytes)
    assert after is None or after.bytenr == extent.bytenr + extent.num_bytes
    assert backrefs.find_extent(0) is None
    assert backrefs.find_extent(c.U64_MAX) is None


def test_a_use_tells_the_file_offset_of_each_byte_that_it_has() -> None:
    plain = FileExtent(1, 16384, 0, 0, 0, 1, 1 << 20, 16384, 4096, 8192)
    assert [Use(5, 257, 100_000, plain).offset_at(at) for at in (0, 4096, 12287, 12288)] == [
        None,
        100_000,
        108_191,
        None,
    ]
    assert Use(5, 257, 100_000, plain._replace(compression=1)).offset_at(0) == 100_000


# -- references that lie ---------------------------------------------------------------------------------


@pytest.fixture
def copy(image: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(image, tmp_path / "image"))


def patched(copy: Path, old: bytes, new: bytes) -> Iterator[Filesystem]:
    """The filesystem with the first `old` in a leaf of the extent tree replaced, the checksum mended."""
    blocks = Blocks(copy)
    for bytenr, data in blocks.data.items():
        header = HEADER.unpack_from(data)
        if header.owner == c.EXTENT_TREE_OBJECTID and not header.level and old in data:
            block = bytearray(data.replace(old, new, 1))
            patch = blocks.patch(bytenr, block, "reference", mend=True)
            with applied(copy, patch), open_filesystem(str(copy)) as filesystem:
                yield filesystem
            return
    raise AssertionError("no such reference")


def data_ref(copy: Path) -> tuple[int, bytes, bytes]:
    """Address of a data extent with an inline EXTENT_DATA_REF, those bytes, and the same with another inode."""
    with open_filesystem(str(copy)) as filesystem:
        backrefs = Backrefs(filesystem)
        for bytenr in uses_by_walking(filesystem):
            for ref in extent_at(backrefs, bytenr).inline:
                if ref.type == c.EXTENT_DATA_REF_KEY:
                    pack = INLINE_EXTENT_DATA_REF.pack
                    return bytenr, pack(ref), pack(ref._replace(objectid=ref.objectid + 4096))
    raise AssertionError("no such extent")


def test_a_reference_to_a_file_that_does_not_use_the_extent_is_named(copy: Path) -> None:
    bytenr, old, new = data_ref(copy)
    for filesystem in patched(copy, old, new):
        with pytest.raises(CorruptError, match=rf"extent {bytenr}: EXTENT_DATA_REF of tree .* file extents are not"):
            list(Backrefs(filesystem).uses(extent_at(Backrefs(filesystem), bytenr)))
        said: list[str] = []
        backrefs = Backrefs(filesystem, said.append)
        list(backrefs.uses(extent_at(backrefs, bytenr)))
        assert len(said) == 1
        result = run("inspect", "logical-resolve", "-P", str(bytenr), copy)
        assert (result.status, result.complaint()) == (1, None)
        assert "file extents are not there" in result.errors


@pytest.mark.parametrize(
    ("new_type", "offset", "message"),
    [
        (c.TREE_BLOCK_REF_KEY, 99, "no tree with id 99"),
        (c.TREE_BLOCK_REF_KEY, c.UUID_TREE_OBJECTID, "that tree does not hold it"),
        (c.SHARED_BLOCK_REF_KEY, 4096, "4096"),
        (c.SHARED_BLOCK_REF_KEY, 4097, "not a multiple"),
        (c.SHARED_BLOCK_REF_KEY, None, "its parent says 1"),
    ],
)
def test_a_reference_of_a_tree_block_that_leads_nowhere_is_named(
    copy: Path, new_type: int, offset: int | None, message: str
) -> None:
    with open_filesystem(str(copy)) as filesystem:
        leaf = filesystem.tree(c.DEV_TREE_OBJECTID).root_block().bytenr
        other = filesystem.tree(c.CSUM_TREE_OBJECTID).root_block().bytenr
    ref = INLINE_REF.cls(c.TREE_BLOCK_REF_KEY, c.DEV_TREE_OBJECTID)
    lie = INLINE_REF.cls(new_type, other if offset is None else offset)
    for filesystem in patched(copy, INLINE_REF.pack(ref), INLINE_REF.pack(lie)):
        with pytest.raises(CorruptError, match=f"tree block {leaf}: .*{message}"):
            Backrefs(filesystem).roots(leaf)
        assert Backrefs(filesystem, [].append).roots(leaf) == frozenset()


def test_a_tree_block_that_is_its_own_parent_belongs_to_a_relocation_tree(copy: Path) -> None:
    with open_filesystem(str(copy)) as filesystem:
        leaf = filesystem.tree(c.DEV_TREE_OBJECTID).root_block().bytenr
    ref = INLINE_REF.cls(c.TREE_BLOCK_REF_KEY, c.DEV_TREE_OBJECTID)
    for filesystem in patched(
        copy, INLINE_REF.pack(ref), INLINE_REF.pack(INLINE_REF.cls(c.SHARED_BLOCK_REF_KEY, leaf))
    ):
        assert Backrefs(filesystem).roots(leaf) == {c.TREE_RELOC_OBJECTID}
