"""Traces reach a local collector by OTLP, and hold the caller's trace together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from service.app import create_app
from tests.integration.live import live
from tests.unit.service.fakes import CUSTOMER, FakeLastKnownGood, FakeRegistry, FakeStore, make_model, make_settings
from tools.loopback_http import http

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    spans: list[Any] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            spans.extend(span for r in request.resource_spans for scope in r.scope_spans for span in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield spans
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_request_is_a_span_of_the_callers_trace_with_its_parts(tmp_path: Path, collected: list[Any]) -> None:
    settings = make_settings(tmp_path, traces="otlp")
    app = create_app(
        settings, registry=FakeRegistry(make_model("1")), store=FakeStore(), last_known_good=FakeLastKnownGood().last_known_good()
    )
    with live(app) as (host, port):
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "mine"}
        answer = http.post(f"http://{host}:{port}/predict", json={**CUSTOMER, "customer_id": "jane"}, headers=headers)
        http.post(f"http://{host}:{port}/predict/batch", json={"customers": [CUSTOMER]}, headers=headers)
    # What was not sent yet is sent when the service stops.
    spans = {span.name: span for span in collected}
    assert set(spans) == {"POST /predict", "POST /predict/batch", "score", "log"}
    assert {span.trace_id.hex() for span in collected} == {TRACE}
    root = spans["POST /predict"]
    assert root.parent_span_id.hex() == PARENT
    assert answer.headers["traceparent"] == f"00-{TRACE}-{root.span_id.hex()}-01"
    roots = {root.span_id, spans["POST /predict/batch"].span_id}
    assert {span.parent_span_id for span in collected if span.name in ("score", "log")} == roots
    facts = {fact.key: fact.value for fact in root.attributes}
    assert facts["http.response.status_code"].int_value == 200
    assert (facts["churn.model_version"].string_value, facts["churn.request_id"].string_value) == ("1", "mine")
    assert "jane" not in str(collected)


def test_without_a_trace_of_the_caller_the_service_begins_one(tmp_path: Path, collected: list[Any]) -> None:
    settings = make_settings(tmp_path, traces="otlp")
    app = create_app(
        settings, registry=FakeRegistry(make_model("1")), store=FakeStore(), last_known_good=FakeLastKnownGood().last_known_good()
    )
    with live(app) as (host, port):
        answer = http.post(f"http://{host}:{port}/predict", json={"nonsense": 1})
    assert answer.status_code == 422
    assert [span.name for span in collected] == ["POST /predict"]
    assert collected[0].trace_id.hex() in answer.headers["traceparent"]
