"""One span a request, inside the caller's trace, with its parts; without tracing nothing is measured and nothing imported."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from churn.errors import InputError
from service.observability.tracing import child_span, start_tracing
from service.request_context import RequestContext
from tests.unit.service.fakes import make_settings

CALLER = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"


class Exporter:
    """Keeps what is exported."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.closed = False

    def export(self, spans: Any) -> Any:
        self.spans += spans

    def shutdown(self) -> None:
        self.closed = True

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return timeout_millis >= 0


def test_without_tracing_nothing_is_measured(tmp_path: Path) -> None:
    assert start_tracing(make_settings(tmp_path)) is None
    with child_span("score", None) as nothing, child_span("log", RequestContext()) as nor_here:
        assert (nothing, nor_here) == (None, None)


def test_without_the_library_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(InputError, match="extra `otel`"):
        start_tracing(make_settings(tmp_path, traces="otlp"))


def test_a_request_is_one_span_in_the_callers_trace_with_its_parts() -> None:
    export = pytest.importorskip("opentelemetry.sdk.trace.export", reason="needs the extra otel: pip install '.[otel]'")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import StatusCode

    from service.observability.tracing import Tracing

    exporter, provider = Exporter(), TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    tracing = Tracing(provider)
    for status, traceparent in ((200, CALLER), (500, b""), (499, b"")):
        context = RequestContext(b"r1")
        context.model_version = "7"
        tracing.begin(context, "POST", {b"traceparent": traceparent} if traceparent else {})
        trace = context.trace
        assert trace is not None
        with child_span("score", context):
            pass
        logged = trace.start_child("log")
        logged()
        trace.end(context, method="POST", route="/predict", status=status)
        score, log, request = exporter.spans
        exporter.spans = []
        assert [one.name for one in (score, log, request)] == ["score", "log", "POST /predict"]
        ids = request.get_span_context()
        assert {one.parent.span_id for one in (score, log)} == {ids.span_id}
        assert (context.trace_id, context.span_id) == (f"{ids.trace_id:032x}", f"{ids.span_id:016x}")
        assert (request.parent is not None) is bool(traceparent)
        assert context.flags == f"{int(ids.trace_flags):02x}"
        assert int(context.flags, 16) & 1, "it is sampled"
        assert not traceparent or context.trace_id == "a" * 32
        assert dict(request.attributes) == {
            "http.request.method": "POST",
            "http.route": "/predict",
            "http.response.status_code": status,
            "churn.request_id": "r1",
            "churn.model_version": "7",
        }
        assert (request.status.status_code is StatusCode.ERROR) is (status == 500)
        assert request.kind.name == "SERVER"
    tracing.close()
    assert exporter.closed
