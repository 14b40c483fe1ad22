"""Deadlines and a size limit for slow clients, which uvicorn leaves to a proxy in front of it.

uvicorn waits for ever for the head of a request, keeps all of it, and waits for ever for a client that does not read its
response. A few thousand such clients would take all connections (https://en.wikipedia.org/wiki/Slowloris_(cyber_attack)).
Bodies have limits of their own, see `service.http.body`.
"""

from __future__ import annotations

import asyncio

from service.server.bounded_messages import MAX_HEADERS
from service.server.fast_connection import FastConnection
from service.server.head_rules import refusal

# How long the head of a request may take to arrive, and a response may wait for its client to read it.
HEAD_SECONDS = 10.0
READ_SECONDS = 30.0
# The largest incomplete head. (One that arrives in one piece is no larger than asyncio reads at once.)
MAX_HEAD_BYTES = 64 * 1024


class Connection(FastConnection):
    """uvicorn's protocol with deadlines. A request that arrives in one piece, as nearly all do, sets no timer."""

    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None
    _unread = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._reads_no_more:
            return
        in_chunks = self._in_chunks
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self._refuse_length()
                return
        elif in_chunks and self._in_chunks:
            self._bound_framing(len(data))
        # No complete head has arrived, and no request is being answered: a head must follow in time.
        if self._deadline is None and (self._in_head or self.cycle is None or self.cycle.response_complete):
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def on_message_begin(self) -> None:
        """See `httptools`."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """See `httptools`."""
        if len(self.headers) > MAX_HEADERS:
            self._refuse_head()
        version = self.parser.get_http_version()
        if (answer := refusal(version, self.headers, self.url)) is not None:
            self._refuse_head(answer)
        if version == "1.0":
            self.expect_100_continue = False  # whoever speaks HTTP/1.0 would take a 100 for the answer (RFC 9110, section 10.1.1)
        super().on_headers_complete()
        self._in_head = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        super().connection_lost(exc)
        for timer in (self._deadline, self._stuck):
            if timer is not None:
                timer.cancel()

    def _await_reader(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        self._stuck = self.loop.call_later(READ_SECONDS, self._check_reader)

    def _check_reader(self) -> None:
        # A large response over a slow line may take longer, as long as the client goes on reading.
        if self.transport.get_write_buffer_size() < self._unread:
            self._await_reader()
        else:
            self.transport.abort()

    def _give_up(self) -> None:
        self._deadline = None
        if self.cycle is not None and not self.cycle.response_complete:
            # An earlier request of this connection is being answered, and reading may have been paused for it.
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)
        else:
            self.transport.close()
