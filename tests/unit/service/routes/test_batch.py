from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service import prediction, routes
from service.app import create_app
from service.formats import answers, arrow_columns
from tests.unit.service.fakes import CUSTOMER, KEY_TEXT, KEYS, FakeLastKnownGood, FakeRegistry, FakeStore, make_settings, running

pytestmark = pytest.mark.anyio
CUSTOMERS = [{**CUSTOMER, "customer_id": 'a,"b'}, {**CUSTOMER, "total_day_minutes": None}, {**CUSTOMER, "customer_id": "c"}]
JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
STREAM, FILE = "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"


def spelled(media: str, customers: list[dict[str, Any]] = CUSTOMERS) -> bytes:
    if media == JSON:
        return orjson.dumps({"customers": customers})
    text = io.StringIO()
    table = pa.Table.from_pylist(customers, schema=pa.Table.from_pylist(CUSTOMERS).schema)
    sink = io.BytesIO()
    if media == CSV:
        writer = csv.DictWriter(text, table.column_names)
        writer.writeheader()
        writer.writerows(customers)
        return text.getvalue().encode()
    if media == PARQUET:
        pq.write_table(table, sink)
    else:
        with (pa.ipc.new_stream if media == STREAM else pa.ipc.new_file)(sink, table.schema) as out:
            out.write_table(table)
    return sink.getvalue()


def read(media: str, body: bytes) -> list[dict[str, Any]]:
    if media == JSON:
        return list(orjson.loads(body)["predictions"])
    if media == CSV:
        rows = list(csv.DictReader(io.StringIO(body.decode())))
        kinds: dict[str, Any] = {
            "churn_probability": float,
            "threshold": float,
            "churn": lambda text: {"true": True}.get(text, False),
        }
        return [{name: kinds.get(name, lambda text: text or None)(text) for name, text in row.items()} for row in rows]
    if media == PARQUET:
        return list(pq.read_table(io.BytesIO(body)).to_pylist())
    return list((pa.ipc.open_stream if media == STREAM else pa.ipc.open_file)(body).read_all().to_pylist())


@pytest.mark.parametrize("rows", [5, 6, 7, 13])
async def test_a_large_batch_is_logged_piece_by_piece_and_whole(
    client: httpx2.AsyncClient, store: FakeStore, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(prediction, "SMALL_BATCH_ROWS", 3)
    monkeypatch.setattr(prediction, "LOGGED_AT_ONCE", 6)
    customers = [{**CUSTOMER, "customer_id": f"c{n}"} for n in range(rows)]
    answer = await client.post("/predict/batch", json={"customers": customers})
    assert answer.status_code == 200
    logged = {row.prediction_id: row.customer_id for row in store.rows}
    assert logged == {one["prediction_id"]: one["customer_id"] for one in answer.json()["predictions"]}
    assert sorted(logged.values(), key=str) == sorted((one["customer_id"] for one in customers), key=str)


@pytest.mark.parametrize("wanted", [JSON, CSV, PARQUET, STREAM, FILE])
@pytest.mark.parametrize("given", [JSON, CSV, PARQUET, STREAM, FILE])
async def test_every_format_in_and_out_gives_the_same_answers_and_the_same_log(
    client: httpx2.AsyncClient, store: FakeStore, given: str, wanted: str
) -> None:
    singles = [(await client.post("/predict", json=customer)).json() for customer in CUSTOMERS]
    logged = [row.features for row in store.rows]
    store.rows.clear()
    headers = {"content-type": given, **({} if wanted == given else {"accept": wanted})}
    response = await client.post("/predict/batch", content=spelled(given), headers=headers)
    assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (200, wanted)
    rows = read(wanted, response.content)
    assert [row["prediction_id"] for row in rows] == [row.prediction_id for row in store.rows]
    assert len({row["prediction_id"] for row in rows}) == 3
    for row, single in zip(rows, singles, strict=True):
        assert list(row) == list(single)
        single["prediction_id"] = row["prediction_id"]
        assert row == pytest.approx(single, abs=1e-12)
    assert [row.features for row in store.rows] == logged


async def test_long_answers_come_in_pieces_that_fit_together(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (answers, arrow_columns, routes.batch):
        monkeypatch.setattr(module, "PIECE_ROWS", 2)
    for media in (JSON, CSV, STREAM, FILE, PARQUET):
        response = await client.post("/predict/batch", content=spelled(media), headers={"content-type": media})
        assert [row["customer_id"] for row in read(media, response.content)] == ['a,"b', None, "c"]


async def test_accept_of_what_there_is_not_is_406_and_nothing_is_logged(client: httpx2.AsyncClient, store: FakeStore) -> None:
    response = await client.post("/predict/batch", content=spelled(JSON), headers={"accept": "image/png"})
    assert (response.status_code, response.headers["content-type"]) == (406, "application/problem+json")
    assert store.rows == []


@pytest.mark.parametrize("media", ["text/plain", "text/csv; charset=latin-1", "multipart/form-data"])
async def test_other_media_types_are_415(client: httpx2.AsyncClient, media: str) -> None:
    response = await client.post("/predict/batch", content=b"x", headers={"content-type": media})
    assert response.status_code == 415


async def test_compressed_bodies_are_read_and_bombs_are_413(tmp_path: Path, registry: FakeRegistry, store: FakeStore) -> None:
    app = create_app(
        make_settings(tmp_path, max_body_bytes=2048),
        registry=registry,
        store=store,
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    async with running(app) as client:

        async def post(body: bytes, encoding: str) -> int:
            headers = {"content-type": JSON, "content-encoding": encoding}
            return (await client.post("/predict/batch", content=body, headers=headers)).status_code

        assert await post(gzip.compress(spelled(JSON)), "gzip") == 200
        assert await post(gzip.compress(b" " * 1_000_000), "gzip") == 413
        assert await post(b"no gzip", "gzip") == 422
        assert await post(spelled(JSON), "br") == 415
        for media in (PARQUET, STREAM):
            table = pa.table({"state": ["x" * 100_000]})
            sink = io.BytesIO()
            if media == PARQUET:
                pq.write_table(table, sink, compression="zstd", use_dictionary=False, write_statistics=False)
            else:
                with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as out:
                    out.write_table(table)
            assert len(sink.getvalue()) < 2048
            response = await client.post("/predict/batch", content=sink.getvalue(), headers={"content-type": media})
            assert response.status_code == 413


@pytest.mark.parametrize("media", [JSON, CSV, PARQUET, STREAM, FILE])
async def test_limit_of_rows_and_rules_hold_in_every_format(
    tmp_path: Path, registry: FakeRegistry, store: FakeStore, media: str
) -> None:
    app = create_app(
        make_settings(tmp_path, max_batch_rows=3),
        registry=registry,
        store=store,
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    async with running(app) as client:

        async def post(customers: list[dict[str, Any]]) -> httpx2.Response:
            return await client.post("/predict/batch", content=spelled(media, customers), headers={"content-type": media})

        assert (await post([CUSTOMERS[0]] * 4)).status_code == 413
        assert (await post([])).status_code == 422
        response = await post([CUSTOMERS[0], {**CUSTOMERS[0], "total_day_minutes": -5.0}])
        assert response.status_code == 422
        where = "customers" if media == JSON else "rows"
        assert response.json()["errors"] == [{"field": f"{where}.1.total_day_minutes", "problem": "must be at least 0 minutes"}]
    assert store.rows == []


@pytest.mark.parametrize("media", [CSV, PARQUET, STREAM, FILE])
async def test_rubbish_is_422(client: httpx2.AsyncClient, media: str) -> None:
    for body in (b"", b"\x00" * 100, b"PAR1PAR1", b"ARROW1\x00\x00ARROW1", b"\xff\xff\xff\xff\xff\xff\xff\x7f", b"a,b\n1,2\n"):
        response = await client.post("/predict/batch", content=body, headers={"content-type": media})
        assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")


async def test_a_key_with_the_scope_is_needed(tmp_path: Path, registry: FakeRegistry, store: FakeStore) -> None:
    app = create_app(
        make_settings(tmp_path, api_keys=KEYS),
        registry=registry,
        store=store,
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    routes = ["/predict/batch", "/invocations", "/v2/models/churn/infer"]
    async with running(app) as client:
        for route in routes:
            assert (await client.post(route, json={})).status_code == 401
            assert (await client.post(route, json={}, headers={"x-api-key": KEY_TEXT["outcomes"]})).status_code == 403
            assert (await client.post(route, json={}, headers={"x-api-key": KEY_TEXT["predict"]})).status_code == 422
        for path, open_to_all in {
            "/ping": True,
            "/version": True,
            "/v2/health/live": True,
            "/v2/health/ready": True,
            "/v2": False,
        }.items():
            assert (await client.get(path)).status_code == (200 if open_to_all else 401)
        assert (await client.get("/v2/models/churn", headers={"x-api-key": KEY_TEXT["outcomes"]})).status_code == 200
