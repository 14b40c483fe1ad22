"""Stands where Prefect's server is, for runs without one: takes events, and tells which came."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import prefect


class EventReceiver:
    """What came, in order; `away` makes it refuse."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.away = False
        self.url = ""

    @property
    def environment(self) -> dict[str, str]:
        """What processes are told that are to find it."""
        return {"PREFECT_API_URL": self.url, "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false"}

    def decision_ids(self, event: str) -> list[str]:
        """List the decisions of which an event told."""
        return [str(one["payload"]["decision_id"]) for one in self.events if one["event"] == event]


@contextmanager
def event_receiver() -> Iterator[EventReceiver]:
    """Listen on a free port of this machine, for a `with` block."""
    receiver = EventReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, json.dumps(prefect.__version__).encode())

        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if receiver.away or not self.path.endswith("/events"):
                self._answer(500, b"null")
                return
            receiver.events.extend(said)
            self._answer(204, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/api"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
