"""The kernel and btrfs-progs judge our mkfs: each row of a table of option sets.

Every filesystem passes `btrfs check`, then is mounted read-write, takes files and a snapshot, and passes again.
Beside it the C program makes one with the same options: superblock, chunks and every item are equal, but for
what is listed here: addresses of tree blocks (C leaves gaps from its several commits) and with them the free
space between; generations (ours has one commit); the backup roots of the commits that we never made; of a quota
tree's root item the references and size, of its limit item all (C leaves them at 0 and to chance; ours are as the
kernel's).
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import judge
import pytest
from click.testing import CliRunner

from pybtrfs.commands.mkfs import command

pytestmark = pytest.mark.kernel

FSID, DEVICE_UUID = "01234567-89ab-cdef-0123-456789abcdef", "fedcba98-7654-3210-fedc-ba9876543210"
MIB, GIB = 1024**2, 1024**3


class Row(NamedTuple):
    """An option set; `mountable` is False for what kernels with pages of 4 KiB refuse."""

    size: int
    options: str
    mountable: bool = True
    devices: int = 1


ROWS = [
    Row(109 * MIB, ""),
    Row(110 * MIB, "-n 64k --csum sha256 -L minimum"),
    Row(120 * MIB, "-n 4k -d single -m dup -O ^block-group-tree"),
    Row(200 * MIB, "-m single --csum xxhash"),
    Row(256 * MIB, "-L ünï -n 8k"),
    Row(300 * MIB, "-d dup -n 32k --csum blake2"),
    Row(333333333, "-O ^no-holes"),
    Row(512 * MIB, "-d dup -m dup -O ^skinny-metadata"),
    Row(512 * MIB, "-d dup -m single -n 4k"),
    Row(1000000001, ""),
    Row(GIB, ""),
    Row(GIB, "-n 4k"),
    Row(GIB, "-n 8k -O ^extref --csum sha256"),
    Row(GIB, "-n 32k -m single"),
    Row(GIB, "-n 64k -O ^free-space-tree"),
    Row(GIB, "-O ^free-space-tree --csum xxhash64"),
    Row(GIB, "-O ^bgt,^fst -n 4k -m single"),
    Row(GIB, "-O ^skinny-metadata,^extref,^no-holes,^fst -n 4k"),
    Row(GIB, "-O ^skinny-metadata -n 64k --csum blake2b"),
    Row(GIB, "-O raid56,raid1c34"),
    Row(GIB, "-d raid0"),
    Row(GIB, "-d raid0 -m raid0 -n 8k"),
    Row(GIB, f"-L {'x' * 255}"),
    Row(3 * GIB, "-d dup"),
    Row(9 * GIB, "-m single -d dup --csum blake2"),
    Row(50 * GIB, "--csum sha256"),
    Row(50 * GIB + 65536, "-n 4k"),
    Row(64 * GIB, "-m dup -d dup -n 8k"),
    Row(255 * GIB, "-n 64k"),
    Row(257 * GIB, "--csum xxhash -L mirrors"),
    Row(1024 * GIB, ""),
    Row(1024 * GIB, "-n 4k -m single --csum sha256"),
    Row(1024 * GIB, "-n 64k -d dup -O ^bgt"),
    Row(45 * MIB, "-m single -d single"),
    Row(60 * MIB, "-m single -d single -n 64k -O ^bgt"),
    Row(77 * MIB, "-m single -n 4k -O ^fst"),
    Row(16 * MIB, "-M"),
    Row(17 * MIB, "-M --csum xxhash -O ^bgt"),
    Row(24 * MIB, "--mixed -L small"),
    Row(30 * MIB, "-M -O ^no-holes"),
    Row(40 * MIB, "-M -O ^fst"),
    Row(100 * MIB, "-M --csum blake2"),
    Row(170 * MIB, "-M -m dup -d dup"),
    Row(GIB, "-O mixed-bg -n 4k"),
    Row(GIB, "-M -m dup -d dup -O ^skinny-metadata"),
    Row(200 * GIB, "-M --csum sha256"),
    Row(GIB, "-s 8k -n 8k", mountable=False),
    Row(GIB, "-s 16k --csum sha256", mountable=False),
    Row(GIB, "-s 32k -n 64k -m single", mountable=False),
    Row(GIB, "-s 64k", mountable=False),
    Row(142 * MIB, "-s 64k -M", mountable=False),
    Row(28 * MIB, "-s 8k -M", mountable=False),
    Row(300 * MIB, "-O quota"),
    Row(300 * MIB, "-R quota -n 64k -m single"),
    Row(GIB, "-O squota"),
    Row(GIB, "-O quota,squota -n 4k --csum xxhash"),
    Row(GIB, "-O squota,^no-holes"),
    Row(50 * MIB, "-M -O squota,^fst"),
    Row(GIB, "-O quota -s 64k", mountable=False),
]
SEVERAL = [
    Row(GIB, "", devices=2),
    Row(GIB, "-d raid1 --csum xxhash", devices=3),
    Row(GIB, "-d raid1 -m raid1 -n 4k", devices=2),
    Row(130 * MIB, "-d raid1 -O ^bgt", devices=4),
    Row(GIB, "-m raid1c3 -d raid1c3", devices=3),
    Row(GIB, "-m raid1c3 -d raid1 -n 64k", devices=5),
    Row(GIB, "-m raid1c4 -d raid1c3", devices=4),
    Row(20 * GIB, "-m raid1c4 -d raid1c4 --csum blake2", devices=6),
    Row(GIB, "-m dup -d dup", devices=2),
    Row(GIB, "-m single -d single -O ^fst", devices=3),
    Row(GIB, "-m raid0 -d raid0", devices=2),
    Row(40 * GIB, "-m raid0 -d raid0 -n 64k", devices=3),
    Row(GIB, "-m raid1 -d raid0 -L stripes", devices=6),
    Row(GIB, "-m raid10 -d raid10", devices=2),
    Row(2 * GIB, "-m raid10 -d raid10 -n 8k", devices=4),
    Row(GIB, "-m raid10 -d raid0", devices=5),
    Row(GIB, "-m raid5 -d raid5", devices=2),
    Row(GIB, "-m raid5 -d raid5 -n 4k", devices=3),
    Row(30 * GIB, "-m raid5 -d raid6", devices=6),
    Row(GIB, "-m raid6 -d raid6", devices=3),
    Row(GIB, "-m raid6 -d raid5 -n 64k --csum sha256", devices=4),
    Row(300 * GIB, "-m raid6 -d raid0", devices=5),
    Row(GIB, "-M -m raid1 -d raid1", devices=2),
    Row(100 * MIB, "-M", devices=3),
    Row(GIB, "-M -m raid5 -d raid5", devices=4),
    Row(GIB, "-O quota -m raid1 -d raid1", devices=2),
    Row(GIB, "-O squota -m raid6 -d raid6", devices=3),
]


def _id(row: Row) -> str:
    return f"{row.devices}x{row.size} {row.options}"[:60]


@pytest.mark.parametrize("row", ROWS, ids=_id)
def test_what_we_make_is_what_the_c_program_makes(row: Row, tmp_path: Path) -> None:
    ours, theirs = _both(row, tmp_path)
    judge.btrfs_check(ours)
    assert _superblock(ours) == _superblock(theirs)
    our_items, their_items = _items(ours), _items(theirs)
    assert our_items.keys() == their_items.keys()
    for tree, items in our_items.items():
        assert items == their_items[tree], tree


@pytest.mark.parametrize("row", [row for row in ROWS if row.mountable], ids=_id)
def test_the_kernel_writes_to_what_we_make(row: Row, tmp_path: Path) -> None:
    image = _ours(row, tmp_path / "ours.img")
    with judge.mounted(image) as top:
        (top / "directory").mkdir()
        for number in range(20):
            (top / "directory" / f"file {number}").write_bytes(bytes([number]) * number * 1000)
        (top / "link").symlink_to("directory/file 3")
        judge.run("btrfs", "subvolume", "create", top / "subvolume")
        judge.run("btrfs", "subvolume", "snapshot", "-r", top, top / "snapshot")
        judge.run("sync", "--file-system", top)
        (top / "directory" / "file 7").unlink()
    judge.btrfs_check(image)
    with judge.mounted(image) as top:
        assert (top / "snapshot" / "directory" / "file 7").read_bytes() == b"\7" * 7000
        assert not (top / "directory" / "file 7").exists()


@pytest.mark.parametrize("row", SEVERAL, ids=_id)
def test_on_several_devices_superblocks_and_chunks_are_those_of_the_c_program(row: Row, tmp_path: Path) -> None:
    found = {}
    for who in ("ours", "theirs"):
        images = [tmp_path / f"{who} {number}" for number in range(row.devices)]
        fsid = str(uuid.uuid4())
        for image in images:
            with image.open("wb") as file:
                file.truncate(row.size)
        arguments = [*row.options.split(), "-q", "-U", fsid, *map(str, images)]
        if who == "theirs":
            judge.run("mkfs.btrfs", *arguments)
        else:
            CliRunner().invoke(command, arguments, catch_exceptions=False)
        with _attached(images) as devices:
            judge.btrfs_check(Path(devices[0]))
            trees = _items(Path(devices[0]))
            superblocks = [_superblock(Path(device)) for device in devices]
        found[who] = _without_uuids([*superblocks, trees["CHUNK_TREE"], trees["DEV_TREE"]], fsid)
    assert found["ours"] == found["theirs"]


@pytest.mark.parametrize("row", SEVERAL, ids=_id)
def test_the_kernel_writes_to_what_we_make_on_several_devices(row: Row, tmp_path: Path) -> None:
    images = [str(tmp_path / f"device {number}") for number in range(row.devices)]
    arguments = [*row.options.split(), "-q", "-b", str(row.size), *images]
    CliRunner().invoke(command, arguments, catch_exceptions=False)
    with _attached([Path(image) for image in images]) as devices:
        others = ",".join(f"device={device}" for device in devices)
        for content in (b"first" * 50000, b"again" * 50000):
            judge.run("mount", "-t", "btrfs", "-o", others, devices[0], _folder(tmp_path))
            try:
                (_folder(tmp_path) / "file").write_bytes(content)
                assert (_folder(tmp_path) / "file").read_bytes() == content
                judge.run("btrfs", "scrub", "start", "-B", _folder(tmp_path))
            finally:
                judge.run("umount", _folder(tmp_path))
            judge.btrfs_check(Path(devices[0]))


@pytest.mark.parametrize("feature", ["quota", "squota", "squota,^skinny-metadata"])
def test_the_kernel_goes_on_counting_what_our_quota_tree_began(feature: str, tmp_path: Path) -> None:
    image = _ours(Row(300 * MIB, f"-O {feature}"), tmp_path / "ours.img")
    with judge.mounted(image) as top:
        begun = _qgroups(top)
        judge.run("btrfs", "subvolume", "create", top / "subvolume")
        (top / "subvolume" / "file").write_bytes(b"x" * 300_000)
        (top / "file").write_bytes(b"y" * 100_000)
        judge.run("sync", "--file-system", top)
        held = _qgroups(top)
        (top / "file").unlink()
    assert begun == {"0/5": ["16384", "16384"]}
    assert held == {"0/5": ["118784"] * 2, "0/256": ["319488"] * 2}
    if "skinny" not in feature:  # the C program's check overlooks long extent items, also where the kernel wrote all
        judge.btrfs_check(image)
    with judge.mounted(image) as top:
        assert _qgroups(top) == {"0/5": ["16384"] * 2, "0/256": ["319488"] * 2}


def _qgroups(top: Path) -> dict[str, list[str]]:
    """Each qgroup's bytes, referenced and exclusive; the kernel must not doubt them."""
    shown = judge.run("btrfs", "qgroup", "show", "--raw", top)
    assert "inconsistent" not in shown.stderr
    return {row.split()[0]: row.split()[1:3] for row in shown.stdout.splitlines() if row.startswith("0/")}


def test_every_superblock_mirror_can_replace_the_primary(tmp_path: Path) -> None:
    image = _ours(Row(257 * GIB, ""), tmp_path / "ours.img")
    for mirror, offset in ((1, 64 * MIB), (2, 256 * GIB)):
        with image.open("r+b") as file:
            file.seek(offset)
            superblock = file.read(4096)
            file.seek(65536)
            file.write(bytes(4096))
        recovered = judge.run("btrfs", "rescue", "super-recover", "-y", image, check=False)
        assert recovered.returncode == 2, mirror  # which means: found a bad one, and mended it
        judge.btrfs_check(image)
        assert superblock[32:48] == uuid.UUID(FSID).bytes, mirror


@pytest.mark.parametrize("options", ["", "-M", "-M -d dup -m dup", "-m single", "-d dup", "-n 64k -M -s 64k"])
def test_the_smallest_size_is_the_one_that_we_name(options: str, tmp_path: Path) -> None:
    image = tmp_path / "ours.img"
    said = CliRunner().invoke(command, [*options.split(), "-b", "1M", str(image)])
    least = int(re.findall(r"needs (\d+)", str(said.exception))[0])
    judge.btrfs_check(_ours(Row(least, options), image))
    theirs = tmp_path / "theirs.img"
    judge.mkfs(theirs, least, *options.split())  # the C program agrees that it is enough
    with pytest.raises(judge.RefusedError):
        judge.mkfs(theirs, least - 65536, *options.split())


@pytest.mark.parametrize(
    ("devices", "options"),
    [
        (2, ""),
        (2, "-m single -d single"),
        (2, "-M"),
        (2, "-m dup -d dup"),
        (3, "-m raid5 -d raid5"),
        (4, "-m raid6 -d raid10"),
        (4, "-m raid1c4 -d raid0"),
    ],
)
def test_the_smallest_size_of_each_of_several_devices_is_the_one_that_we_name(
    devices: int, options: str, tmp_path: Path
) -> None:
    images = [tmp_path / f"{number}" for number in range(devices)]
    said = CliRunner().invoke(command, [*options.split(), "-b", "1M", *map(str, images)])
    least = int(re.findall(r"needs (\d+) on each device", str(said.exception))[0])
    CliRunner().invoke(command, [*options.split(), "-b", f"{least}", *map(str, images)], catch_exceptions=False)
    with _attached(images) as loops:
        judge.btrfs_check(Path(loops[0]))
    judge.run("mkfs.btrfs", "-f", *options.split(), *images)  # the C program agrees that it is enough
    for image in images:
        os.truncate(image, least - 65536)
    with pytest.raises(judge.RefusedError):
        judge.run("mkfs.btrfs", "-f", *options.split(), *images)


@pytest.mark.parametrize("options", ["-L label", "-M -L label", "-d dup -n 4k --csum blake2 -O ^bgt -L label"])
def test_the_summary_says_what_the_c_program_says(options: str, tmp_path: Path) -> None:
    image, ids = tmp_path / "one.img", ["-U", FSID, "--device-uuid", DEVICE_UUID]
    ours = CliRunner().invoke(command, [*options.split(), *ids, "-b", "5G", str(image)], catch_exceptions=False)
    theirs = str(judge.run("mkfs.btrfs", "-f", *options.split(), *ids, image).stdout)
    own = re.compile(r"SSD detected|Zoned device")
    _, label, summary = re.sub(r"\t\(CPU page size.*", "", theirs).partition("Label:")
    wanted = [line.rstrip() for line in (label + summary).splitlines() if line and not own.match(line)]
    assert ours.output.splitlines() == wanted


@contextlib.contextmanager
def _attached(images: list[Path]) -> Iterator[list[str]]:
    """Loop devices over the images, made known to the kernel as one filesystem's."""
    with contextlib.ExitStack() as stack:
        devices = [stack.enter_context(judge.loop_device(image)) for image in images]
        judge.run("btrfs", "device", "scan", *devices)
        yield devices


def _folder(parent: Path) -> Path:
    folder = parent / "mounted"
    folder.mkdir(exist_ok=True)
    return folder


def _without_uuids(lists: list[list[str]], fsid: str) -> list[list[str]]:
    """The lines with random UUIDs left out; the filesystem's is named."""
    named = [[line.replace(fsid, "FSID") for line in lines] for lines in lists]
    return [[re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UUID", line) for line in lines] for lines in named]


def _both(row: Row, folder: Path) -> tuple[Path, Path]:
    theirs = folder / "theirs.img"
    judge.mkfs(theirs, row.size, *row.options.split(), "-U", FSID, "--device-uuid", DEVICE_UUID)
    return _ours(row, folder / "ours.img"), theirs


def _ours(row: Row, image: Path) -> Path:
    ids = ["-U", FSID, "--device-uuid", DEVICE_UUID]
    arguments = [*row.options.split(), *ids, "-q", "-b", str(row.size), str(image)]
    CliRunner().invoke(command, arguments, catch_exceptions=False)
    return image


def _superblock(image: Path) -> list[str]:
    """The lines of `dump-super -f`, without addresses, older commits and the name of the image."""
    before, _, backups = judge.dump_super(image, "-f").partition("backup_roots[4]:")
    generation = int(re.findall(r"\ngeneration\s+(\d+)", before)[0])
    newest = backups.partition(f"\tbackup {(generation - 1) % 4}:")[2].partition("\tbackup ")[0]
    lines = [re.sub(r"\t\d+\tgen: \d+", "", line) for line in (before + newest).splitlines()]
    own = re.compile(r"superblock:|csum\t|root\t|chunk_root\t|chunk_root_generation\t|uuid_tree_generation\t")
    return [line for line in lines if line and not own.match(line)]


def _items(image: Path) -> dict[str, list[str]]:
    """The items of every tree by the tree's owner, as sorted text without what may differ."""
    dump = judge.dump_tree(image)
    trees: dict[str, list[str]] = {}
    for block in re.split(r"^(?=leaf \d+ items|node \d+ level)", dump, flags=re.MULTILINE)[1:]:
        owner = re.findall(r"owner (\S+)", block)[0]
        trees.setdefault(owner, []).extend(_normal(item) for item in _split(block))
    return {owner: sorted(filter(None, items)) for owner, items in trees.items()}


def _split(block: str) -> list[str]:
    """The items of a leaf, without what the next tree's title adds."""
    lines = [line for line in block.splitlines() if line.startswith("\t")]
    return re.split(r"^\titem \d+ ", "\n".join(lines) + "\n", flags=re.MULTILINE)[1:]


def _normal(item: str) -> str:
    if "FREE_SPACE_EXTENT" in item:
        return ""
    if "QUOTA_TREE ROOT_ITEM" in item:
        item = re.sub(r"(bytes_used|refs) \d+", r"\1", item)
    if "QGROUP_LIMIT" in item:
        item = item.partition("\n")[0]
    item = re.sub(r" itemoff \d+", "", item)
    item = re.sub(r"(\(|bytenr )\d+( METADATA_ITEM| EXTENT_ITEM| byte_limit)", r"\1BLOCK\2", item)
    item = re.sub(r"\b(gen|generation|generation_v2|transid|enable_gen) \d+", r"\1", item)
    item = re.sub(r"(extent count) \d+", r"\1", item)
    item = re.sub(r"([acmo]time) \d+\.\d.*", r"\1", item)
    item = re.sub(r"(chunk_tree_uuid) \S+", r"\1", item)
    item = re.sub(r"\n\t\tuuid (?!0000|fedc).*", "\n\t\tuuid", item)
    item = re.sub(r"\(0x[0-9a-f]+ UUID_KEY_SUBVOL 0x[0-9a-f]+\)", "(UUID_KEY_SUBVOL)", item)
    return re.sub(r"tree block key \(.*\) level", "tree block key level", item)
