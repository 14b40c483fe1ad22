"""A web server on the loopback, on any free port, for the time of a test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """`announced` is the length that is said where it is not the body's."""

    body: bytes = b""
    status: int = 200
    announced: int | None = None
    kind: str = ""


@contextmanager
def web_server(answer: Callable[[Asked], Answer]) -> Iterator[str]:
    """Answer every request, and give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            said = answer(Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(said.status)
            self.send_header("Content-Length", str(len(said.body) if said.announced is None else said.announced))
            if said.kind:
                self.send_header("Content-Type", said.kind)
            self.end_headers()
            self.wfile.write(said.body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
