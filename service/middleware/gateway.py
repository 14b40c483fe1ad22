"""Outermost middleware: assigns a request id, authenticates, applies limits, records metrics and the access log.

It is one class, because each layer costs every request. It leaves the `RequestContext` in the ASGI scope, under
`service.request_context.IN_SCOPE`, and in the context variable `service.request_context.CURRENT`.
"""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.errors import ComeLater, RequestProblem
from service.http.problem_details import ProblemResponses
from service.middleware.admission import Admission
from service.middleware.request_records import RequestRecords, known_method
from service.observability.metrics import ServiceMetrics
from service.observability.tracing import Tracing
from service.request_context import CURRENT, IN_SCOPE, RequestContext

# Health checks of every protocol and metrics must be answered most of all when there is too much of everything else.
ALWAYS_OPEN = frozenset(
    {"/healthz", "/readyz", "/metrics", "/ping", "/health", "/version", "/v2/health/live", "/v2/health/ready"}
)


class Gateway:
    """ASGI middleware around FastAPI.

    Parameters
    ----------
    app : ASGIApp
        What answers the requests that are let in.
    admission : Admission
    records : RequestRecords
    metrics : ServiceMetrics
    tracing : Tracing or None
    problems : ProblemResponses
    """

    def __init__(
        self,
        app: ASGIApp,
        admission: Admission,
        records: RequestRecords,
        metrics: ServiceMetrics,
        tracing: Tracing | None,
        problems: ProblemResponses,
    ) -> None:
        self.app = app
        self._admission = admission
        self._records = records
        self._metrics = metrics
        self._tracing = tracing
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        request_context = scope[IN_SCOPE] = RequestContext.of(headers)
        CURRENT.set(request_context)
        # HEAD is answered as GET is (RFC 9110, section 9.3.2): the server leaves the body out.
        routed = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        if self._tracing is not None:
            self._tracing.begin(request_context, known_method(scope["method"]), headers)
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
                self._admission.identify(request_context, scope["method"], scope["headers"], headers)
                client = scope.get("client")
                self._admission.enter(request_context, headers, client[0] if client else None)
                entered = True
            await self.app(routed, receive, send_with_headers)
        except RequestProblem as problem:
            if entered:
                raise
            if isinstance(problem, ComeLater):
                self._metrics.shed.inc()
            await self._problems.respond(Request(scope), problem)(scope, receive, send_with_headers)
        except Exception as error:
            # FastAPI has answered its own errors already. A bug between it and here is answered here.
            if not response_started:
                await self._problems.respond(Request(scope), error)(scope, receive, send_with_headers)
            raise
        finally:
            if entered:
                self._admission.leave(request_context)
            route = getattr(routed.get("route"), "path", "unmatched")
            self._records.add(request_context, scope["method"], route, status, time.perf_counter() - started)
