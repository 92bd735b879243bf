"""The kernel and btrfs-progs, as judges.

What pybtrfs writes must satisfy two programs that we did not write: the kernel's driver, through a
loop device and a mount, and the newest `btrfs check`. This file is the only one that starts them.

    with judge.mounted(image) as top:      # a pathlib.Path; unmounted and detached in any case
        (top / "file").write_bytes(b"x")
    judge.btrfs_check(image)               # AssertionError, with all that it printed, if anything is odd

The C tools come from `PYBTRFS_BTRFS_PROGS` (a folder), else from a checkout next to ours that knows
where the newest ones are, else from PATH. `btrfs check` at times prints a fault and exits 0; therefore
a verdict is read line by line, and a line that a sound filesystem does not produce is a fault.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OLDEST_JUDGE = (6, 19)
TIMEOUT = 120.0
PATIENCE_WITH_THE_KILLED = 10.0
ATTEMPTS = 40  # a free loop device may be taken by another worker between the question and the answer

REPOSITORY = Path(__file__).resolve().parent.parent
NEIGHBOUR = REPOSITORY.parent / "shared" / "bin" / "newest-btrfs-progs"


class RefusedError(AssertionError):
    """A program exited with a status other than 0; the message has all that it said."""

    def __init__(self, result: subprocess.CompletedProcess[Any]) -> None:
        said = "\n".join(_text(part) for part in (result.stdout, result.stderr) if part)
        super().__init__(f"exit status {result.returncode}: {' '.join(result.args)}\n{said}")
        self.result = result


# -- may we judge here? ------------------------------------------------------------------------------


@functools.cache
def kernel_missing() -> str | None:
    """Why the kernel cannot judge on this machine, or None where it can."""
    return next((reason for reason, there in _needs() if not there), None)


def _needs() -> Iterator[tuple[str, bool]]:
    yield "the kernel judge must be root", os.geteuid() == 0
    filesystems = Path("/proc/filesystems")
    yield "no /proc/filesystems", filesystems.exists()
    with contextlib.suppress(FileNotFoundError):
        run("modprobe", "btrfs", check=False)  # where it is a module
    yield "the kernel has no btrfs", "\tbtrfs\n" in filesystems.read_text()
    yield "no loop devices", Path("/dev/loop-control").exists()
    version = btrfs_progs_version()
    yield "no btrfs-progs", version is not None
    wanted, found = (".".join(map(str, numbers)) for numbers in (OLDEST_JUDGE, version or ()))
    yield f"btrfs-progs {found} is older than {wanted}", (version or ()) >= OLDEST_JUDGE


def btrfs_progs_version() -> tuple[int, ...] | None:
    """(7, 3) for btrfs-progs v7.3; None if there are none."""
    try:
        found = re.search(r"v(\d+)\.(\d+)", btrfs("--version"))
    except (OSError, RefusedError):
        return None
    return tuple(map(int, found.groups())) if found else None


def kernel_version() -> tuple[int, int]:
    """(6, 18) for 6.18.44."""
    major, minor = re.findall(r"\d+", os.uname().release)[:2]
    return int(major), int(minor)


# -- running programs --------------------------------------------------------------------------------


def run(
    *argv: str | Path,
    check: bool = True,
    input: str | bytes | None = None,  # noqa: A002 - subprocess's own word
    text: bool = True,
    timeout: float = TIMEOUT,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run a program with the newest btrfs-progs first in PATH; stdout and stderr are captured, as str
    (odd bytes as \\xNN) or, with text=False, as bytes. `RefusedError` if check and the exit status is not 0."""
    fed = input.encode() if isinstance(input, str) else input
    result = _completed([str(word) for word in argv], fed, timeout, options)
    if text:
        result.stdout, result.stderr = _text(result.stdout), _text(result.stderr)
    if check and result.returncode:
        raise RefusedError(result)
    return result


def _completed(
    words: list[str], fed: bytes | None, timeout: float, options: dict[str, Any]
) -> subprocess.CompletedProcess[Any]:
    """As subprocess.run, which waits for ever for a child that is stuck in the kernel, even one that it has killed."""
    pipes = {"stdin": subprocess.DEVNULL if fed is None else subprocess.PIPE, "stdout": subprocess.PIPE}
    pipes = {"env": environment(), **pipes, "stderr": subprocess.PIPE, **options}
    child = subprocess.Popen(words, **pipes)
    try:
        output, errors = child.communicate(fed, timeout)
    except BaseException:
        child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE_WITH_THE_KILLED)
        child.returncode = child.returncode or -signal.SIGKILL  # a ResourceWarning for the stuck one helps nobody
        for pipe in filter(None, (child.stdin, child.stdout, child.stderr)):
            pipe.close()
        raise
    return subprocess.CompletedProcess(words, child.returncode, output, errors)


def btrfs(*argv: str | Path) -> str:
    """The standard output of `btrfs ARGV...`."""
    return str(run("btrfs", *argv).stdout)


def mkfs(image: Path, size: int, *options: str) -> None:
    """A new sparse file of `size` bytes with the C program's filesystem in it."""
    with image.open("wb") as file:
        file.truncate(size)
    run("mkfs.btrfs", "--quiet", *options, image)


@functools.cache
def environment() -> dict[str, str]:
    """The environment of every program that we start: the C locale, and the judges first in PATH."""
    newest = os.environ.get("PYBTRFS_BTRFS_PROGS") or _neighbours_progs()
    folders = filter(None, [newest, os.environ.get("PATH"), "/usr/sbin", "/sbin"])
    return {**os.environ, "LC_ALL": "C", "PATH": os.pathsep.join(folders)}


def _neighbours_progs() -> str | None:
    if not NEIGHBOUR.exists():
        return None
    answer = subprocess.run([NEIGHBOUR], capture_output=True, text=True, timeout=240, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else None


def _text(said: str | bytes) -> str:
    return said if isinstance(said, str) else said.decode(errors="backslashreplace")


# -- the kernel --------------------------------------------------------------------------------------


@contextlib.contextmanager
def mounted(image: Path, options: str = "", read_only: bool = False) -> Iterator[Path]:
    """The image, mounted by the kernel at a new directory; unmounted and detached when done.

    read_only makes the loop device read-only as well, so that not a bit of the image changes (a waiting
    log then needs options="rescue=nologreplay")."""
    words = ",".join(filter(None, ["ro" if read_only else "rw", options]))
    with loop_device(image, read_only) as device, mounted_device(device, words) as top:
        yield top


@contextlib.contextmanager
def mounted_device(device: str, options: str = "rw") -> Iterator[Path]:
    """A block device's filesystem, mounted at a new directory; unmounted when done, lazily where it stays busy."""
    top = Path(tempfile.mkdtemp(prefix="pybtrfs-mnt-"))
    try:
        _patiently("mount", "-t", "btrfs", "-o", options, device, top, when="File exists")  # a seed's twin is mounted
        try:
            yield top
        finally:
            try:
                _patiently("umount", top)
            except (RefusedError, subprocess.TimeoutExpired):
                run("umount", "--lazy", top, check=False)
                raise
    finally:
        top.rmdir()  # never the contents: a mount may still be there


@contextlib.contextmanager
def loop_device(image: Path, read_only: bool = False, offset: int = 0) -> Iterator[str]:
    """`/dev/loopN` over the image, from byte `offset` on, for as long as the block lasts."""
    way = [f"--offset={offset}", *(["--read-only"] if read_only else [])]
    device = str(_patiently("losetup", *way, "--find", "--show", image).stdout).strip()
    try:
        yield device
    finally:
        run("btrfs", "device", "scan", "--forget", device, check=False)
        _patiently("losetup", "--detach", device)


def _patiently(*argv: str | Path, when: str = "") -> subprocess.CompletedProcess[Any]:
    """Run what may fail, saying `when`, while somebody else is quick: another worker, the cleaner thread."""
    for _ in range(ATTEMPTS):
        try:
            return run(*argv)
        except RefusedError as refusal:
            if when not in str(refusal):
                raise
        time.sleep(0.05)
    return run(*argv)


def kernel_log_mark() -> str:
    """Write a mark in the kernel's log, for `kernel_log_since`."""
    mark = f"pybtrfs-test-{uuid.uuid4()}"
    Path("/dev/kmsg").write_text(f"{mark}\n")
    return mark


def kernel_log_since(mark: str, about: str = "BTRFS") -> list[str]:
    """The kernel's lines since the mark that contain `about`. Other workers' mounts are among them."""
    _, _, since = str(run("dmesg").stdout).partition(mark)
    return [line for line in since.splitlines()[1:] if about in line]


# -- btrfs-progs -------------------------------------------------------------------------------------

SOUND = re.compile(
    r"""
    | Opening\ filesystem\ to\ check\.\.\.
    | Checking\ filesystem\ on\ .*
    | UUID:\ [0-9a-f-]+
    | \[\d/\d\]\ checking\ [a-z ]+ (\ skipped\ \([a-zA-Z ]+\) | \(without\ verifying\ data\))?
    | found\ \d+\ bytes\ used,\ no\ error\ found
    | total\ (csum|tree|fs\ tree|extent\ tree)\ bytes:\ \d+
    | btree\ space\ waste\ bytes:\ \d+
    | file\ data\ blocks\ allocated:\ \d+
    | \ ?referenced\ \d+
    # of other workers' loop devices, since all are scanned; were one of ours gone, it would be called missing
    | ERROR:\ cannot\ scan\ /dev/loop\d+:\ .*
    | WARNING:\ adding\ device\ /dev/loop\d+\ gen\ \d+\ but\ found\ an\ existing\ device\ /dev/loop\d+\ gen\ \d+
    """,
    re.VERBOSE,
)


def btrfs_check(image: Path, *options: str, data: bool = True) -> str:
    """What `btrfs check` prints on a sound image; AssertionError with all of it on any other.

    data: verify the data's checksums too. The image is not written to."""
    way = ["--check-data-csum"] if data else []
    verdict = run("btrfs", "check", "--readonly", *way, *options, image, check=False)
    said = f"{verdict.stdout}\n{verdict.stderr}"
    odd = [line for line in said.splitlines() if not SOUND.fullmatch(line.rstrip())]
    if verdict.returncode or odd:
        why = "\n".join(odd) or "no odd line"
        status = f"btrfs check {image}: exit status {verdict.returncode}"
        raise AssertionError(f"{status}\n{why}\n-- in full --\n{said}")
    return said


def dump_tree(image: Path, *options: str) -> str:
    """`btrfs inspect-internal dump-tree OPTIONS... IMAGE`: every tree, log trees too, unless told."""
    return btrfs("inspect-internal", "dump-tree", *options, image)


def dump_super(image: Path, *options: str) -> str:
    """`btrfs inspect-internal dump-super OPTIONS... IMAGE`: the first copy, unless told."""
    return btrfs("inspect-internal", "dump-super", *options, image)
