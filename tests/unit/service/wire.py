"""The server's own protocol in memory: bytes in, bytes out, without a socket."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httpx2
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from service.server.slow_clients import Connection

DATE = (b"date", b"Sat, 28 Nov 2026 10:00:00 GMT")


class MemoryTransport(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50_000), "sockname": ("127.0.0.1", 8_000)})
        self.written = b""
        self.closed = False
        self.more = asyncio.Event()

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written += bytes(data)
        self.more.set()

    def close(self) -> None:
        self.closed = True
        self.more.set()

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0


class Wire:
    """One connection of a client to an app."""

    def __init__(self, app: ASGIApp) -> None:
        config = Config(app, access_log=False, server_header=False, proxy_headers=False, ws="none", log_config=None)
        state = ServerState()
        state.default_headers = [DATE]
        self.transport = MemoryTransport()
        self.connection = Connection(config, state, {}, _loop=asyncio.get_running_loop())
        self.connection.connection_made(cast(Any, self.transport))

    def send(self, *pieces: bytes) -> None:
        """Let pieces of a request arrive, each in a read of its own."""
        for piece in pieces:
            self.connection.data_received(piece)

    async def answer(self) -> bytes:
        """Return the next response, head and body as they were written."""
        while (length := self._complete()) is None:
            self.transport.more.clear()
            await asyncio.wait_for(self.transport.more.wait(), 60)
        answer, self.transport.written = self.transport.written[:length], self.transport.written[length:]
        return answer

    def _complete(self) -> int | None:
        head, end, rest = self.transport.written.partition(b"\r\n\r\n")
        if not end:
            assert not self.transport.closed, "closed without an answer"
            return None
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(headers.get(b"content-length", b"0"))
        return None if len(rest) < length else len(head + end) + length

    def lose(self) -> None:
        """Let the client go away."""
        self.transport.closed = True
        self.connection.connection_lost(None)


class WireTransport(httpx2.AsyncBaseTransport):
    """Sends each request of an httpx2 client over a connection of its own, in one piece."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; return what came back."""
        wire = Wire(self.app)
        wire.send(request_bytes(request.method, request.url.raw_path, request.headers.raw, await request.aread()))
        head, _, body = (await wire.answer()).partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        wire.lose()
        return httpx2.Response(int(status.split()[1]), headers=[tuple(line.split(b": ", 1)) for line in lines], content=body)


def request_bytes(method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """Return a request as it goes over the wire.

    Parameters
    ----------
    method : str
    target : bytes
    headers : list of (bytes, bytes)
    body : bytes

    Returns
    -------
    bytes
    """
    lines = [b"%b %b HTTP/1.1" % (method.encode(), target), *(b"%b: %b" % header for header in headers)]
    return b"\r\n".join([*lines, b"", body])
