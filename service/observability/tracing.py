"""Traces by OpenTelemetry, off by default: one span a request, within the caller's trace, and one for each of its parts.

Nothing of OpenTelemetry is imported while it is off.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from churn.config.settings import Settings
from churn.errors import InputError
from service.request_context import CURRENT, RequestContext

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

NAME = "churn"
SERVER_ERROR = 500
_NOTHING: AbstractContextManager[Any] = nullcontext()


class Tracing:
    """Makes the spans of one app, and gives them to `provider`."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer(NAME)
        self._kind = trace.SpanKind.SERVER
        self._error = trace.Status(trace.StatusCode.ERROR)
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, request_context: RequestContext, method: str, headers: Mapping[bytes, bytes]) -> None:
        """Begin a request's span; the visit is told, so that answer and log name the trace."""
        told = {
            name: headers[name.encode()].decode("latin-1") for name in ("traceparent", "tracestate") if name.encode() in headers
        }
        span = self._tracer.start_span(method, context=self._propagator.extract(told), kind=self._kind)
        context = span.get_span_context()
        request_context.span, request_context.trace = span, self
        request_context.trace_id, request_context.span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        request_context.flags = f"{int(context.trace_flags):02x}"

    def end(self, request_context: RequestContext, method: str, route: str, status: int) -> None:
        """End it, with what became of the request: nothing that a customer could be known by."""
        span = request_context.span
        span.update_name(f"{method} {route}")
        span.set_attributes(
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "churn.request_id": request_context.request_id,
                "churn.model_version": request_context.model_version,
            }
        )
        if status >= SERVER_ERROR:
            span.set_status(self._error)
        span.end()

    def part(self, span: Span, name: str) -> AbstractContextManager[Any]:
        """Make a span of a part of a request."""
        from opentelemetry import trace

        return self._tracer.start_as_current_span(name, context=trace.set_span_in_context(span))

    def close(self) -> None:
        """Send what has not been sent."""
        self._provider.shutdown()


def part(name: str) -> AbstractContextManager[Any]:
    """Measure a part of the request that is being answered; nothing, if it is not traced."""
    request_context = CURRENT.get()
    if request_context is None or request_context.trace is None:
        return _NOTHING
    measured: AbstractContextManager[Any] = request_context.trace.part(request_context.span, name)
    return measured


def start_tracing(settings: Settings) -> Tracing | None:
    """Make what traces requests, if the settings ask for it.

    Raises
    ------
    InputError
        If they do, and OpenTelemetry is not installed.
    """
    if settings.traces == "off":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise InputError("CHURN_TRACES=otlp needs OpenTelemetry: install churn with the extra `otel`") from error
    provider = TracerProvider(resource=Resource.create({"service.name": NAME}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)
