"""A web server on the loopback that serves one file, counts what it sends, and misbehaves where told to."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LONGEST = 1 << 22


class RangeServer(ThreadingHTTPServer):
    """`url` is the file's. `requests` and `sent` count the GETs and the bytes of their bodies."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.path, self.url = path, f"http://127.0.0.1:{self.server_port}/{path.name}"
        self.counting, self.requests, self.sent = threading.Lock(), 0, 0
        self.ranges = True
        self.tells_size = True
        self.breaks = False  # the connection, in the middle of a body
        self.short = False  # bodies of half of what was asked for, honestly announced
        self.status: HTTPStatus | None = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is its own affair."""


@contextmanager
def serving(path: Path) -> Iterator[RangeServer]:
    """The server, answering until the block ends."""
    with RangeServer(path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RangeServer

    def do_HEAD(self) -> None:
        self._head(0, self.server.path.stat().st_size, partial=False)

    def do_GET(self) -> None:
        size = self.server.path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        partial = self.server.ranges and asked is not None
        first, end = (int(asked[1]), min(int(asked[2]) + 1, size)) if partial and asked else (0, size)
        if self.server.short:
            end = first + (end - first) // 2
        with self.server.counting:
            self.server.requests += 1
        if not self._head(first, end, partial=partial):
            return
        if self.server.breaks:
            end = first + (end - first) // 2
            self.close_connection = True
        with self.server.path.open("rb") as file:
            file.seek(first)
            while first < end and (part := file.read(min(LONGEST, end - first))):
                with self.server.counting:  # first, since who has the bytes may look at once
                    self.server.sent += len(part)
                self.wfile.write(part)
                first += len(part)

    def _head(self, first: int, end: int, *, partial: bool) -> bool:
        server = self.server
        if self.path != f"/{server.path.name}" or server.status is not None:
            self.send_error(server.status or HTTPStatus.NOT_FOUND)
            return False
        self.send_response(HTTPStatus.PARTIAL_CONTENT if partial else HTTPStatus.OK)
        if partial:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{server.path.stat().st_size}")
        if server.tells_size:
            self.send_header("Content-Length", str(end - first))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        return True

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  the base class's name
        """Say nothing."""
