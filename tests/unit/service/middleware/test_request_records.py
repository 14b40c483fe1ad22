"""What is recorded of a request: counted under its route, timed, ended in its trace, logged as the setting says, and no more."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from churn.contract import load_contract
from service.api_keys import ApiKey
from service.middleware import request_records
from service.middleware.request_records import MAX_ID_LENGTH, SLOW_SECONDS, RequestRecords, known_method
from service.observability.metrics import ServiceMetrics
from service.request_context import RequestContext
from tests.unit.service.fakes import make_settings

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(request_records, "time", made)
    return made


@pytest.fixture
def metrics() -> ServiceMetrics:
    return ServiceMetrics(load_contract("telecom"))


def records(tmp_path: Path, metrics: ServiceMetrics, access_log: str = "all") -> RequestRecords:
    return RequestRecords(make_settings(tmp_path, access_log=access_log), metrics)


def context(request_id: bytes = b"r-1", traceparent: bytes = b"") -> RequestContext:
    return RequestContext(request_id, traceparent)


def counted(metrics: ServiceMetrics) -> dict[tuple[str, str, str], float]:
    lines = metrics.expose("")[0].decode().splitlines()
    found = {}
    for line in lines:
        if line.startswith("churn_http_requests_total{"):
            labels = dict(part.split("=") for part in line[line.index("{") + 1 : line.index("}")].split(","))
            route, method, status = (labels[name].strip('"') for name in ("route", "method", "status"))
            found[route, method, status] = float(line.rpartition(" ")[2])
    return found


def exemplars(metrics: ServiceMetrics) -> list[dict[str, str]]:
    samples = [sample for one in metrics.seconds.collect() for sample in one.samples]
    return [dict(sample.exemplar.labels) for sample in samples if sample.exemplar]


@pytest.mark.anyio
async def test_every_request_is_counted_once_under_its_route_method_and_status(
    tmp_path: Path, metrics: ServiceMetrics, clock: Clock
) -> None:
    kept = records(tmp_path, metrics)
    for _ in range(3):
        kept.add(context(), "POST", "/predict", 200, 0.001)
    kept.add(context(), "POST", "/predict", 422, 0.001)
    kept.add(context(), "GET", "/model", 200, 2 * SLOW_SECONDS)
    assert counted(metrics) == {("/predict", "POST", "200"): 3, ("/predict", "POST", "422"): 1, ("/model", "GET", "200"): 1}


@pytest.mark.anyio
async def test_methods_that_a_caller_invents_share_one_series_and_are_not_kept(
    tmp_path: Path, metrics: ServiceMetrics, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    kept = records(tmp_path, metrics)
    with caplog.at_level(logging.INFO, "service.access"):
        for n in range(5):
            kept.add(context(), f"INVENTED{n}", "unmatched", 404, 0.001)
    assert counted(metrics) == {("unmatched", "other", "404"): 5}
    assert {record.method for record in caplog.records} == {"other"}  # type: ignore[attr-defined]
    assert len(kept._series) == 0
    assert [known_method(name) for name in ("GET", "PATCH", "get", "X")] == ["GET", "PATCH", "other", "other"]


@pytest.mark.anyio
async def test_slow_requests_and_one_of_the_others_a_second_leave_their_id(
    tmp_path: Path, metrics: ServiceMetrics, clock: Clock
) -> None:
    kept = records(tmp_path, metrics, "off")
    kept.add(context(b"first"), "POST", "/predict", 200, 0.002)
    kept.add(context(b"second"), "POST", "/predict", 200, 0.02)
    assert exemplars(metrics) == [{"request_id": "first"}]
    clock.now += 0.999
    kept.add(context(b"third"), "POST", "/predict", 200, 0.02)
    assert exemplars(metrics) == [{"request_id": "first"}]
    clock.now += 0.001
    kept.add(context(b"fourth"), "POST", "/predict", 200, 0.02)
    kept.add(context(b"slow", TRACE), "POST", "/predict", 200, SLOW_SECONDS)
    assert exemplars(metrics) == [
        {"request_id": "first"},
        {"request_id": "fourth"},
        {"request_id": "slow", "trace_id": TRACE[3:35].decode()},
    ]


@pytest.mark.anyio
async def test_an_id_of_any_length_fits_into_an_exemplar(tmp_path: Path, metrics: ServiceMetrics, clock: Clock) -> None:
    records(tmp_path, metrics).add(context(b"x" * 128, TRACE), "POST", "/predict", 200, 1.0)
    assert [len(one["request_id"]) for one in exemplars(metrics)] == [MAX_ID_LENGTH]


@pytest.mark.anyio
@pytest.mark.parametrize(("setting", "logged"), [("all", [200, 399, 400, 503]), ("errors", [400, 503]), ("off", [])])
async def test_the_access_log_has_what_the_setting_asks_for(
    tmp_path: Path, metrics: ServiceMetrics, clock: Clock, caplog: pytest.LogCaptureFixture, setting: str, logged: list[int]
) -> None:
    kept = records(tmp_path, metrics, setting)
    with caplog.at_level(logging.INFO, "service.access"):
        for status in (200, 399, 400, 503):
            kept.add(context(), "POST", "/predict", status, 0.001)
    assert [record.status for record in caplog.records] == logged  # type: ignore[attr-defined]


@pytest.mark.anyio
async def test_a_line_of_the_log_names_the_request_and_no_customer(
    tmp_path: Path, metrics: ServiceMetrics, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    one = context(b"r-7", TRACE)
    one.key, one.weight, one.model_version = ApiKey("crm", frozenset({"predict"}), b""), 321, "9"
    with caplog.at_level(logging.INFO, "service.access"):
        records(tmp_path, metrics).add(one, "POST", "/predict", 200, 0.0123456)
        records(tmp_path, metrics).add(context(b"r-8"), "GET", "/model", 401, 0.001)
    assert [record.getMessage() for record in caplog.records] == ["POST /predict 200", "GET /model 401"]
    names = ("request_id", "trace_id", "method", "route", "status", "duration_ms", "bytes", "key", "model_version")
    first, second = ([getattr(record, name) for name in names] for record in caplog.records)
    assert first == ["r-7", TRACE[3:35].decode(), "POST", "/predict", 200, 12.346, 321, "crm", "9"]
    assert second == ["r-8", None, "GET", "/model", 401, 1.0, 0, None, None]


@pytest.mark.anyio
async def test_the_trace_of_a_request_ends_with_its_answer(tmp_path: Path, metrics: ServiceMetrics, clock: Clock) -> None:
    ended: list[Any] = []

    class Trace:
        def end(self, request_context: RequestContext, /, *, method: str, route: str, status: int) -> None:
            ended.append((request_context, method, route, status))

    one = context()
    one.trace = Trace()  # type: ignore[assignment]
    records(tmp_path, metrics, "off").add(one, "STRANGE", "/predict", 503, 0.001)
    assert ended == [(one, "other", "/predict", 503)]
