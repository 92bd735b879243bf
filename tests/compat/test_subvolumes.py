"""Subvolumes and UUIDs of images that the kernel filled: what we read unmounted is what it says mounted."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import judge
import pytest
from commandline import run

pytestmark = pytest.mark.kernel
IMAGES = ("default", "snapshots", "received", "labelled", "old-snapshots", "crowded", "quotas")
Image = Callable[[str], Path]


def ours(*command: str | Path) -> str:
    result = run(*command)
    assert result.status == 0, result.errors
    return result.output


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize(
    "options", ["", "-u -q -R -p", "-c -g -p", "-t", "-t -u -q -R", "-s", "-r", "-r -s", "--sort=gen"]
)
def test_subvolume_list_prints_what_btrfs_prints_of_the_mounted_filesystem(
    kernel_image: Image, name: str, options: str
) -> None:
    image = kernel_image(name)
    with judge.mounted(image, "subvolid=5", read_only=True) as top:
        theirs = judge.btrfs("subvolume", "list", *options.split(), top)
    assert ours("subvolume", "list", *options.split(), image) == theirs


FOREST_OPTIONS = [
    *(
        "",
        "-u -q -R -p",
        "-p",
        "-c",
        "-g",
        "-u",
        "-q",
        "-R",
        "-t",
        "-a",
        "-o",
        "-s",
        "-r",
        "-d",
        "-t -a -s -u -q -R -p -c",
    ),
    *("-G +100", "-G -100 -u", "-C 50", "-C +60 -r -s", "-d -a -p", "-o -s -R", "-s -t"),
    *("--sort=path", "--sort=-path,gen", "--sort=gen,-rootid -a", "--sort=ogen,path -o", "--sort=-rootid -q"),
]


def test_two_hundred_nested_subvolumes_are_listed_line_for_line_as_btrfs_lists_them(kernel_image: Image) -> None:
    """At the top with every option, further down with those that look at the place."""
    image = kernel_image("forest")
    rows = json.loads(ours("--format", "json", "subvolume", "list", image))["subvolume-list"]
    assert len(rows) >= 200
    places = ["", *(row["path"] for row in rows if row["path"].isprintable() and "path_b64" not in row)][:40:13]
    different = []
    with judge.mounted(image, "subvolid=5", read_only=True) as top:
        for path in places:
            for options in FOREST_OPTIONS if not path else ("-u -q -R -p", "-a", "-o", "-o -s -R", "--sort=-path,gen"):
                theirs = judge.btrfs("subvolume", "list", *options.split(), top / path).replace("\x1b", "\\x1b")
                if ours("subvolume", "list", *options.split(), f"{image}:/{path}") != theirs:
                    different.append((path, options))
    assert not different


def test_the_tree_has_each_subvolume_once_under_the_one_that_holds_it(kernel_image: Image) -> None:
    image = kernel_image("forest")
    rows = json.loads(ours("--format", "json", "subvolume", "list", image))["subvolume-list"]
    first, *lines = ours("subvolume", "list", "--tree", "-u", image).splitlines()
    assert first.startswith("<FS_TREE> (ID 5 gen ")
    way: list[int] = [5]
    found = []
    for line in lines:
        branch, name, number, uuid = re.fullmatch(
            r"([ │]*[├└]── )(.*) \(ID (\d+) gen .*uuid (\S+?)( readonly)?\)", line
        ).groups()[:4]  # type: ignore[union-attr]
        depth = len(branch) // 4
        way[depth:] = [int(number)]
        found.append((int(number), way[depth - 1], uuid, name))
    names = {row["id"]: row["name"] for row in rows}
    assert sorted(row[:3] for row in found) == [(row["id"], row["parent"], row["uuid"]) for row in rows]
    assert all(
        name.endswith(names[number])
        for number, _, _, name in found
        if names[number].isascii() and names[number].isprintable()
    )


def test_the_tree_of_a_place_and_a_filter_shows_what_leads_there(kernel_image: Image) -> None:
    image = kernel_image("snapshots")
    assert ours("subvolume", "list", "--tree", f"{image}:/work").splitlines() == [
        *(line for line in ours("subvolume", "list", "--tree", f"{image}:/work").splitlines()[:1]),
        *(line[4:] for line in ours("subvolume", "list", "--tree", image).splitlines() if line.startswith("│   ")),
    ]
    read_only = ours("subvolume", "list", "--tree", "-r", image).splitlines()
    assert [line for line in read_only if "readonly" in line]
    assert not [line for line in read_only if "writable" in line]
    assert run("subvolume", "list", "--tree", "-t", image).status == 2


def test_deleted_subvolumes_are_listed_as_such_and_lead_nowhere(kernel_image: Image) -> None:
    image = kernel_image("half-deleted")
    rows = json.loads(ours("--format", "json", "subvolume", "list", "-d", image))["subvolume-list"]
    assert rows
    for row in rows[:3]:
        assert (row["deleted"], row["path"]) == (True, "DELETED")
        assert ours("subvolume", "show", "-r", str(row["id"]), image).startswith("DELETED\n")


@pytest.mark.parametrize("name", ["snapshots", "received", "old-snapshots", "half-deleted"])
@pytest.mark.parametrize(
    "options",
    ["", "-a", "-o", "-a -o -p", "-G +10", "-G -11 -C +9", "-C 9 -t", "--sort=-gen,+path", "--sort=ogen,-rootid", "-d"],
)
def test_subvolume_list_of_a_place_prints_what_btrfs_prints_there(kernel_image: Image, name: str, options: str) -> None:
    image = kernel_image(name)
    rows = json.loads(ours("--format", "json", "subvolume", "list", image))["subvolume-list"][:3]
    with judge.mounted(image, "subvolid=5", read_only=True) as top:
        for path in ["", *(row["path"] for row in rows)]:
            theirs = judge.btrfs("subvolume", "list", *options.split(), top / path)
            assert ours("subvolume", "list", *options.split(), f"{image}:/{path}") == theirs


@pytest.mark.parametrize("name", ["default", "labelled"])
def test_subvolume_get_default_prints_what_btrfs_prints(kernel_image: Image, name: str) -> None:
    with judge.mounted(kernel_image(name), "subvolid=5", read_only=True) as top:
        theirs = judge.btrfs("subvolume", "get-default", top)
    assert ours("subvolume", "get-default", kernel_image(name)) == theirs


@pytest.mark.parametrize("name", IMAGES)
def test_subvolume_show_prints_what_btrfs_prints_of_each_subvolume(kernel_image: Image, name: str) -> None:
    image = kernel_image(name)
    rows = json.loads(ours("--format", "json", "subvolume", "list", image))["subvolume-list"][:12]
    with judge.mounted(image, "subvolid=5", read_only=True) as top:
        for path in ["", *(row["path"] for row in rows)]:
            theirs = judge.btrfs("subvolume", "show", top / path)
            assert ours("subvolume", "show", f"{image}:/{path}") == theirs


@pytest.mark.parametrize("name", IMAGES)
def test_each_uuid_of_the_list_is_found_and_leads_to_its_subvolume(kernel_image: Image, name: str) -> None:
    image = kernel_image(name)
    rows = json.loads(ours("--format", "json", "subvolume", "list", image))["subvolume-list"]
    entries = {tuple(line.split()) for line in ours("uuid", "list", image).splitlines()}
    wanted = {(row["uuid"], "own", str(row["id"])) for row in rows}
    wanted |= {(row["received_uuid"], "received", str(row["id"])) for row in rows if row["received_uuid"]}
    top_level = {entry for entry in entries if entry[2] == "5"}
    assert entries == wanted | top_level
    assert len(top_level) <= 1
    for row in rows[:5]:
        spelled = row["uuid"].upper().replace("-", "")
        assert ours("uuid", "lookup", image, spelled).startswith(f"{row['id']} own /{row['path']}\n")
        assert ours("uuid", "lookup", "--field", "id", image, row["uuid"]).startswith(f"{row['id']}\n")
        assert ours("uuid", "lookup", "--field", "path", image, row["uuid"]).startswith(f"/{row['path']}\n")


def test_a_received_uuid_leads_to_every_subvolume_that_was_received_with_it(kernel_image: Image) -> None:
    image = kernel_image("received")
    rows = json.loads(ours("--format", "json", "subvolume", "list", image))["subvolume-list"]
    uuids = [row["received_uuid"] for row in rows if row["received_uuid"]]
    doubled = next(uuid for uuid in uuids if uuids.count(uuid) > 1)
    found = ours("uuid", "lookup", "--received", image, doubled).splitlines()
    assert sorted(found) == sorted(
        f"{row['id']} received /{row['path']}" for row in rows if row["received_uuid"] == doubled
    )
    found = json.loads(ours("uuid", "lookup", image, doubled, "--format", "json"))["uuid-lookup"]
    own = [row["id"] for row in rows if row["uuid"] == doubled]  # the one that was sent is here, too
    assert [entry["kind"] for entry in found["subvolumes"]] == ["own"] * len(own) + ["received"] * uuids.count(doubled)


@pytest.mark.parametrize("name", [*IMAGES, "half-deleted", "orphans", "metadata-uuid"])
def test_the_uuid_tree_that_the_kernel_keeps_is_verified(kernel_image: Image, name: str) -> None:
    assert ours("uuid", "verify", kernel_image(name)) == ""


def test_a_uuid_that_nobody_carries_ends_with_1_and_a_line(kernel_image: Image) -> None:
    result = run("uuid", "lookup", kernel_image("default"), "00000000-0000-0000-0000-000000000001")
    assert (result.status, result.output) == (1, "")
    assert "no subvolume has the UUID 00000000-0000-0000-0000-000000000001" in result.errors


@pytest.mark.parametrize("name", ["log", "log-4k", "log-old", "log-names"])
def test_log_show_names_every_inode_that_the_log_holds(kernel_image: Image, name: str) -> None:
    image = kernel_image(name)
    shown = ours("log", "show", image)
    document = json.loads(ours("log", "show", "--format", "json", image))["log"]
    blocks = re.split(r"^(?=leaf \d+ items|node \d+ level)", judge.dump_tree(image), flags=re.MULTILINE)
    logs = "".join(block for block in blocks if " owner TREE_LOG\n" in block)
    inodes = len(re.findall(r"^\titem \d+ key \(\d+ INODE_ITEM 0\)", logs, re.MULTILINE))
    assert inodes > 0
    assert shown.count("  inode ") == sum(len(log["inodes"]) for log in document) >= inodes
    assert sum("mode" in inode for log in document for inode in log["inodes"]) == inodes
    extents = sum(len(inode["extents"]) for log in document for inode in log["inodes"])
    assert extents == sum(" EXTENT_DATA " in line for line in logs.splitlines())


def test_log_show_of_an_image_without_a_log_says_so(kernel_image: Image) -> None:
    assert ours("log", "show", kernel_image("default")) == "no log waits\n"


def test_a_waiting_log_is_announced_by_other_commands(kernel_image: Image) -> None:
    result = run("subvolume", "list", kernel_image("log"))
    assert result.status == 0
    assert "a tree log waits to be replayed" in result.errors
    assert run("-q", "subvolume", "list", kernel_image("log")).errors == ""
