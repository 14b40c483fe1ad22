"""Requests that are large, deep or odd in a way that costs the reader more than the sender: told in time, never a server error.

Limits of bodies, rows, gzip, Parquet and Arrow bombs: tests/unit/service/routes/test_batch.py, test_predict.py and formats/.
"""

from __future__ import annotations

import gzip
import time
import zlib

import httpx2
import psutil
import pytest

from tests.unit.service.fakes import FakeStore

pytestmark = pytest.mark.anyio
READERS = (
    "/predict",
    "/predict/batch",
    "/outcomes",
    "/contacts",
    "/campaign/candidates",
    "/invocations",
    "/v2/models/churn/infer",
    "/admin/rollback",
)
DEEP = 40_000
BODIES = {
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep in a field": b'{"customers":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep in a customer": b'{"state":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001,
    "a number of a megabyte": b'{"total_day_minutes":1' + b"0" * 1_000_000 + b"}",
    "a number beyond all": b'{"total_day_minutes":1e999999999}',
    "a negative zero": b'{"total_day_minutes":-0.0e0',
    "a name of a megabyte": b'{"' + b"a" * 1_000_000 + b'":1}',
    "lone surrogates": b'{"customer_id":"\\ud800"}',
    "nothing": b"",
    "a NUL": b"\x00",
    "a mark of byte order": b"\xef\xbb\xbf{}",
}


async def test_no_body_is_a_server_error_on_any_route(open_client: httpx2.AsyncClient, store: FakeStore) -> None:
    for name, body in BODIES.items():
        for path in READERS:
            answer = await open_client.post(path, content=body, headers={"content-type": "application/json"})
            # Without a body a rollback is one; there is no model here to go back to.
            expected = (409,) if (path, name) == ("/admin/rollback", "nothing") else (400, 413, 415, 422)
            assert answer.status_code in expected, (path, name, answer.text[:200])
            assert len(answer.content) < 50_000, (path, name)
    assert store.rows == []


async def test_a_million_of_nothing_is_told_soon_and_in_little_memory(open_client: httpx2.AsyncClient) -> None:
    many = b",".join([b"{}"] * 1_000_000)
    process = psutil.Process()
    for path, body in (
        ("/predict/batch", b'{"customers":[' + many + b"]}"),
        ("/outcomes", b'{"outcomes":[' + many + b"]}"),
        ("/invocations", b'{"dataframe_records":[' + many + b"]}"),
        ("/invocations", b'{"inputs":{"state":[' + many + b"]}}"),
        ("/v2/models/churn/infer", b'{"inputs":[' + many + b"]}"),
    ):
        before, begun = process.memory_info().rss, time.process_time()
        answer = await open_client.post(path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (413, 422), (path, answer.text[:300])
        assert process.memory_info().rss - before < 700 * 2**20, path
        assert time.process_time() - begun < 15, path


READ_AS_THEY_ARE = {
    "/predict": b'{"international_plan": "Yes", "voice_mail_plan": "No", "area_code": "415"}',
    "/predict?reasons=2": b'{"international_plan": "Yes", "voice_mail_plan": "No", "area_code": "415"}',
    "/predict/batch": b'{"customers": []}',
    "/outcomes": b'{"outcomes": [{"customer_id": "anna", "churned": true}]}',
    "/contacts": b'{"contacts": [{"customer_id": "anna", "contacted_at": "2026-01-01T00:00:00Z"}]}',
    "/invocations": b'{"dataframe_records": []}',
    "/v2/models/churn/infer": b'{"inputs": []}',
    "/admin/rollback": b'{"reason": 3}',
}


@pytest.mark.parametrize("path", READ_AS_THEY_ARE)
async def test_a_compressed_body_is_read_as_it_would_be_plain(open_client: httpx2.AsyncClient, path: str) -> None:
    headers = {"content-type": "application/json"}
    plain = await open_client.post(path, content=READ_AS_THEY_ARE[path], headers=headers)
    for encoding, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
        packed = await open_client.post(
            path, content=pack(READ_AS_THEY_ARE[path]), headers={**headers, "content-encoding": encoding}
        )
        assert packed.status_code == plain.status_code, (encoding, packed.text)
        assert packed.json().get("errors") == plain.json().get("errors")


@pytest.fixture(scope="module")
def bomb() -> bytes:
    return gzip.compress(bytes(64 * 2**20), 9)


@pytest.mark.parametrize("path", READ_AS_THEY_ARE)
async def test_a_body_that_unpacks_to_more_than_one_may_have_is_413_everywhere(
    open_client: httpx2.AsyncClient, path: str, bomb: bytes
) -> None:
    twice = gzip.compress(bomb)
    assert len(bomb) < 100_000
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert (await open_client.post(path, content=bomb, headers=headers)).status_code == 413
    for body, encoding in ((twice, "gzip"), (bomb, "gzip, gzip"), (bomb, "br"), (b"\x1f\x8b", "gzip"), (bomb, "deflate")):
        answer = await open_client.post(path, content=body, headers={**headers, "content-encoding": encoding})
        assert answer.status_code in (415, 422), (encoding, answer.text)
