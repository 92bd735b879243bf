"""`check` as its user calls it: what is said, in which form, with which exit status, and where it begins."""

import json
import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import Result, run
from damage import applied
from planted import Planted

from pybtrfs.fs.filesystem import open_filesystem
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.superblock import SUPERBLOCK

GOLDEN = Path(__file__).parent.parent / "golden" / "kernel.img.xz"
HOME = 256  # the subvolume /home


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("check") / "kernel.img"
    path.write_bytes(lzma.decompress(GOLDEN.read_bytes()))
    return path


@pytest.fixture
def wrong_links(golden: Path) -> Iterator[Path]:
    """The image with a file in /home that states seven names too many."""
    with Planted(golden) as planted:
        planted.set(HOME, (258, c.INODE_ITEM_KEY, 0), "nlink", 8)
        patch = planted.patch()
    with applied(golden, patch):
        yield golden


def check(*words: str | Path) -> Result:
    result = run("check", *words)
    assert "Traceback" not in result.errors
    return result


def test_a_sound_image_is_called_so_and_the_status_is_0(golden: Path) -> None:
    result = check(golden)
    assert (result.status, result.errors) == (0, "")
    assert ": no error found; " in result.output
    assert run("fsck", golden).output == result.output


def test_a_finding_names_the_file_what_it_means_and_what_to_do(wrong_links: Path) -> None:
    result = check(wrong_links)
    assert result.status == 4
    assert "error INO-002: " in result.output
    assert "inode 258: nlink less the number of its names is 7" in result.output
    assert "\n    /home/log\n" in result.output
    for word in ("means: ", "risk: ", "next: "):
        assert f"\n  {word}" in result.output


def test_findings_for_programs_are_a_line_of_json_each_and_a_summary(wrong_links: Path) -> None:
    for words in (("--format", "json", "check", wrong_links), ("check", wrong_links, "--format", "json")):
        result = run(*words)
        assert result.status == 4
        *found, summary = map(json.loads, result.output.splitlines())
        [links] = [line for line in found if line["code"] == "INO-002"]
        assert (links["severity"], links["tree"], links["inode"]) == ("error", HOME, 258)
        assert links["paths"] == [{"path": "/home/log"}]
        assert summary["errors"] == len([line for line in found if line["severity"] == "error"])


def test_one_subvolume_alone_is_judged_where_it_is_asked_for(wrong_links: Path) -> None:
    assert check("--subvol", "/home", wrong_links).status == 4
    assert check("--subvol", "/received/home-1", wrong_links).status == 0
    assert check("--subvol", "/backup", wrong_links).status == 16
    assert check("--subvol", "/nowhere", wrong_links).status == 8


def test_a_code_is_explained_without_an_image() -> None:
    result = check("--explain", "ino-002")
    assert result.status == 0
    assert result.output.startswith("INO-002: ")
    document = json.loads(run("--format", "json", "check", "--explain", "INO-002").output)["check-explain"]
    assert document.keys() == {"code", "title", "meaning", "risk", "next"}
    refused = check("--explain", "NO-1")
    assert refused.status == 16
    assert "the codes are " in refused.errors


def test_statuses_are_those_of_fsck(golden: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(bytes(1 << 20))
    assert check(tmp_path / "empty").status == 8
    assert check(tmp_path / "missing").status == 8
    assert check().status == 16
    assert check("--backup", "--tree-root", "30408704", golden).status == 16


def test_the_check_begins_at_another_superblock_root_or_backup(golden: Path) -> None:
    with open_filesystem(str(golden)) as filesystem:
        root, generation = filesystem.superblock.root, filesystem.superblock.generation
        older = max(
            (backup for backup in filesystem.superblock.super_roots if 0 < backup.tree_root_gen < generation),
            key=lambda backup: backup.tree_root_gen,
        )
    assert check("-s", "1", golden).output == check("--super", "1", golden).output == check(golden).output
    assert check("--tree-root", str(root), golden).status == 0
    assert check("--tree-root", "4096", golden).status == 8
    backup = check("-b", golden)
    assert backup.status in (0, 4)  # what the newer commit has written over is told
    assert backup.output == check("-r", str(older.tree_root), golden).output
    with Planted(golden) as planted:
        planted.superblock(copies=(0,), root=root + 1 * 4096)
        patch = planted.patch()
    assert SUPERBLOCK.size == 4096
    with applied(golden, patch):
        assert check(golden).status in (4, 8)
        assert check("--super", "1", golden).status in (0, 4)


def test_data_is_verified_where_it_is_asked_for(golden: Path) -> None:
    with Planted(golden) as planted:
        logical = next(
            item.key.objectid
            for item in planted.items(c.EXTENT_TREE_OBJECTID, (None, c.EXTENT_ITEM_KEY, None))
            if item.parse().flags & c.EXTENT_FLAG_DATA
        )
        planted.data(logical, b"damage")
        patch = planted.patch()
    with applied(golden, patch):
        assert check(golden).status == 0
        result = check("--check-data-csum", golden)
        assert result.status == 4
        assert " DAT-" in result.output
        assert "    /" in result.output
