"""What is recorded of every answered request: metrics, the end of its trace, and the access log."""

from __future__ import annotations

import logging
import time
from typing import Any

from prometheus_client import Counter, Histogram

from churn.config.settings import Settings
from service.observability.metrics import METHODS, ServiceMetrics
from service.request_context import RequestContext

CLIENT_ERROR = 400
# The objective for /predict calls a longer request slow.
SLOW_SECONDS = 0.05
# OpenMetrics allows an exemplar 128 characters, names and trace id (32) included.
MAX_ID_LENGTH = 64
logger = logging.getLogger("service.access")


class RequestRecords:
    """Records requests when they have been answered."""

    def __init__(self, settings: Settings, metrics: ServiceMetrics) -> None:
        self._metrics = metrics
        self._min_logged_status = {"all": 0, "errors": CLIENT_ERROR, "off": 1_000}[settings.access_log]
        self._next_exemplar = 0.0
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def add(self, request_context: RequestContext, method: str, route: str, status: int, seconds: float) -> None:
        """Record a request.

        Parameters
        ----------
        request_context : RequestContext
        method : str
            As it was sent.
        route : str
            The route's template.
        status : int
        seconds : float
            How long it took to answer.
        """
        series = self._series.get((route, method, status))
        if series is None:
            series = self._find_series(route, method, status)
        if request_context.trace is not None:
            request_context.trace.end(request_context, method=known_method(method), route=route, status=status)
        self._count(series, seconds, request_context)
        if status >= self._min_logged_status:
            facts = _log_fields(request_context, method, route, status, seconds)
            logger.info("%s %s %d", method, route, status, extra=facts)

    def _count(self, series: tuple[Counter, Histogram], seconds: float, request_context: RequestContext) -> None:
        """Count a request. Every slow one leaves an exemplar with its id, and one of the others a second."""
        moment = time.monotonic()
        if seconds < SLOW_SECONDS and moment < self._next_exemplar:
            self._metrics.pending.add_request(series, seconds)
            return
        self._next_exemplar = moment + 1.0
        exemplar = {"request_id": request_context.request_id[:MAX_ID_LENGTH]}
        if request_context.trace_id:
            exemplar["trace_id"] = request_context.trace_id
        counter, histogram = series
        counter.inc()
        histogram.observe(seconds, exemplar)

    def _find_series(self, route: str, method: str, status: int) -> tuple[Counter, Histogram]:
        # Callers may invent methods, so only known ones are kept; routes and statuses are the service's own.
        known = known_method(method)
        series = self._metrics.requests.labels(route, known, str(status)), self._metrics.seconds.labels(route)
        if known != "other":
            self._series[route, method, status] = series
        return series


def known_method(method: str) -> str:
    """Return an HTTP method, or "other" for one that a caller may have invented."""
    return method if method in METHODS else "other"


def _log_fields(request_context: RequestContext, method: str, route: str, status: int, seconds: float) -> dict[str, Any]:
    """Return the fields of the access log: no personal data."""
    return {
        "request_id": request_context.request_id,
        "trace_id": request_context.trace_id or None,
        "method": known_method(method),
        "route": route,
        "status": status,
        "duration_ms": round(1000 * seconds, 3),
        "bytes": request_context.weight,
        "key": request_context.key.name if request_context.key else None,
        "model_version": request_context.model_version or None,
    }
