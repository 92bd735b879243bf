"""One reader at a time: an image's trees, caches and devices are shared by its views, files and iterators."""

from threading import RLock
from types import TracebackType


class Turn:
    """A lock that is taken for each step, and not given any more once the image is closed."""

    def __init__(self) -> None:
        self._lock = RLock()
        self.over = False

    def __enter__(self) -> None:
        self._lock.acquire()
        if self.over:
            self._lock.release()
            raise ValueError("the image is closed")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()
