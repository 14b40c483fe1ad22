"""The fast lane: a plain POST /predict is answered here, before FastAPI looks at it; everything else goes the long way.

FastAPI's routing, dependencies and responses take some 200 µs a request, and the answer itself 20. So what is certainly a request
for one customer (JSON, come in one piece, allowed, valid) is answered by hand, and what is not is passed on as it came: the route
of `service.routes.predict` then gives the same answer, or says what is wrong. Nothing is decided here that is not decided there.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, cast

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from churn.errors import ChurnError
from service.authorization import authorize
from service.http.errors import RequestProblem
from service.http.problem_details import problem_response
from service.prediction import answer_one
from service.request_context import request_context_of
from service.scoring.fast_validation import FastValidator
from service.state import ServiceState

PATH, METHOD, SCOPE = "/predict", "POST", "predict"
# What may be asked in the query, spelled as nearly everybody spells it.
REASONS = {b"": None, **{f"reasons={k}".encode(): k for k in range(1, 101)}}
JSON = b"application/json"
_TYPE = (b"content-type", JSON)


class FastPath:
    """ASGI middleware around the framework: what limits, measures and names requests stands around it in turn."""

    def __init__(self, app: ASGIApp, state: ServiceState) -> None:
        self.app = app
        self._state = state
        self._check = FastValidator(state.contract)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope.get("path") != PATH or scope["type"] != "http" or scope["method"] != METHOD:
            await self.app(scope, receive, send)
            return
        query = scope["query_string"]
        if query not in REASONS or not self._may_come(scope):
            await self.app(scope, receive, send)
            return
        message = _at_once(receive)
        if message is None:  # it is still on its way: who waits for it must not wait for ever
            await self.app(scope, receive, send)
            return
        body = message.get("body", b"")
        if message["type"] != "http.request" or message.get("more_body") or len(body) > self._state.max_bytes_of_one:
            await self.app(scope, _again(message, receive), send)
            return
        checked = self._check.read(body)
        if checked is None:
            await self.app(scope, _again(message, receive), send)
            return
        try:
            answered = await answer_one(self._state, checked.values, checked.customer_id, REASONS[query])
        except ChurnError as error:
            await self._say(error, scope, receive, send)
            return
        scope["route"] = _Route
        headers = [_TYPE, (b"content-length", b"%d" % len(answered))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answered})

    async def _say(self, error: ChurnError, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = _Route
        await problem_response(Request(scope), error)(scope, receive, send)

    def _may_come(self, scope: Scope) -> bool:
        """Tell whether the request is JSON and has a key that may predict. (The long way says what is wrong.)"""
        request_context = request_context_of(scope)
        if request_context is None or (request_context.media_type and request_context.media_type != JSON):
            return False
        try:
            authorize(self._state, scope, SCOPE)
        except RequestProblem:
            return False
        return True


class _Route:
    """What the metrics ask of a route: its template."""

    path = PATH


def _at_once(receive: Receive) -> Message | None:
    """Give the next message if it is there already, as a small body nearly always is; None if it has to be waited for."""
    coming = cast("Coroutine[Any, Any, Message]", receive())
    try:
        coming.send(None)
    except StopIteration as here:
        message: Message = here.value
        return message
    # Nothing was taken: a receive that is given up while it waits leaves everything to the next one.
    coming.close()
    return None


def _again(message: Message, receive: Receive) -> Receive:
    """Give what was received already once more, then go on receiving."""
    first: list[Message] = [message]

    async def replay() -> Any:
        return first.pop() if first else await receive()

    return replay
