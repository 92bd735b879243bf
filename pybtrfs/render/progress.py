"""Progress on a terminal: bytes and items done, their rate, the time that is left. By rich, which is loaded only when
something takes over two seconds; the clock is handed in.
"""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from pybtrfs.render.sizes import size_text

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

BEGIN_AFTER, REFRESH = 2.0, 0.2
"""Seconds before anything is shown, and between two pictures."""


class Progress:
    """A line that is shown while work goes on, and gone when it is done. Use as a context manager."""

    def __init__(self, what: str, stream: TextIO, clock: Callable[[], float], *, plain: bool = False) -> None:
        """`what` is one word of ours; `plain` leaves out colour (NO_COLOR)."""
        self._what, self._stream, self._clock, self._plain = what, stream, clock, plain
        self._begin = clock()
        self._next = self._begin + BEGIN_AFTER
        self._bar: Bar | None = None

    def name(self, what: str) -> None:
        """Say from now on that `what` is going on: the next phase of the work."""
        self._what = what

    def update(self, size: int, items: int, fraction: Callable[[], float | None]) -> None:
        """So many bytes and items are done, and such a part of the whole; cheap where nothing is to be shown."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + REFRESH
        self._show(size, items, fraction(), now - self._begin)

    def _show(self, size: int, items: int, fraction: float | None, elapsed: float) -> None:
        from rich.console import Console  # noqa: PLC0415  start-up
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

        if self._bar is None:
            console = Console(
                file=self._stream, markup=False, highlight=False, color_system=None if self._plain else "auto"
            )
            columns = TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[text]}")
            self._bar = Progress(*columns, console=console, auto_refresh=False, transient=True, get_time=self._clock)
            self._bar.add_task(self._what, total=None, text="")
            self._bar.start()
        text = progress_text(size, items, fraction, elapsed)
        total, done = (None, 0.0) if fraction is None else (1.0, min(fraction, 1.0))
        self._bar.update(self._bar.task_ids[0], description=self._what, total=total, completed=done, text=text)
        self._bar.refresh()

    def close(self) -> None:
        """Take the line away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def progress_text(size: int, items: int, fraction: float | None, elapsed: float) -> str:
    """What is said beside the bar: `1.20GiB, 3,000 items, 410.00MiB/s, 0:00:12 left`; `elapsed` in seconds."""
    parts = [size_text(size)] if size else []
    if items:
        parts.append(f"{items:,} items")
    if elapsed > 0:
        parts.append(f"{size_text(int(size / elapsed))}/s" if size else f"{int(items / elapsed):,}/s")
    if fraction:
        left = int(elapsed / fraction * max(0.0, 1 - fraction))
        parts.append(f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02} left")
    return ", ".join(parts)
