"""Connections of clients who send or read a little at a time, or nothing, for ever: each is closed after a while.

uvicorn waits without an end for the head of a request and for whoever does not read an answer. Bodies have their own limit
(`service.body`), which can say why; what is closed here is told nothing, as nobody asked for anything yet, or nobody reads.
"""

from __future__ import annotations

import asyncio
from typing import Any

from service.one_write import OneWriteProtocol

STALL_SECONDS = 20.0


class ImpatientProtocol(OneWriteProtocol):
    """uvicorn's protocol for clients that get on with it.

    Parameters
    ----------
    stall_seconds : float
        How long a head may take to come, and how long a client may read nothing while an answer waits for it.
    """

    def __init__(self, *words: Any, stall_seconds: float = STALL_SECONDS, **named: Any) -> None:
        super().__init__(*words, **named)
        self._stall_seconds = stall_seconds
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._unread = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`. Whoever connects must say something."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        for timer in (self._head_timer, self._read_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`. A head that came in one piece needs no timer."""
        super().data_received(data)
        if self._in_head and self._head_timer is None:
            self._await_head()

    def on_message_begin(self) -> None:
        """See `httptools.HttpRequestParser`."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """See `httptools.HttpRequestParser`."""
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`: the client reads more slowly than it is answered."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None
        super().resume_writing()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self._stall_seconds, self._end)

    def _await_reader(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        self._read_timer = self.loop.call_later(self._stall_seconds, self._look_at_reader)

    def _look_at_reader(self) -> None:
        # Slow is no reason, as long as it goes on.
        if self.transport.get_write_buffer_size() < self._unread:
            self._await_reader()
        else:
            self._end()

    def _end(self) -> None:
        self.transport.abort()
