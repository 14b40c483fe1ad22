"""Outermost middleware: assigns a request id, authenticates, applies limits, records metrics and the access log.

It is one class, because each layer costs every request. It leaves the `RequestContext` in the ASGI scope, under
`service.request_context.IN_SCOPE`, and in the context variable `service.request_context.CURRENT`.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from churn.config.settings import Settings
from service.api_keys import ApiKey, known_key
from service.http.errors import Ambiguous, ComeLater, RequestProblem
from service.http.origin import check_origin
from service.http.problem_details import ProblemResponses
from service.http.rate_limits import Limits
from service.observability.metrics import METHODS, ServiceMetrics
from service.observability.tracing import Tracing
from service.request_context import CURRENT, IN_SCOPE, RequestContext

# Health checks and metrics must be answered most of all when there is too much of everything else.
ALWAYS_OPEN = frozenset({"/healthz", "/readyz", "/metrics"})
# These headers may occur once: a proxy in front could read the first, and this service the last.
SINGLE_HEADERS = (b"host", b"authorization", b"x-api-key", b"content-type", b"content-length", b"content-encoding", b"origin")
CLIENT_ERROR = 400
MAX_NUMBER_LENGTH = 16
# The objective for /predict calls a longer request slow.
SLOW_SECONDS = 0.05
# OpenMetrics allows an exemplar 128 characters, names and trace id (32) included.
MAX_ID_LENGTH = 64
logger = logging.getLogger("service.access")


class Gateway:
    """ASGI middleware around the fast path.

    Parameters
    ----------
    app : ASGIApp
        What answers the requests that are let in.
    settings : Settings
    keys : tuple of ApiKey
        Without keys only programs of this machine are answered, and the service binds loopback.
    metrics : ServiceMetrics
    tracing : Tracing or None
    problems : ProblemResponses
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        keys: tuple[ApiKey, ...],
        metrics: ServiceMetrics,
        tracing: Tracing | None,
        problems: ProblemResponses,
    ) -> None:
        self.app = app
        self.limits = Limits(settings.max_concurrent, settings.max_inflight_bytes, settings.rate_limit, settings.rate_burst)
        self._keys = keys
        self._metrics = metrics
        self._tracing = tracing
        self._problems = problems
        self._max_bytes = settings.max_body_bytes
        self._min_logged_status = {"all": 0, "errors": CLIENT_ERROR, "off": 1_000}[settings.access_log]
        self._next_exemplar = 0.0
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        request_context = scope[IN_SCOPE] = RequestContext(
            headers.get(b"x-request-id", b""), headers.get(b"traceparent", b""), headers.get(b"content-type", b"")
        )
        CURRENT.set(request_context)
        if self._tracing is not None:
            self._tracing.begin(request_context, _known_method(scope["method"]), headers)
        response_started = False
        status = 500  # unless a response says otherwise: the server answers 500 to what escapes from here

        async def send_with_headers(message: Message) -> None:
            nonlocal status, response_started
            if message["type"] == "http.response.start":
                status, response_started = message["status"], True
                message["headers"] = [*message["headers"], *request_context.headers()]
            await send(message)

        entered = False
        try:
            if scope["path"] not in ALWAYS_OPEN:
                self._authenticate(scope, headers, request_context)
                request_context.weight = self._weight(headers)
                self.limits.count(_caller(request_context, scope))
                self.limits.enter(request_context.weight)
                entered = True
            await self.app(scope, receive, send_with_headers)
        except RequestProblem as problem:
            if entered:
                raise
            if isinstance(problem, ComeLater):
                self._metrics.shed.inc()
            await self._problems.respond(Request(scope), problem)(scope, receive, send_with_headers)
        except Exception as error:
            # FastAPI has answered its own errors already. A bug of the fast path is answered here.
            if not response_started:
                await self._problems.respond(Request(scope), error)(scope, receive, send_with_headers)
            raise
        finally:
            if entered:
                self.limits.leave(request_context.weight)
            self._record(scope, request_context, status, time.perf_counter() - started)

    def _authenticate(self, scope: Scope, headers: dict[bytes, bytes], request_context: RequestContext) -> None:
        """Look the key up or, without configured keys, check that the request comes from this machine."""
        if len(headers) < len(scope["headers"]):
            _refuse_repeated(scope["headers"])
        if self._keys:
            request_context.key = known_key(self._keys, _presented_key(headers))
        else:
            request_context.needs_key = False
            check_origin(scope["method"], headers)

    def _weight(self, headers: dict[bytes, bytes]) -> int:
        """Return how many bytes the body may take: the largest body if its length is not declared."""
        length = headers.get(b"content-length", b"")
        if length.isdigit():
            return min(int(length), self._max_bytes) if len(length) < MAX_NUMBER_LENGTH else self._max_bytes
        return self._max_bytes if b"transfer-encoding" in headers else 0

    def _record(self, scope: Scope, request_context: RequestContext, status: int, seconds: float) -> None:
        """Record the request in metrics, trace and access log."""
        route = getattr(scope.get("route"), "path", "unmatched")
        series = self._series.get((route, scope["method"], status))
        if series is None:
            series = self._find_series(route, scope["method"], status)
        counter, histogram = series
        counter.inc()
        if request_context.trace is not None:
            request_context.trace.end(request_context, method=_known_method(scope["method"]), route=route, status=status)
        self._observe(histogram, seconds, request_context)
        if status >= self._min_logged_status:
            facts = _log_fields(scope, request_context, route, status, seconds)
            logger.info("%s %s %d", scope["method"], route, status, extra=facts)

    def _observe(self, histogram: Histogram, seconds: float, request_context: RequestContext) -> None:
        """Observe a duration. Every slow request has an exemplar with its id, and one of the others a second."""
        moment = time.monotonic()
        if seconds < SLOW_SECONDS and moment < self._next_exemplar:
            histogram.observe(seconds)
            return
        self._next_exemplar = moment + 1.0
        exemplar = {"request_id": request_context.request_id[:MAX_ID_LENGTH]}
        if request_context.trace_id:
            exemplar["trace_id"] = request_context.trace_id
        histogram.observe(seconds, exemplar)

    def _find_series(self, route: str, method: str, status: int) -> tuple[Counter, Histogram]:
        # Callers may invent methods, so only known ones are kept; routes and statuses are the service's own.
        known = _known_method(method)
        series = self._metrics.requests.labels(route, known, str(status)), self._metrics.seconds.labels(route)
        if known != "other":
            self._series[route, method, status] = series
        return series


def _known_method(method: str) -> str:
    return method if method in METHODS else "other"


def _refuse_repeated(headers: list[tuple[bytes, bytes]]) -> None:
    names = [name for name, _ in headers]
    for name in SINGLE_HEADERS:
        if names.count(name) > 1:
            raise Ambiguous(f"The header {name.decode()} may be there once.")


def _presented_key(headers: dict[bytes, bytes]) -> bytes:
    """Return the key that was sent, by either header; empty if there is none."""
    bearer = headers.get(b"authorization", b"")
    return headers.get(b"x-api-key") or (bearer[7:].strip() if bearer[:7].lower() == b"bearer " else b"")


def _caller(request_context: RequestContext, scope: Scope) -> str:
    if request_context.key is not None:
        return f"key {request_context.key.name}"
    client = scope.get("client")
    return f"address {client[0]}" if client else "address"


def _log_fields(scope: Scope, request_context: RequestContext, route: str, status: int, seconds: float) -> dict[str, Any]:
    """Return the fields of the access log: no personal data."""
    return {
        "request_id": request_context.request_id,
        "trace_id": request_context.trace_id or None,
        "method": _known_method(scope["method"]),
        "route": route,
        "status": status,
        "duration_ms": round(1000 * seconds, 3),
        "bytes": request_context.weight,
        "key": request_context.key.name if request_context.key else None,
        "model_version": request_context.model_version or None,
    }
