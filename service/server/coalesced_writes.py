"""A response in one write: uvicorn writes its head and its body apart, and each is a system call and a wake-up of the client.

For an answer of a few hundred bytes that is a tenth of the work. So the head waits for what comes next, which follows at once.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD, CONTINUE, END = b"HTTP/1.1 ", b"HTTP/1.1 100 ", b"\r\n\r\n"


class CoalescedWrites:
    """A transport that holds the head of a response back until its body, or its end, is written."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self._write = transport.write

    def write(self, data: bytes) -> None:
        """Write, or hold a head back until the first piece of its body takes it along."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(HEAD) and data.endswith(END) and not data.startswith(CONTINUE):
            self._head = data
            return
        self._write(data)

    def close(self) -> None:
        """Write what was held back, then close."""
        if self._head:
            self._write(self._head)
            self._head = b""
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class CoalescedWritesProtocol(HttpToolsProtocol):
    """uvicorn's protocol on a transport that writes heads and bodies together."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(cast("asyncio.Transport", CoalescedWrites(cast("asyncio.Transport", transport))))
