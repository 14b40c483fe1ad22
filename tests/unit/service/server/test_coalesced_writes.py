from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from service.server.coalesced_writes import CoalescedWrites

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


class Loop:
    """What is to be called in the next round."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.call_soon = self.soon.append

    def next_round(self) -> None:
        while self.soon:
            self.soon.pop()()


def made(loop: Loop | None = None) -> tuple[Transport, CoalescedWrites]:
    transport = Transport()
    return transport, CoalescedWrites(cast(Any, transport), cast(Any, loop or Loop()))


def test_head_and_body_are_one_write() -> None:
    transport, one = made()
    one.write(HEAD)
    assert transport.written == []
    one.write(b"ok")
    one.write(HEAD)
    one.write(b"no")
    assert transport.written == [HEAD + b"ok", HEAD + b"no"]


def test_an_empty_body_takes_the_head_along() -> None:
    transport, one = made()
    one.write(HEAD)
    one.write(b"")
    assert transport.written == [HEAD]


def test_pieces_after_the_first_go_out_as_they_come() -> None:
    transport, one = made()
    for data in (HEAD, b"5\r\nfirst\r\n", b"6\r\nsecond\r\n", b"0\r\n\r\n"):
        one.write(data)
    assert transport.written == [HEAD + b"5\r\nfirst\r\n", b"6\r\nsecond\r\n", b"0\r\n\r\n"]


def test_a_word_in_between_is_not_held_back() -> None:
    transport, one = made()
    one.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert len(transport.written) == 1


def test_closing_writes_what_was_held_back() -> None:
    transport, one = made()
    one.write(HEAD)
    one.close()
    assert (transport.written, transport.closed, one.is_closing()) == ([HEAD], True, True)


def test_a_head_without_a_body_goes_out_in_the_next_round_and_once() -> None:
    loop = Loop()
    transport, one = made(loop)
    one.write(HEAD)
    loop.next_round()
    assert transport.written == [HEAD]
    one.write(HEAD)
    one.write(b"ok")
    loop.next_round()
    assert transport.written == [HEAD, HEAD + b"ok"]


def test_a_head_is_not_written_to_a_connection_that_is_gone() -> None:
    loop = Loop()
    transport, one = made(loop)
    one.write(HEAD)
    transport.closed = True
    loop.next_round()
    assert transport.written == []
