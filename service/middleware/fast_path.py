"""Fast path: answers a plain POST /predict before it becomes an ASGI request; every other request takes the ordinary path.

Scope, task, coroutines, routing, dependencies and responses take some 200 µs a request, and the prediction itself 20. The fast
path answers what is certainly a valid request for one customer: JSON, arrived in one piece, authorized. Anything else goes
through the gateway to the route in `service.routes.predict`, which gives the same answer or says what is wrong. No rule is
decided here that is not decided there.
"""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import Protocol

from starlette.requests import Request

from churn.contract import Contract
from churn.errors import ChurnError
from service.authorization import authorize
from service.http.errors import RequestProblem
from service.http.problem_details import ProblemResponses
from service.middleware.admission import Admission, Headers
from service.middleware.request_records import RequestRecords
from service.observability.tracing import Tracing
from service.prediction import Extras, PredictionService
from service.request_context import IN_SCOPE, RequestContext
from service.scoring.fast_validation import FastValidator

PATH, METHOD, SCOPE, OK = "/predict", "POST", "predict", 200
# The targets that are understood here, in their usual form, with what they ask for; FastAPI understands the others.
TARGETS = {
    PATH.encode(): None,
    f"{PATH}?segment=true".encode(): Extras(segment=True),
    **{f"{PATH}?reasons={k}".encode(): Extras(k) for k in range(1, 101)},
    **{f"{PATH}?reasons={k}&segment=true".encode(): Extras(k, segment=True) for k in range(1, 101)},
}
JSON = b"application/json"
CONTENT_ENCODING = b"content-encoding"
_CONTENT_TYPE = (b"content-type", JSON)
logger = logging.getLogger(__name__)


class Exchange(Protocol):
    """A request that has arrived as a whole, and its answer. `service.server.fast_connection` makes it.

    Attributes
    ----------
    target : bytes
        Path and query as they were sent.
    headers : list of (bytes, bytes)
        Names in lower case.
    address : str or None
        Of the client.
    """

    target: bytes
    headers: Headers
    body: bytes
    address: str | None

    def respond(self, status: int, headers: Headers, content: bytes) -> None:
        """Send the answer.

        Parameters
        ----------
        status : int
        headers : list of (bytes, bytes)
        content : bytes
        """


class FastPath:
    """Answers exchanges.

    Parameters
    ----------
    contract : Contract
    predictions : PredictionService
    admission : Admission
    records : RequestRecords
    tracing : Tracing or None
    problems : ProblemResponses
    max_bytes : int
        The largest body with one customer.
    """

    def __init__(
        self,
        contract: Contract,
        predictions: PredictionService,
        admission: Admission,
        records: RequestRecords,
        tracing: Tracing | None,
        problems: ProblemResponses,
        max_bytes: int,
    ) -> None:
        self._validator = FastValidator(contract)
        self._predictions = predictions
        self._admission = admission
        self._records = records
        self._tracing = tracing
        self._problems = problems
        self._max_bytes = max_bytes

    def claims(self, method: bytes, target: bytes) -> bool:
        """Return whether a request is worth waiting for until it is there as a whole, to `answer` it.

        Parameters
        ----------
        method, target : bytes

        Returns
        -------
        bool
        """
        return target in TARGETS and method == b"POST"

    def answer(self, exchange: Exchange) -> bool:
        """Answer a request now or, when its record is in the log, later; return False, and do nothing, if it is not plain."""
        started = time.perf_counter()
        named = dict(exchange.headers)
        request_context = RequestContext.of(named)
        if (request_context.media_type or JSON) != JSON or len(exchange.body) > self._max_bytes or CONTENT_ENCODING in named:
            return False
        try:
            self._admission.identify(request_context, METHOD, exchange.headers, named)
            authorize(request_context, SCOPE)
            customer = self._validator.read(exchange.body)
            more = TARGETS[exchange.target]
            if customer is None or not self._predictions.can_answer(more):
                return False
            # Last of all: a request that was let in is counted.
            self._admission.enter(request_context, named, exchange.address)
        except RequestProblem:
            return False
        if self._tracing is not None:
            self._tracing.begin(request_context, METHOD, named)
        answered = partial(self._respond, exchange, request_context, started)
        try:
            self._predictions.begin_one(customer.values, customer.customer_id, more, request_context, answered)
        except Exception as error:  # noqa: BLE001 -- answered as a problem; a bug is logged
            answered(error)
        return True

    def _respond(self, exchange: Exchange, request_context: RequestContext, started: float, answer: bytes | Exception) -> None:
        if isinstance(answer, bytes):
            status, content = OK, answer
            headers = [(b"content-length", b"%d" % len(content)), _CONTENT_TYPE]
        else:
            status, headers, content = self._problem(exchange, request_context, answer)
        self._admission.leave(request_context)
        exchange.respond(status, [*headers, *request_context.headers()], content)
        self._records.add(request_context, METHOD, PATH, status, time.perf_counter() - started)

    def _problem(self, exchange: Exchange, request_context: RequestContext, error: Exception) -> tuple[int, Headers, bytes]:
        if not isinstance(error, ChurnError):
            logger.error("a prediction failed", exc_info=error)
        scope = {
            "type": "http",
            "method": METHOD,
            "path": PATH,
            "query_string": exchange.target.partition(b"?")[2],
            "headers": exchange.headers,
            "route": _Route,
            IN_SCOPE: request_context,
        }
        response = self._problems.respond(Request(scope), error)
        return response.status_code, list(response.raw_headers), bytes(response.body)


class _Route:
    """What is noted of a route when a request fails."""

    path = PATH
