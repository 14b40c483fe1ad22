"""The door: every request comes in and goes out here. It gets a name, is let in or turned away, and is measured and noted.

One ASGI middleware, outermost, because each layer costs every request. What stands inside finds the `RequestContext` in the scope, under
`service.request_context.IN_SCOPE`, and the same in `service.request_context.CURRENT`.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api_keys import known_key
from service.http.errors import Ambiguous, ComeLater, RequestProblem
from service.http.origin import check_origin
from service.http.problem_details import problem_response
from service.http.rate_limits import Limits
from service.observability.metrics import METHODS
from service.request_context import CURRENT, IN_SCOPE, RequestContext
from service.state import ServiceState

# Whoever asks these must get an answer most of all when there is too much of everything else.
ALWAYS_OPEN = frozenset({"/healthz", "/readyz", "/metrics"})
# Of these there may be one: a proxy in front could believe the first, and we the last.
ONCE = (b"host", b"authorization", b"x-api-key", b"content-type", b"content-length", b"content-encoding", b"origin")
CLIENT_ERROR = 400
MAX_NUMBER_LENGTH = 16
# What the objective for /predict calls slow.
SLOW_SECONDS = 0.05
# OpenMetrics allows an exemplar 128 characters, names and trace id (32) included.
MAX_ID_LENGTH = 64
logger = logging.getLogger("service.access")


class Gateway:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, state: ServiceState) -> None:
        self.app = app
        self._state = state
        settings = state.settings
        self._limits = Limits(settings.max_concurrent, settings.max_inflight_bytes, settings.rate_limit, settings.rate_burst)
        self._largest = settings.max_body_bytes
        self._noted = {"all": 0, "errors": CLIENT_ERROR, "off": 1_000}[settings.access_log]
        self._tracing = state.tracing
        self._next_exemplar = 0.0
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
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
            self._tracing.begin(request_context, _known(scope["method"]), headers)
        began = False
        status = 500  # unless an answer says otherwise: what escapes from here is answered as 500 further out

        async def answer(message: Message) -> None:
            nonlocal status, began
            if message["type"] == "http.response.start":
                status, began = message["status"], True
                message["headers"] = [*message["headers"], *request_context.headers()]
            await send(message)

        entered = False
        try:
            if scope["path"] not in ALWAYS_OPEN:
                self._identify(scope, headers, request_context)
                request_context.weight = self._weight(headers)
                self._limits.count(_caller(request_context, scope))
                self._limits.enter(request_context.weight)
                entered = True
            await self.app(scope, receive, answer)
        except RequestProblem as problem:
            if entered:
                raise
            if isinstance(problem, ComeLater):
                self._state.metrics.shed.inc()
            await problem_response(Request(scope), problem)(scope, receive, answer)
        except Exception as error:
            # What comes out of the framework is answered already. A bug of the fast lane is not.
            if not began:
                await problem_response(Request(scope), error)(scope, receive, answer)
            raise
        finally:
            if entered:
                self._limits.leave(request_context.weight)
            self._note(scope, request_context, status, time.perf_counter() - started)

    def _identify(self, scope: Scope, headers: dict[bytes, bytes], request_context: RequestContext) -> None:
        """Find whose request it is."""
        if len(headers) < len(scope["headers"]):
            _refuse_repeated(scope["headers"])
        if self._state.keys:
            request_context.key = known_key(self._state.keys, _presented(headers))
        else:
            check_origin(scope["method"], headers)

    def _weight(self, headers: dict[bytes, bytes]) -> int:
        """Tell how many bytes the body may take: as many as any if its length is not told."""
        length = headers.get(b"content-length", b"")
        if length.isdigit():
            return min(int(length), self._largest) if len(length) < MAX_NUMBER_LENGTH else self._largest
        return self._largest if b"transfer-encoding" in headers else 0

    def _note(self, scope: Scope, request_context: RequestContext, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        series = self._series.get((route, scope["method"], status))
        if series is None:
            series = self._measured(route, scope["method"], status)
        counter, histogram = series
        counter.inc()
        if request_context.trace is not None:
            request_context.trace.end(request_context, _known(scope["method"]), route, status)
        self._observe(histogram, seconds, request_context)
        if status >= self._noted:
            logger.info("%s %s %d", scope["method"], route, status, extra=_facts(scope, request_context, route, status, seconds))

    def _observe(self, histogram: Histogram, seconds: float, request_context: RequestContext) -> None:
        """Count how long it took. Slow requests can be found again by their id (an exemplar), and one of the others a second."""
        moment = time.monotonic()
        if seconds < SLOW_SECONDS and moment < self._next_exemplar:
            histogram.observe(seconds)
            return
        self._next_exemplar = moment + 1.0
        exemplar = {"request_id": request_context.request_id[:MAX_ID_LENGTH]}
        if request_context.trace_id:
            exemplar["trace_id"] = request_context.trace_id
        histogram.observe(seconds, exemplar)

    def _measured(self, route: str, method: str, status: int) -> tuple[Counter, Histogram]:
        # Methods are the caller's to invent; routes and statuses are ours.
        known = _known(method)
        metrics = self._state.metrics
        series = metrics.requests.labels(route, known, str(status)), metrics.seconds.labels(route)
        if known != "other":
            self._series[route, method, status] = series
        return series


def _known(method: str) -> str:
    return method if method in METHODS else "other"


def _refuse_repeated(headers: list[tuple[bytes, bytes]]) -> None:
    names = [name for name, _ in headers]
    for name in ONCE:
        if names.count(name) > 1:
            raise Ambiguous(f"The header {name.decode()} may be there once.")


def _presented(headers: dict[bytes, bytes]) -> bytes:
    """Give the key that came with a request, by either header; empty if none did."""
    bearer = headers.get(b"authorization", b"")
    return headers.get(b"x-api-key") or (bearer[7:].strip() if bearer[:7].lower() == b"bearer " else b"")


def _caller(request_context: RequestContext, scope: Scope) -> str:
    if request_context.key is not None:
        return f"key {request_context.key.name}"
    client = scope.get("client")
    return f"address {client[0]}" if client else "address"


def _facts(scope: Scope, request_context: RequestContext, route: str, status: int, seconds: float) -> dict[str, Any]:
    """Give what the access log says of a request: nothing that a customer could be known by."""
    return {
        "request_id": request_context.request_id,
        "trace_id": request_context.trace_id or None,
        "method": _known(scope["method"]),
        "route": route,
        "status": status,
        "duration_ms": round(1000 * seconds, 3),
        "bytes": request_context.weight,
        "key": request_context.key.name if request_context.key else None,
        "model_version": request_context.model_version or None,
    }
