"""Fast path: answers a plain POST /predict before FastAPI sees it; every other request passes on unchanged.

FastAPI's routing, dependencies and responses take some 200 µs a request, and the prediction itself 20. The fast path answers
what is certainly a valid request for one customer: JSON, arrived in one piece, authorized. Anything else goes to the route in
`service.routes.predict`, which gives the same answer or says what is wrong. No rule is decided here that is not decided there.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, cast

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from churn.contract import Contract
from churn.errors import ChurnError
from service.authorization import authorize
from service.http.errors import RequestProblem
from service.http.problem_details import ProblemResponses
from service.prediction import PredictionService
from service.request_context import request_context_of
from service.scoring.fast_validation import FastValidator

PATH, METHOD, SCOPE = "/predict", "POST", "predict"
# The queries that are understood here, in their usual form; FastAPI understands the others.
REASONS = {b"": None, **{f"reasons={k}".encode(): k for k in range(1, 101)}}
JSON = b"application/json"
_CONTENT_TYPE = (b"content-type", JSON)


class FastPath:
    """ASGI middleware between the gateway and FastAPI.

    Parameters
    ----------
    app : ASGIApp
        FastAPI, which gets every other request.
    contract : Contract
    predictions : PredictionService
    problems : ProblemResponses
    max_bytes : int
        The largest body with one customer.
    """

    def __init__(
        self, app: ASGIApp, contract: Contract, predictions: PredictionService, problems: ProblemResponses, max_bytes: int
    ) -> None:
        self.app = app
        self._predictions = predictions
        self._problems = problems
        self._max_bytes = max_bytes
        self._validator = FastValidator(contract)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request or pass it on."""
        if scope.get("path") != PATH or scope["type"] != "http" or scope["method"] != METHOD:
            await self.app(scope, receive, send)
            return
        query = scope["query_string"]
        if query not in REASONS or not _is_authorized_json(scope):
            await self.app(scope, receive, send)
            return
        message = _receive_nowait(receive)
        if message is None:  # the body is still on its way; the route waits for it with a timeout
            await self.app(scope, receive, send)
            return
        body = message.get("body", b"")
        if message["type"] != "http.request" or message.get("more_body") or len(body) > self._max_bytes:
            await self.app(scope, _replay(message, receive), send)
            return
        checked = self._validator.read(body)
        if checked is None:
            await self.app(scope, _replay(message, receive), send)
            return
        # The metrics and the access log read the route's template from the scope.
        scope["route"] = _Route
        try:
            content = await self._predictions.predict_one(checked.values, checked.customer_id, REASONS[query])
        except ChurnError as error:
            await self._problems.respond(Request(scope), error)(scope, receive, send)
            return
        headers = [_CONTENT_TYPE, (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


class _Route:
    """What the gateway reads of a route."""

    path = PATH


def _is_authorized_json(scope: Scope) -> bool:
    """Return whether the request is JSON with a key that may predict. The route says what is wrong with the others."""
    request_context = request_context_of(scope)
    if request_context is None or (request_context.media_type and request_context.media_type != JSON):
        return False
    try:
        authorize(scope, SCOPE)
    except RequestProblem:
        return False
    return True


def _receive_nowait(receive: Receive) -> Message | None:
    """Return the next message if it is there already, as a small body nearly always is; None if it has to be waited for."""
    coming = cast("Coroutine[Any, Any, Message]", receive())
    try:
        coming.send(None)
    except StopIteration as here:
        message: Message = here.value
        return message
    # Nothing was consumed: a `receive` that is closed while it waits leaves the message to the next call.
    coming.close()
    return None


def _replay(message: Message, receive: Receive) -> Receive:
    """Return a `receive` that gives `message` once more, then goes on with the original."""
    first: list[Message] = [message]

    async def replay() -> Any:
        return first.pop() if first else await receive()

    return replay
