"""Whose request it is, and how much room it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.api_keys import parse_keys
from service.http.errors import Ambiguous, ComeLater, WrongHost
from service.middleware.admission import SINGLE_HEADERS, Admission
from service.request_context import RequestContext
from tests.unit.service.fakes import KEY_TEXT, KEYS, make_settings

MAX_BYTES = 2**20


def admission(tmp_path: Path, *, keys: str = KEYS, **settings: Any) -> Admission:
    return Admission(make_settings(tmp_path, max_body_bytes=MAX_BYTES, **settings), parse_keys(keys))


def identified(admitting: Admission, *headers: tuple[bytes, bytes]) -> RequestContext:
    context = RequestContext()
    admitting.identify(context, "POST", list(headers), dict(headers))
    return context


@pytest.mark.parametrize("name", SINGLE_HEADERS)
def test_a_header_that_a_proxy_could_read_otherwise_occurs_once(tmp_path: Path, name: bytes) -> None:
    with pytest.raises(Ambiguous, match=name.decode()):
        identified(admission(tmp_path), (name, b"a"), (b"accept", b"x"), (name, b"b"))


def test_other_headers_may_be_repeated(tmp_path: Path) -> None:
    key = (b"x-api-key", KEY_TEXT["predict"].encode())
    assert identified(admission(tmp_path), (b"accept", b"a"), key, (b"accept", b"b")).key is not None


@pytest.mark.parametrize("form", [b"Bearer %s", b"bearer  %s ", b"BEARER %s"])
def test_a_key_may_come_as_a_bearer(tmp_path: Path, form: bytes) -> None:
    key = identified(admission(tmp_path), (b"authorization", form % KEY_TEXT["admin"].encode())).key
    assert key is not None
    assert key.name == "admin"


@pytest.mark.parametrize(
    "header", [(b"authorization", b"Basic abc"), (b"authorization", b"key for admin"), (b"x-api-key", b"wrong")]
)
def test_what_is_no_known_key_gives_none(tmp_path: Path, header: tuple[bytes, bytes]) -> None:
    context = identified(admission(tmp_path), header)
    assert context.key is None
    assert context.needs_key


def test_without_configured_keys_only_this_machine_is_answered(tmp_path: Path) -> None:
    open_to_all = admission(tmp_path, keys="")
    assert not identified(open_to_all, (b"host", b"127.0.0.1:8000")).needs_key
    with pytest.raises(WrongHost):
        identified(open_to_all, (b"host", b"rebound.example"))


@pytest.mark.parametrize(
    ("headers", "weight"),
    [
        ({b"content-length": b"100"}, 100),
        ({b"content-length": b"65536"}, 65_536),
        ({b"content-length": b"65537"}, 0),
        ({b"content-length": b"9" * 400}, 0),
        ({b"content-length": b"-1"}, 0),
        ({b"transfer-encoding": b"chunked"}, 0),
        ({}, 0),
    ],
)
def test_a_request_takes_what_its_small_body_takes_and_gives_it_back(
    tmp_path: Path, headers: dict[bytes, bytes], weight: int
) -> None:
    admitting, context = admission(tmp_path), RequestContext()
    admitting.enter(context, headers, None)
    assert (context.weight, admitting.limits.bytes) == (weight, weight)
    assert context.limits is admitting.limits
    admitting.leave(context)
    assert admitting.limits.bytes == 0


def test_each_key_and_each_address_has_a_rate_of_its_own(tmp_path: Path) -> None:
    admitting = admission(tmp_path, rate_limit=0.001, rate_burst=1)
    callers = [(scope, None) for scope in ("predict", "admin")] + [(None, "10.0.0.1"), (None, "10.0.0.2"), (None, None)]
    for scope, address in callers:
        headers = ((b"x-api-key", KEY_TEXT[scope].encode()),) if scope else ()
        context = identified(admitting, *headers)
        admitting.enter(context, {}, address)
        admitting.leave(context)
        with pytest.raises(ComeLater):
            admitting.enter(context, {}, address)
