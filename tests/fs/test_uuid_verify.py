"""`uuid verify`: each kind of damage planted in the golden image's UUID tree, and its healthy neighbours."""

import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from commandline import run
from damage import Blocks, applied

from pybtrfs.btree.block import Item
from pybtrfs.fs.filesystem import open_filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.header import HEADER, ITEM
from pybtrfs.ondisk.key import KEY
from pybtrfs.ondisk.root import ROOT_ITEM
from pybtrfs.ondisk.uuid import uuid_key, uuid_text

GOLDEN = Path(__file__).parent.parent / "golden" / "kernel.img.xz"
Change = Callable[[bytearray, int, int], None]  # of a leaf, where the item's header stands, where its data


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("uuids") / "image"
    path.write_bytes(lzma.decompress(GOLDEN.read_bytes()))
    return path


def item_of(image: Path, tree_id: int, wanted: Callable[[Item], bool]) -> Item:
    with open_filesystem(str(image)) as filesystem:
        return next(item for item in filesystem.tree(tree_id).items() if wanted(item))


def root_of(image: Path, subvolume_id: int) -> Item:
    return item_of(image, c.ROOT_TREE_OBJECTID, lambda i: i.key[:2] == (subvolume_id, c.ROOT_ITEM_KEY))


def own_entry(image: Path, subvolume_id: int) -> Item:
    key = uuid_key(ROOT_ITEM.parse(root_of(image, subvolume_id).data).uuid)
    return item_of(image, c.UUID_TREE_OBJECTID, lambda item: item.key == key)


def verified(image: Path, item: Item, change: Change) -> tuple[int, list[tuple[str, str, int]], str]:
    """Exit status, problems (what, kind, id) and complaints once `change` was made to the leaf of `item`."""
    blocks = Blocks(image)
    block = bytearray(blocks.data[item.bytenr])
    header = HEADER.size + item.slot * ITEM.size
    change(block, header, HEADER.size + ITEM.unpack_from(block, header).offset)
    with applied(image, blocks.patch(item.bytenr, block, "planted", mend=True)):
        status, output, errors = run("uuid", "verify", "--format", "json", image)[1:]
        text = run("uuid", "verify", image)
    problems = json.loads(output)["uuid-verify"]["problems"]
    assert text.status == status
    assert text.output == "".join(
        f"{p['problem']} {p['uuid']} {p['kind']} {p['id'] or '-'}: {p['text']}\n" for p in problems
    )
    return status, [(p["problem"], p["kind"], p["id"]) for p in problems], errors


def put_id(number: int) -> Change:
    def change(block: bytearray, header: int, data: int) -> None:
        block[data : data + 8] = number.to_bytes(8, "little")

    return change


def put_type(number: int) -> Change:
    def change(block: bytearray, header: int, data: int) -> None:
        block[header + KEY.offset_of("type")] = number

    return change


def test_a_sound_tree_ends_with_0_and_says_nothing(image: Path) -> None:
    assert run("uuid", "verify", image)[1:] == (0, "", "")
    shown = json.loads(run("uuid", "verify", "--format", "json", image).output)["uuid-verify"]
    assert shown == {"complete": True, "problems": []}


def test_an_entry_that_leads_to_no_subvolume_is_stale_and_the_true_one_missing(image: Path) -> None:
    status, problems, _ = verified(image, own_entry(image, 257), put_id(999))
    assert (status, problems) == (4, [("stale", "own", 999), ("missing", "own", 257)])


def test_an_entry_that_leads_to_another_subvolume_is_stale(image: Path) -> None:
    status, problems, _ = verified(image, own_entry(image, 257), put_id(258))
    assert (status, problems) == (4, [("stale", "own", 258), ("missing", "own", 257)])


def test_an_own_uuid_entered_as_received_is_of_the_wrong_kind(image: Path) -> None:
    status, problems, _ = verified(image, own_entry(image, 256), put_type(c.UUID_KEY_RECEIVED_SUBVOL))
    assert (status, problems) == (4, [("wrong-kind", "received", 256), ("missing", "own", 256)])


def test_an_item_of_another_type_is_malformed(image: Path) -> None:
    entry = own_entry(image, 256)
    status, problems, _ = verified(image, entry, put_type(c.UUID_KEY_SUBVOL - 1))
    assert (status, problems) == (4, [("malformed", "own", 0), ("missing", "own", 256)])


def test_a_uuid_that_a_root_item_has_lost_is_stale(image: Path) -> None:
    at = ROOT_ITEM.offset_of("uuid")

    def change(block: bytearray, header: int, data: int) -> None:
        block[data + at : data + at + 16] = bytes(16)

    status, problems, _ = verified(image, root_of(image, 258), change)
    assert (status, problems) == (4, [("stale", "own", 258)])


def test_a_subvolume_that_is_being_deleted_has_no_entries(image: Path) -> None:
    at = ROOT_ITEM.offset_of("refs")

    def change(block: bytearray, header: int, data: int) -> None:
        block[data + at : data + at + 4] = bytes(4)

    status, problems, _ = verified(image, root_of(image, 256), change)
    assert (status, problems) == (4, [("stale", "own", 256)])


def test_uuids_that_do_not_count_have_no_entries(image: Path) -> None:
    at = ROOT_ITEM.offset_of("generation_v2")

    def change(block: bytearray, header: int, data: int) -> None:
        block[data + at : data + at + 8] = bytes(8)

    status, problems, _ = verified(image, root_of(image, 256), change)
    assert (status, problems) == (4, [("stale", "own", 256)])


def planted_item(image: Path, ids: list[int]) -> tuple[int, list[tuple[str, str, int]], str]:
    """The own entry of 256 with other ids; its data moves to the leaf's free space."""

    def change(block: bytearray, header: int, data: int) -> None:
        nritems = HEADER.unpack_from(block).nritems
        items = [ITEM.unpack_from(block, HEADER.size + slot * ITEM.size) for slot in range(nritems)]
        contents = [bytes(block[HEADER.size + i.offset : HEADER.size + i.offset + i.size]) for i in items]
        contents[(header - HEADER.size) // ITEM.size] = b"".join(number.to_bytes(8, "little") for number in ids)
        end = len(block) - HEADER.size
        for slot, (item, content) in enumerate(zip(items, contents, strict=True)):
            end -= len(content)
            at = HEADER.size + slot * ITEM.size
            block[at : at + ITEM.size] = ITEM.pack(item._replace(offset=end, size=len(content)))
            block[HEADER.size + end : HEADER.size + end + len(content)] = content

    return verified(image, own_entry(image, 256), change)


def test_an_id_that_stands_twice_is_doubled_and_an_empty_item_malformed(image: Path) -> None:
    assert planted_item(image, [256, 256])[:2] == (4, [("doubled", "own", 256)])
    assert planted_item(image, [])[:2] == (4, [("malformed", "own", 0), ("missing", "own", 256)])
    assert planted_item(image, [256])[:2] == (0, [])


def test_two_subvolumes_with_one_own_uuid_are_doubled(image: Path) -> None:
    uuid = ROOT_ITEM.parse(root_of(image, 256).data).uuid
    root, at = root_of(image, 257), ROOT_ITEM.offset_of("uuid")
    blocks = Blocks(image)
    block = bytearray(blocks.data[root.bytenr])
    data = HEADER.size + ITEM.unpack_from(block, HEADER.size + root.slot * ITEM.size).offset
    old = bytes(block[data + at : data + at + 16])
    block[data + at : data + at + 16] = uuid
    with applied(image, blocks.patch(root.bytenr, block, "one UUID for two", mend=True)):
        shown = run("uuid", "verify", image)
        assert shown.status == 4
        assert f"stale {uuid_text(old)} own 257" in shown.output
        assert f"missing {uuid_text(uuid)} own 257" in shown.output
        # the entry of 256 is found by its key, which 257 now shares
        _, problems, _ = planted_item(image, [256, 257])
    assert ("doubled", "own", 257) in problems


def test_a_damaged_tree_could_not_be_checked(image: Path) -> None:
    blocks, entry = Blocks(image), own_entry(image, 256)
    block = bytearray(blocks.data[entry.bytenr])
    block[200] ^= 1
    with applied(image, blocks.patch(entry.bytenr, block, "a bit", mend=False)):
        shown = run("uuid", "verify", image)
    assert (shown.status, shown.output) == (8, "")
    assert f"tree block {entry.bytenr}" in shown.errors


def test_what_is_no_filesystem_ends_with_8_and_what_cannot_be_meant_with_16(image: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert run("uuid", "verify", tmp_path / "empty").status == 8
    assert run("uuid", "verify", tmp_path / "none").status == 8
    assert run("uuid", "verify").status == 16
    assert run("uuid", "verify", "--nonsense", image).status == 16
    assert run("uuid", "verify", "--offset", "0", "--partition", "1", image).status == 16
