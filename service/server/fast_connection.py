"""uvicorn's protocol with a fast path: a plain request that arrives in one piece is answered without becoming an ASGI request.

For each request uvicorn makes a scope, an event, a task and a cycle, and checks the response's headers one by one; that is more
work than a prediction. Here the head of a request that the app's fast path may answer is held back until its body is there, which
it is nearly always, in the same read. Then the fast path answers it, or uvicorn gets it as if nothing had happened. What is not
plain (pipelined, HTTP/1.0, `Expect`, a body in pieces, a client that does not read) is left to uvicorn at once.
"""

from __future__ import annotations

from asyncio import TimerHandle
from typing import Any, Protocol, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from service.middleware.admission import Headers
from service.middleware.fast_path import Exchange
from service.server.bounded_messages import BoundedMessages

OK, CLOSE = 200, b"connection: close\r\n"


class Answers(Protocol):
    """The part of `service.middleware.fast_path.FastPath` that is needed here."""

    def claims(self, method: bytes, target: bytes) -> bool:
        """See `FastPath`.

        Parameters
        ----------
        method, target : bytes

        Returns
        -------
        bool
        """

    def answer(self, exchange: Exchange) -> bool:
        """See `FastPath`."""


class FastConnection(BoundedMessages):
    """A connection that asks the app's `fast_path` first, if the app has one."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._fast_path: Answers | None = getattr(self.app, "fast_path", None)
        if self.root_path or self.limit_concurrency is not None:
            self._fast_path = None  # what uvicorn makes of these is not made here
        self._held = False
        self._held_body = b""
        # Since the last answer of the fast path, nothing has arrived.
        self._is_idle, self._answered_at = False, 0.0
        self._idle_timer: TimerHandle | None = None
        self._known_headers: Headers = []
        self._known_head = b""

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._is_idle = False
        super().data_received(data)
        if self._held:
            self._release()  # more of it is on its way, and the ordinary path waits for it with a deadline

    def on_message_begin(self) -> None:
        """See `httptools`. The scope is made when the request is released."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """See `httptools`."""
        self._held, self._held_body = True, b""
        if not self._is_plain():
            self._release()

    def _is_plain(self) -> bool:
        parser = self.parser
        return (
            self._fast_path is not None
            and self._fast_path.claims(parser.get_method(), self.url)
            and (self.cycle is None or self.cycle.response_complete)
            and not self.expect_100_continue
            and not self.flow.write_paused
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
        )

    def on_chunk_header(self) -> None:
        """See `httptools`. A body in chunks is not plain."""
        if self._held:
            self._release()
        super().on_chunk_header()

    def on_body(self, body: bytes) -> None:
        """See `httptools`."""
        if self._held and not self._held_body:
            self._held_body = body
            return
        if self._held:
            self._release()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """See `httptools`."""
        if self._held:
            self._held = False
            before = self.cycle
            exchange = HeldRequest(self)
            # As long as it is not answered, uvicorn takes it for a request in progress.
            self.cycle = cast(Any, exchange)
            if self._fast_path is not None and self._fast_path.answer(exchange):
                return
            self.cycle = before
            self._release()
        super().on_message_complete()

    def _release(self) -> None:
        """Hand the request over to uvicorn, as far as it has arrived."""
        self._held = False
        target, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = target, expects
        self.headers += headers
        super().on_headers_complete()
        if self._held_body:
            body, self._held_body = self._held_body, b""
            super().on_body(body)

    def end_exchange(self) -> None:
        """Go on after an answer, as `on_response_complete` does, but without a new timer for each request.

        One timer a connection looks, when it goes off, how long nothing has been asked.
        """
        if self.pipeline or self.transport.is_closing():
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._is_idle, self._answered_at = True, self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._check_idle)

    def _check_idle(self) -> None:
        self._idle_timer = None
        if not self._is_idle:
            return  # the next answer sets a timer again
        left = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self._check_idle)
        else:
            self.timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        super().connection_lost(exc)
        if self._idle_timer is not None:
            self._idle_timer.cancel()

    def head(self) -> bytes:
        """Return the start of a good response's head: the status, and the headers that uvicorn adds to each response."""
        defaults = self.server_state.default_headers
        if defaults is not self._known_headers:  # a new list every second, with the date
            self._known_headers = defaults
            self._known_head = STATUS_LINE[200] + b"".join([b"%b: %b\r\n" % header for header in defaults])
        return self._known_head


class HeldRequest:
    """A request that has arrived as a whole; see `service.middleware.fast_path.Exchange`. Its connection takes it for a cycle."""

    __slots__ = ("_connection", "address", "body", "disconnected", "headers", "keep_alive", "response_complete", "target")

    def __init__(self, connection: FastConnection) -> None:
        self._connection = connection
        self.target, self.headers, self.body = connection.url, connection.headers, connection._held_body
        self.address = connection.client[0] if connection.client else None
        self.disconnected = self.response_complete = False
        self.keep_alive = True

    @property
    def message_event(self) -> HeldRequest:
        """Nobody waits for more of the request: setting this event does nothing."""
        return self

    def set(self) -> None:
        """See `message_event`."""

    def respond(self, status: int, headers: Headers, content: bytes) -> None:
        """Send the answer, in the bytes that uvicorn would send.

        Parameters
        ----------
        status : int
        headers : list of (bytes, bytes)
        content : bytes
        """
        connection = self._connection
        self.response_complete = True
        if self.disconnected:
            return
        parts = [connection.head() if status == OK else STATUS_LINE[status] + connection.head().partition(b"\r\n")[2]]
        closes = False
        for name, value in headers:
            if name == b"connection":
                closes = value == b"close"
            parts += (name, b": ", value, b"\r\n")
        if closes:
            self.keep_alive = False
        elif not self.keep_alive:  # the server is about to stop
            parts.append(CLOSE)
        parts += (b"\r\n", content)
        connection.transport.write(b"".join(parts))
        if not self.keep_alive:
            connection.transport.close()
        connection.end_exchange()
