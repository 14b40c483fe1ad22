from __future__ import annotations

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


def made() -> tuple[Transport, CoalescedWrites]:
    transport = Transport()
    return transport, CoalescedWrites(cast(Any, transport))


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
