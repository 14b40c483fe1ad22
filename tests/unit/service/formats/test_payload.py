"""Which bodies are read on the event loop, and which in a thread."""

from __future__ import annotations

import asyncio
import gzip
import threading

import pytest
from fastapi import Request

from service.formats import payload
from service.formats.media import Media
from service.formats.payload import MAX_INLINE_BYTES, read_off_event_loop, read_payload
from service.http.body import BodyLimits


@pytest.mark.parametrize("media", list(Media))
def test_only_a_small_text_is_read_on_the_event_loop(media: Media) -> None:
    def has_own_thread(size: int) -> bool:
        return asyncio.run(read_off_event_loop(media, size, threading.current_thread)) is not threading.main_thread()

    # (Ten bytes of Parquet may hold as many rows as a million bytes of JSON.)
    assert has_own_thread(10) is (media not in (Media.JSON, Media.CSV))
    assert has_own_thread(MAX_INLINE_BYTES + 1)


def test_a_compressed_body_is_never_unpacked_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    unpack = payload.unpack

    def noted(*given: object) -> bytes:
        threads.append(threading.current_thread())
        return unpack(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(payload, "unpack", noted)
    body = gzip.compress(b"{}")

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    request = Request({"type": "http", "headers": [(b"content-encoding", b"gzip")]}, receive)
    assert asyncio.run(read_payload(request, BodyLimits(1_000, 1.0))) == b"{}"
    assert [thread is threading.main_thread() for thread in threads] == [False]
