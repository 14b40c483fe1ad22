"""Bounds on what a request may bring beside its head and its body: trailers, chunk sizes and extensions, requests that wait.

uvicorn appends the fields after the last chunk to the headers, where a key or an origin would then be read, and reads as much of
them, and of what comes between chunks, as is sent. Fields that say who asks or how the message is read may not be in trailers
(RFC 9110, section 6.5.1), and no route needs another, so all are dropped. Each request that waits behind an unanswered one
of its connection costs a hundred times what it takes to send; no client has a right to that (RFC 9112, section 9.3.2).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import NoReturn

import httptools

from service.server.coalesced_writes import CoalescedWritesProtocol
from service.server.head_rules import last_answer

# What is no data between and after the chunks of a body. Chunks of three bytes and more, on average, need no allowance.
MAX_FRAMING_BYTES = 64 * 1024
FRAMING_PER_BYTE = 2
MAX_WAITING_REQUESTS = 100
MAX_HEADERS = 256
# What the parser of addresses takes at most.
MAX_TARGET_BYTES = 2**16 - 1
SLICE_BYTES = 16 * 1024


NOT_HTTP = last_answer(HTTPStatus.BAD_REQUEST, "Bad Request", "What came is no HTTP request, or can be read in two ways.")
TARGET_TOO_LONG = last_answer(
    HTTPStatus.REQUEST_URI_TOO_LONG, "URI Too Long", "The address is too long: what is to be scored or reported is the body."
)
TOO_LONG = last_answer(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "Request Header Fields Too Large",
    "The head of the request is too long, or has too many fields.",
)


class RefusedError(Exception):
    """A connection has sent too much. Raised through the parser, which reads nothing more after it."""


class BoundedMessages(CoalescedWritesProtocol):
    """uvicorn's protocol, which drops trailers and closes connections that send too much of what is not data."""

    _in_head = _in_chunks = False
    _chunk_bytes = _framing_bytes = 0
    _reads_no_more = _declines = False

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._unset_keepalive_if_required()
        if len(data) > SLICE_BYTES:
            self._feed_slices(data)
        else:
            self._feed(data)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks for it, uvicorn keeps the default
        """See `asyncio.Protocol`. Whoever has sent all that he has to say still gets his answer, and then the connection ends.

        Returns
        -------
        bool
            Whether it stays open until then.
        """
        if not self._is_answering():
            return False
        self.cycle.keep_alive = False
        return True

    def _is_answering(self) -> bool:
        """Return whether a request that has arrived as a whole waits for its answer; the newest such one is then `self.cycle`."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        return bool(self.pipeline) or not getattr(cycle, "more_body", False)

    def _feed_slices(self, data: bytes) -> None:
        """Look at a long read as it is parsed: what is in it may have to be refused before all of it is."""
        for start in range(0, len(data), SLICE_BYTES):
            self._feed(data[start : start + SLICE_BYTES])
            if self._reads_no_more or self.transport.is_closing():
                return
            if self._in_head and len(self.headers) > MAX_HEADERS and (self.cycle is None or self.cycle.response_complete):
                self._refuse_length()
                return

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def on_message_begin(self) -> None:
        """See `httptools`."""
        super().on_message_begin()
        if len(self.pipeline) >= MAX_WAITING_REQUESTS:
            raise RefusedError

    def on_url(self, url: bytes) -> None:
        """See `httptools`. Called with each part of the address as it arrives."""
        if len(self.url) + len(url) > MAX_TARGET_BYTES:
            self._refuse_head(TARGET_TOO_LONG)
        super().on_url(url)

    def on_headers_complete(self) -> None:
        """See `httptools`."""
        self._declines = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if not self._declines:
            super().on_headers_complete()

    def _decline_upgrade(self, rest: bytes) -> None:
        """Read a request that asked for another protocol as one that did not (RFC 9110, section 7.8).

        Java's client asks for HTTP/2 with its first request, whatever it is, and the parser would lose the body.
        """
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        head = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._feed(b"".join([head, *lines, b"\r\n", rest]))

    def on_chunk_header(self) -> None:
        """See `httptools`. What comes as a header from here on is a trailer, and goes where nobody looks."""
        if not self._in_chunks:
            self._in_chunks, self._framing_bytes = True, 0
            self.headers = []

    def on_body(self, body: bytes) -> None:
        """See `httptools`."""
        self._chunk_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """See `httptools`."""
        if self._in_chunks and not self.parser.should_keep_alive():
            self.cycle.keep_alive = False  # a trailer has said so, and the parser reads nothing more
        self._in_chunks = False
        if not self._declines:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP; if whole requests before it wait for their answers, close the connection after the last one's.

        Parameters
        ----------
        msg : str
        """
        self._reads_no_more, self._in_head = True, False
        if self._is_answering():
            self.cycle.keep_alive = False
        elif not self.transport.is_closing():
            self.transport.write(NOT_HTTP)
            self.transport.close()

    def _bound_framing(self, received: int) -> None:
        """Close the connection if too much of what it has sent is no data; called after each read but that of the first chunk."""
        self._framing_bytes = max(0, self._framing_bytes + received - (1 + FRAMING_PER_BYTE) * self._chunk_bytes)
        self._chunk_bytes = 0
        if self._framing_bytes > MAX_FRAMING_BYTES and not self.transport.is_closing():
            self._refuse_length()

    def _refuse_head(self, answer: bytes = TOO_LONG) -> NoReturn:
        """Refuse a head with a too long address or too many fields: each of these costs thirty times what it takes to send."""
        if self.cycle is None or self.cycle.response_complete:
            self._refuse_length(answer)
        raise RefusedError

    def _refuse_length(self, answer: bytes = TOO_LONG) -> None:
        """Answer (431, unless told otherwise) and close the connection; only close it if an answer has begun."""
        if self.cycle is None or self.cycle.response_complete or not getattr(self.cycle, "response_started", True):
            self.transport.write(answer)
        self.transport.close()
