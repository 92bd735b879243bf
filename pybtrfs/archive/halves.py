"""A large file by two processes: each copies half of it through the same open files, by position.

Copying is checksums, which are Python's, and writing, which is the kernel's; one process does them in turn.
"""

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pybtrfs.errors import HostError, PybtrfsError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

WORTH_IT = 128 << 20
"""Bytes of a file from which on a second process pays."""

T = TypeVar("T")


def both_halves(copy: Callable[[int, int], T], size: int) -> list[T]:
    """What `copy(first, end)` gives for each half of `size` bytes; the second is copied by a process of its own.

    The results must be picklable. An error of either half is raised here.
    """
    from multiprocessing import Pipe  # noqa: PLC0415  start-up

    half = size // 2 - size // 2 % (1 << 20)
    ours, theirs = Pipe(duplex=False)
    pid = os.fork()
    if pid == 0:
        ours.close()
        _work(copy, half, size, theirs)
    theirs.close()
    try:
        first = copy(0, half)
        word, value = ours.recv()
    except EOFError:
        raise PybtrfsError("a process that copied half of a file has died") from None
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        ours.close()
        os.waitpid(pid, 0)
    if word == "error":
        raise HostError(*value)
    return [first, value]


def _work(copy: Callable[[int, int], T], first: int, end: int, connection: "Connection[object, object]") -> None:
    """Copy a half in this process, and end it."""
    try:
        connection.send(("done", copy(first, end)))
    except PybtrfsError as error:
        connection.send(("error", (str(error), getattr(error, "number", None))))
    except (KeyboardInterrupt, BrokenPipeError):
        pass  # the process that started this one says what there is to say
    finally:
        os._exit(0)
