"""OpenTelemetry traces, off by default: one span a request, inside the caller's trace, and a child span for each of its parts.

OpenTelemetry is imported only when tracing is on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from churn.config.settings import Settings
from churn.errors import InputError
from service.request_context import RequestContext

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

NAME = "churn"
SERVER_ERROR = 500
_NOTHING: AbstractContextManager[Any] = nullcontext()


class Tracing:
    """Starts the spans of one app and exports them through `provider`."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self.tracer = provider.get_tracer(NAME)
        self._kind = trace.SpanKind.SERVER
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, request_context: RequestContext, method: str, headers: Mapping[bytes, bytes]) -> None:
        """Start the span of a request, and write its ids into the request context, so that response and log name the trace.

        Parameters
        ----------
        request_context : RequestContext
        method : str
            The HTTP method, or "other".
        headers : mapping of bytes to bytes
            The request's headers, names in lower case.
        """
        carrier = {
            name: headers[name.encode()].decode("latin-1") for name in ("traceparent", "tracestate") if name.encode() in headers
        }
        span = self.tracer.start_span(method, context=self._propagator.extract(carrier), kind=self._kind)
        context = span.get_span_context()
        request_context.trace = RequestSpan(self, span)
        request_context.trace_id, request_context.span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        request_context.flags = f"{int(context.trace_flags):02x}"

    def close(self) -> None:
        """Export what has not been exported."""
        self._provider.shutdown()


class RequestSpan:
    """The span of one request; see `service.request_context.RequestTrace`."""

    __slots__ = ("_span", "_tracing")

    def __init__(self, tracing: Tracing, span: Span) -> None:
        self._tracing, self._span = tracing, span

    def child_span(self, name: str, /) -> AbstractContextManager[Any]:
        """Return a context manager that measures a part of the request."""
        from opentelemetry import trace

        return self._tracing.tracer.start_as_current_span(name, context=trace.set_span_in_context(self._span))

    def start_child(self, name: str, /) -> Callable[[], None]:
        """Start the span of a part of the request that ends in another callback; return what ends it."""
        from opentelemetry import trace

        return self._tracing.tracer.start_span(name, context=trace.set_span_in_context(self._span)).end

    def end(self, request_context: RequestContext, /, *, method: str, route: str, status: int) -> None:
        """End the span. It records the response and no personal data.

        Parameters
        ----------
        request_context : RequestContext
        method, route : str
            The HTTP method and the route's template.
        status : int
            The HTTP status of the response.
        """
        from opentelemetry import trace

        self._span.update_name(f"{method} {route}")
        self._span.set_attributes(
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "churn.request_id": request_context.request_id,
                "churn.model_version": request_context.model_version,
            }
        )
        if status >= SERVER_ERROR:
            self._span.set_status(trace.Status(trace.StatusCode.ERROR))
        self._span.end()


def child_span(name: str, request_context: RequestContext | None) -> AbstractContextManager[Any]:
    """Return a context manager that measures a part of a request; it does nothing if the request is not traced.

    Parameters
    ----------
    name : str
    request_context : RequestContext or None
        The request's; None if it did not pass the gateway.

    Returns
    -------
    context manager
    """
    if request_context is None or request_context.trace is None:
        return _NOTHING
    return request_context.trace.child_span(name)


def start_tracing(settings: Settings) -> Tracing | None:
    """Return the tracing that the settings ask for; None if they switch it off.

    Raises
    ------
    InputError
        If tracing is on and OpenTelemetry is not installed.
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
