"""Structures as JSON values: UUIDs, times, flags, and bytes that are not UTF-8."""

import json

import pytest
from build import FSID, tree_of

from pybtrfs.fs.blockwalk import Trouble
from pybtrfs.fs.dump import BlockEvent
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.chunk import CHUNK, Chunk, Stripe
from pybtrfs.ondisk.inode import INODE_ITEM, INODE_REF, InodeItem, InodeRef, Timespec
from pybtrfs.ondisk.key import Key
from pybtrfs.render.dump_json import dump_json
from pybtrfs.render.json_values import bytes_field, key_json, structure_json, timespec_text
from pybtrfs.render.options import Options


def test_bytes_are_text_and_stand_beside_it_where_they_are_not_utf8() -> None:
    assert bytes_field("name", "é\n".encode()) == {"name": "é\n"}
    assert bytes_field("name", b"a\xff") == {"name": r"a\xff", "name_b64": "Yf8="}


@pytest.mark.parametrize(
    ("sec", "text"),
    [(0, "1970-01-01T00:00:00.000000005Z"), (-1, "1969-12-31T23:59:59.000000005Z"), (1 << 62, f"@{1 << 62}.000000005")],
)
def test_times_are_iso_8601_with_nanoseconds(sec: int, text: str) -> None:
    assert timespec_text(Timespec(sec, 5)) == text


def test_a_key_names_its_type_and_a_reserved_object() -> None:
    assert key_json(Key(256, c.INODE_ITEM_KEY, 0)) == {
        "objectid": 256,
        "type": 1,
        "offset": 0,
        "type_name": "INODE_ITEM",
    }
    assert key_json(Key(c.ORPHAN_OBJECTID, c.ORPHAN_ITEM_KEY, 5))["objectid_name"] == "ORPHAN"
    assert key_json(Key(1, 255, 0))["type_name"] is None
    for objectid in (c.LAST_FREE_OBJECTID, c.MULTIPLE_OBJECTIDS, c.MULTIPLE_OBJECTIDS + 1, c.U64_MAX):
        assert ("objectid_name" in key_json(Key(objectid, 1, 0))) == (objectid in c.OBJECTID_NAMES)


def test_structures_in_structures_have_uuids_and_flag_names() -> None:
    chunk = Chunk(1, 2, 65536, c.BLOCK_GROUP_DATA | c.BLOCK_GROUP_DUP, 1, 1, 1, 1, 1, (Stripe(1, 2, FSID),))
    shown = structure_json(CHUNK.parse(CHUNK.pack(chunk)))
    assert shown["type_names"] == ["DATA", "DUP"]
    assert shown["stripes"] == [{"devid": 1, "offset": 2, "dev_uuid": "00010203-0405-0607-0809-0a0b0c0d0e0f"}]


def test_a_dump_is_one_document_whatever_the_items_hold() -> None:
    inode = InodeItem(1, 2, 3, 4, 5, 1, 0, 0, 0o100644, 0, 0, 9, bytes(32), *[Timespec(0, 0)] * 4)
    items = [
        (Key(256, c.INODE_ITEM_KEY, 0), INODE_ITEM.pack(inode)),
        (Key(256, c.INODE_REF_KEY, 256), INODE_REF.pack(InodeRef.of(2, b"secret"))),
        (Key(257, c.INODE_ITEM_KEY, 0), b"short"),
        (Key(258, 255, 0), b"\xff"),
    ]
    _, tree, _ = tree_of(items)
    complaints: list[str] = []
    events = [Trouble("odd"), BlockEvent(tree.root_block())]
    text = "".join(dump_json(events, Options(hide_names=True), complaints.append))
    document = json.loads(text)
    trouble, shown = document["dump-tree"]
    assert document["__header"] == {"version": "1"}
    assert trouble == {"kind": "trouble", "text": "odd"}
    assert complaints == ["odd"]
    assert shown["items"][0]["value"]["atime"] == "1970-01-01T00:00:00.000000000Z"
    assert "secret" not in text
    assert "InodeItem has 5 bytes" in shown["items"][2]["error"]
    assert shown["items"][3]["data_b64"] == "/w=="
