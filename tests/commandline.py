"""The command line in a forked child with bounded memory and time and no privileges, thousands of runs a minute.

`run(...)` forks this process, in which the commands are imported already, and does in the child what the
program `pybtrfs` does. The child gives up all capabilities first: whoever runs the tests, the command itself
mounts nothing and overrides no permission. A run that takes over 10 seconds of CPU, or more memory than 512 MiB
above what the tests themselves use, or that ends in a traceback, is a failure of the program, and the report
says so.
"""

import ctypes
import os
import resource
import signal
import struct
import sys
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

import pybtrfs.commands

SECONDS = 10
MEMORY = 512 << 20
STATUSES = (0, 1, 2)
FSCK_STATUSES = (0, 4, 8, 12, 16)
FSCK_COMMANDS = (("uuid", "verify"), ("check",), ("fsck",))
_LIBC = ctypes.CDLL(None, use_errno=True)


class Result(NamedTuple):
    """How a command ended: its exit status (negative: the signal that killed it) and what it said."""

    command: tuple[str, ...]
    status: int
    output: str
    errors: str

    def complaint(self) -> str | None:
        """What is wrong with the way in which it ended; None where that was well-behaved."""
        shown = f"pybtrfs {' '.join(self.command)}: status {self.status}\n{self.errors[-2000:]}"
        if "Traceback" in self.errors or "Error: " in self.errors.replace("pybtrfs: ", ""):
            return f"traceback: {shown}"
        like_fsck = self.command[:1] in FSCK_COMMANDS or self.command[:2] in FSCK_COMMANDS
        if self.status not in (FSCK_STATUSES if like_fsck else STATUSES):
            return f"odd end: {shown}"
        if self.status not in (0, 4) and not self.errors.startswith("pybtrfs: "):
            return f"no line that says why: {shown}"
        if any(ord(char) < 0x20 and char != "\n" for char in self.errors):
            return f"control bytes: {shown!r}"
        return None


def run(*command: str | os.PathLike[str], seconds: int = SECONDS) -> Result:
    """Run `pybtrfs COMMAND…` in a child, with so many seconds of CPU and six times that of time."""
    words = tuple(map(os.fspath, command))
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _in_child(words, output.fileno(), errors.fileno(), seconds)
        status = _waited_for(child)
        return Result(words, os.waitstatus_to_exitcode(status), _text(output.fileno()), _text(errors.fileno()))


def _waited_for(child: int) -> int:
    """The child's status; whatever ends the waiting, such as the test's timeout, ends the child as well."""
    try:
        return os.waitpid(child, 0)[1]
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise


def _in_child(words: Sequence[str], output: int, errors: int, seconds: int) -> None:
    status = 70
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # pytest-timeout's own handler is for the parent
    signal.alarm(6 * seconds)
    try:
        os.dup2(output, 1)
        os.dup2(errors, 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        in_use = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        mapped = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: SIM115, PTH123
        resource.setrlimit(resource.RLIMIT_AS, (max(mapped, in_use) + MEMORY,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        drop_capabilities()
        sys.argv = ["pybtrfs", *words]
        pybtrfs.commands.main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    except BaseException:  # noqa: BLE001  the interpreter would print it; so do we
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def drop_capabilities() -> None:
    """Give up all capabilities of this process for good: even as root it can mount nothing from here on."""
    header = struct.pack("<Ii", 0x20080522, 0)  # version 3 of the interface, this thread
    if _LIBC.capset(header, bytes(24)):
        raise OSError(ctypes.get_errno(), "capset")


def _text(fd: int) -> str:
    return os.pread(fd, os.fstat(fd).st_size, 0).decode(errors="backslashreplace")
