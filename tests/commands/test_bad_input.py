"""Whatever an image holds, a command ends with an exit status and a line: no traceback, no hang, no memory eater."""

import lzma
import os
import random
from collections.abc import Iterator
from pathlib import Path

import hostile
import pytest
from commandline import run
from damage import Blocks, Patch, applied, superblock_patches

GOLDEN = Path(__file__).parent.parent / "golden" / "kernel.img.xz"
UUID = "3702c990-ec6b-7049-b8a1-b51e398e9c47"  # two subvolumes of the golden image carry it
COMMANDS = (
    ("inspect", "dump-super", "-f", "-a"),
    ("inspect", "dump-tree"),
    ("inspect", "dump-tree", "--dfs", "--csum-items", "--csum-headers", "--format", "json"),
    ("inspect", "dump-tree", "-R", "-e"),
    ("subvolume", "list", "-p", "-c", "-u", "-q", "-R"),
    ("subvolume", "show"),
    ("uuid", "list"),
    ("uuid", "lookup"),
    ("log", "show"),
    ("subvolume", "list", "-a", "-t"),
    ("subvolume", "get-default"),
    ("uuid", "verify"),
    ("inspect", "list-chunks"),
    ("inspect", "tree-stats"),
    ("filesystem", "usage"),
    ("filesystem", "show"),
    ("filesystem", "df"),
    ("filesystem", "usage", "-T"),
    ("device", "stats"),
    ("device", "usage"),
    ("inspect", "map"),
    ("inspect", "map", "--svg", "-"),
    ("inspect", "inode-resolve", "257"),
    ("inspect", "logical-resolve", "13631488"),
    ("inspect", "subvolid-resolve", "256"),
    ("du", "-a"),
    ("du", "--exclusive", "-c"),
    ("du", "-s", "--exclusive"),
    ("ls", "-lRaF"),
    ("find", "-empty"),
    ("tree",),
    ("stat",),
    ("cat",),
    ("check", "--check-data-csum"),
)
REFUSED = {("uuid", "verify"): 8, ("check", "--check-data-csum"): 8}  # the codes of fsck(8)


def call(image: Path, command: tuple[str, ...]) -> str | None:
    """Run one command on the image; what is wrong with the way in which it ended."""
    arguments = (UUID,) if command == ("uuid", "lookup") else ()
    place = f"{image}:/home/log" if command == ("cat",) else image
    return run(*command, place, *arguments).complaint()


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private copy of the golden image that the kernel filled."""
    image = tmp_path_factory.mktemp("bad") / "image"
    data = lzma.decompress(GOLDEN.read_bytes())
    with image.open("wb") as file:
        for at in range(0, len(data), 1 << 16):
            piece = data[at : at + (1 << 16)]
            if piece.count(0) < len(piece):
                file.seek(at)
                file.write(piece)
        file.truncate(len(data))
    return image


def ext4_like() -> bytes:
    """What an ext4 image begins with, as far as anybody looks: its magic, and text."""
    return bytes(1080) + b"\x53\xef" + b"lost+found" * 20000


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n", ext4_like(), random.Random(0).randbytes(1 << 20)],
    ids=["empty", "text", "ext4", "random"],
)
def test_what_is_no_filesystem_is_refused_with_a_line(tmp_path: Path, command: tuple[str, ...], content: bytes) -> None:
    image = tmp_path / "image"
    image.write_bytes(content)
    arguments = (UUID,) if command == ("uuid", "lookup") else ()
    result = run(*command, image, *arguments)
    assert result.complaint() is None
    assert result.status == REFUSED.get(command, 1)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_directory_and_a_missing_file_are_refused_with_a_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    for image in (tmp_path, tmp_path / "missing", Path("/dev/null")):
        arguments = (UUID,) if command == ("uuid", "lookup") else ()
        result = run(*command, image, *arguments)
        assert result.complaint() is None
        assert result.status == REFUSED.get(command, 1)
        assert str(image) in result.errors


@pytest.mark.parametrize("name", hostile.IMAGES)
def test_a_hostile_image_is_met_with_lines_that_a_terminal_can_bear(tmp_path: Path, name: str, seed: int) -> None:
    image = hostile.build(name, tmp_path / "image")
    for command in random.Random(seed).sample(COMMANDS, 6):
        result = run(*command, image, *((UUID,) if command == ("uuid", "lookup") else ()))
        assert result.complaint() is None
        odd = [char for char in result.output if char < " " or "\x7f" <= char <= "\x9f"]
        assert set(odd) <= {"\n", "\t"}, command


def test_an_image_cut_short_at_any_length_is_met_with_a_line(golden: Path, seed: int) -> None:
    rng, size = random.Random(seed), golden.stat().st_size
    lengths = [0, 1, 65535, 65536, 65536 + 4095, 65536 + 4096, 1 << 20, size - 1, size - 4096]
    lengths += [rng.randrange(size) for _ in range(20)] + [int(size ** rng.random()) for _ in range(20)]
    complaints = []
    for length in lengths:
        cut = golden.with_name("cut")
        os.system(f"cp --sparse=always '{golden}' '{cut}'")
        os.truncate(cut, length)
        complaints += [(length, text) for command in rng.sample(COMMANDS, 3) if (text := call(cut, command))]
    assert not complaints


def test_every_superblock_field_at_zero_and_at_its_maximum_is_met_with_a_line(golden: Path) -> None:
    complaints = []
    for number, patch in enumerate(superblock_patches(golden)):
        with applied(golden, patch):
            for command in (COMMANDS[number % len(COMMANDS)], COMMANDS[(number + 4) % len(COMMANDS)]):
                complaints += [(patch.about, text) for text in [call(golden, command)] if text]
    assert not complaints


def mutations(blocks: Blocks, count: int, seed: int) -> Iterator[tuple[Patch, tuple[str, ...]]]:
    rng = random.Random(seed)
    for _ in range(count):
        yield blocks.random_patch(rng), rng.choice(COMMANDS)


def mutate(image: Path, count: int, seed: int) -> list[tuple[str, str]]:
    complaints = []
    for patch, command in mutations(Blocks(image), count, seed):
        with applied(image, patch):
            complaints += [(patch.about, text) for text in [call(image, command)] if text]
    return complaints


@pytest.mark.parametrize("part", range(4))
def test_random_flips_in_metadata_are_met_with_a_line(golden: Path, seed: int, part: int) -> None:
    assert not mutate(golden, 250, seed + part)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(10))
def test_ten_thousand_flips_in_metadata_are_met_with_a_line(golden: Path, seed: int, part: int) -> None:
    assert not mutate(golden, 1000, seed + 1000 + part)


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["log", "log-names", "reflinks", "quotas", "old", "received"])
def test_random_flips_in_other_kernel_made_images_are_met_with_a_line(
    kernel_image: object, tmp_path: Path, seed: int, name: str
) -> None:
    image = tmp_path / "image"
    os.system(f"cp --sparse=always '{kernel_image(name)}' '{image}' && chmod 644 '{image}'")  # type: ignore[operator]
    assert not mutate(image, 60, seed)
