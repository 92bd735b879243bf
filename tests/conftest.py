"""What every test may ask for: the seed of this run, and an image that the kernel filled.

A test marked `kernel` is skipped where the kernel cannot judge, and says why; with
PYBTRFS_REQUIRE_KERNEL=1, as in CI, it fails there instead. A test marked `soak` wants `--soak`.
The seed is PYBTRFS_SEED, or a new one, and is printed; all xdist workers share it.
"""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import hypothesis
import hypothesis.core
import judge
import matrix
import pytest
import zoo

LOCK_SECONDS = 240  # less than a test may take, so that the message is this one
SOAK_SECONDS = 3600


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the long tests as well")


def pytest_configure() -> None:
    seed = int(os.environ.setdefault("PYBTRFS_SEED", str(random.SystemRandom().randrange(2**32))))  # workers inherit it
    hypothesis.core.global_force_seed = seed
    hypothesis.settings.register_profile("pybtrfs", deadline=None)  # how long an example takes is the machine's affair
    hypothesis.settings.load_profile("pybtrfs")


def pytest_report_header() -> str:
    reason = judge.kernel_missing()
    return f"seed: PYBTRFS_SEED={os.environ['PYBTRFS_SEED']}; kernel judge: {reason or 'present'}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    if exitstatus:  # where -q has hidden the header
        terminalreporter.line(f"to repeat: PYBTRFS_SEED={os.environ['PYBTRFS_SEED']}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("soak") and not item.config.getoption("--soak"):
        pytest.skip("long: runs with --soak")
    if item.get_closest_marker("kernel") and (reason := judge.kernel_missing()):
        if os.environ.get("PYBTRFS_REQUIRE_KERNEL") == "1":
            pytest.fail(f"PYBTRFS_REQUIRE_KERNEL=1, but {reason}", pytrace=False)
        pytest.skip(reason)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("soak") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SOAK_SECONDS))


def patiently_locked(lock: IO[str]) -> None:
    """Take the lock, or fail where another worker keeps it for longer than making an image can take."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                pytest.fail(f"{lock.name} was locked for {LOCK_SECONDS} seconds: the worker that makes it is stuck")
        time.sleep(0.05)


@pytest.fixture(scope="session")
def seed() -> int:
    """The one number that this run's random choices derive from."""
    return int(os.environ["PYBTRFS_SEED"])


@pytest.fixture(scope="session")
def kernel_image(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`kernel_image(name)`: the zoo's image of that name, made on first use in this run. It is shared with
    all tests and workers, hence read-only: copy it (`zoo.copy`) to write to it."""
    folder = shared_folder(tmp_path_factory, "zoo")

    def image(name: str) -> Path:
        path = folder / f"{name}.img"
        with (folder / f"{name}.lock").open("w") as lock:
            patiently_locked(lock)
            if not path.exists():
                zoo.build(name, path)
                path.chmod(0o444)
        return path

    return image


@pytest.fixture(scope="session")
def matrix_image(tmp_path_factory: pytest.TempPathFactory) -> Callable[[matrix.Row], matrix.Made]:
    """`matrix_image(row)`: the matrix's filesystem of that row, and the kernel's manifest; shared in the same way."""
    folder = shared_folder(tmp_path_factory, "matrix")

    def made(row: matrix.Row) -> matrix.Made:
        with (folder / f"{row}.lock").open("w") as lock:
            patiently_locked(lock)
            return matrix.build(row, folder)

    return made


@pytest.fixture
def host_folder(tmp_path: Path) -> Iterator[Path]:
    """An empty directory to restore to, on a btrfs of the kernel's: it takes every attribute, size, hole and time,
    which the filesystem below tmp_path may not."""
    image = tmp_path / "host.img"
    judge.mkfs(image, 4 << 30)
    with judge.mounted(image) as top:
        (top / "folder").mkdir()
        yield top / "folder"
    image.unlink()


def shared_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder that all workers of this run see."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)
    return folder
