"""Going through a tree from outside: a walk's findings are handed to a function that says where not to go."""

from collections.abc import Callable, Generator

from pybtrfs.fs.walk import Found


def drive(walker: Generator[Found, bool | None, None], meet: Callable[[Found], bool]) -> None:
    """Hand all that a walk meets to `meet`; directories of which that is true are not entered."""
    leave_out: bool | None = None
    while True:
        try:
            found = walker.send(leave_out)
        except StopIteration:
            return
        leave_out = meet(found)
