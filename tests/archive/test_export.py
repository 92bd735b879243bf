"""export-tar: the golden image, an archive that the standard library reads, the same bytes each time."""

import hashlib
import tarfile
from pathlib import Path

from commandline import run


def export(*words: str | Path) -> None:
    result = run("export-tar", *words)
    assert result.complaint() is None
    assert (result.status, result.errors) == (0, "")


def test_the_standard_library_reads_the_archive(golden: Path, tmp_path: Path) -> None:
    export(golden, tmp_path / "tar")
    with tarfile.open(tmp_path / "tar") as archive:
        names = archive.getnames()
        notes = archive.getmember("./home/notes")
        log = archive.extractfile("./home/log")
        linked = archive.getmember("./home/linked")
        assert log is not None
        assert log.read() == b"compressible\n" * 20000 + b"more\n" * 1000
    assert names[0] == "."
    assert names == [names[0], *sorted(names[1:])]
    assert (notes.linkname, notes.type) == ("./home/linked", tarfile.LNKTYPE)
    assert linked.pax_headers["SCHILY.xattr.user.colour"] == "blue"


def test_the_same_image_gives_the_same_bytes(golden: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export(golden, tmp_path / name)
    one, two = ((tmp_path / name).read_bytes() for name in ("one", "two"))
    assert hashlib.sha256(one).digest() == hashlib.sha256(two).digest()
    assert len(one) % 10240 == 0


def test_a_single_file_is_a_member_by_its_name(golden: Path, tmp_path: Path) -> None:
    export(f"{golden}:/home/random", tmp_path / "tar")
    with tarfile.open(tmp_path / "tar") as archive:
        assert [(member.name, member.size) for member in archive] == [("random", 70000)]


def test_a_selection_has_the_way_to_what_it_takes(golden: Path, tmp_path: Path) -> None:
    export("--include", "notes", "--exclude", "home-2", f"{golden}:/backup", tmp_path / "tar")
    with tarfile.open(tmp_path / "tar") as archive:
        assert archive.getnames() == [".", "./home-1", "./home-1/notes"]


def test_an_archive_that_cannot_be_written_leaves_no_file(golden: Path, tmp_path: Path) -> None:
    result = run("export-tar", golden, tmp_path / "missing" / "tar")
    assert (result.complaint(), result.status) == (None, 1)
    assert result.errors.endswith(f": {tmp_path}/missing/tar: cannot create: No such file or directory\n")
    result = run("export-tar", golden, "/dev/full")
    assert result.status == 1
    assert result.errors == f"pybtrfs: {golden}: /dev/full: cannot write: No space left on device\n"
    assert run("export-tar", "--format", "json", golden, "-").status == 2
