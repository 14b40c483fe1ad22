"""Errors as RFC 9457 problem documents: one table maps each error to its status."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from churn.errors import (
    ChampionChanged,
    ChurnError,
    ModelRefused,
    NoModel,
    NoPreviousModel,
    NoReasons,
    NoSegments,
    RegistryError,
    StoreError,
)
from service.http.errors import (
    Ambiguous,
    ComeLater,
    FieldProblem,
    ForeignPage,
    NotAllowed,
    NotAuthenticated,
    NotReady,
    Overloaded,
    RequestProblem,
    TooLarge,
    TooManyRequests,
    TooSlow,
    Unprocessable,
    WrongHost,
    WrongMediaType,
    unprocessable,
)
from service.request_context import request_context_of

MEDIA_TYPE = "application/problem+json"
logger = logging.getLogger(__name__)


class ProblemDetails(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="What kind of problem: stable, for programs.")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked for.")
    request_id: str | None = Field(None, description="As in the header X-Request-ID: quote it when you ask for help.")
    errors: list[FieldProblem] = []


@dataclass(frozen=True)
class Kind:
    """One row of the table. Without `detail` the response shows the error's own message, which must then hold no secrets."""

    status: int
    slug: str
    title: str
    detail: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


_LATER = {"Retry-After": "1"}
_UNEXPECTED = Kind(500, "unexpected", "Unexpected error", "The service failed in a way it should not. It has been logged.")
PROBLEMS: dict[type[Exception], Kind] = {
    NotAuthenticated: Kind(
        401, "not-authenticated", "A valid key is needed", headers={"WWW-Authenticate": 'Bearer realm="churn"'}
    ),
    NotAllowed: Kind(403, "not-allowed", "The key lacks the scope"),
    ForeignPage: Kind(403, "foreign-page", "Not for pages of other sites"),
    WrongHost: Kind(421, "wrong-host", "Not a name of this service"),
    Ambiguous: Kind(400, "ambiguous", "A header is there twice"),
    # The rest of such a body is not read, so the connection cannot be used again.
    TooLarge: Kind(413, "too-large", "Too much in one request", headers={"Connection": "close"}),
    TooSlow: Kind(408, "too-slow", "The body did not come in time", headers={"Connection": "close"}),
    TooManyRequests: Kind(429, "too-many-requests", "Too many requests"),
    Overloaded: Kind(503, "overloaded", "Too much to do"),
    WrongMediaType: Kind(415, "wrong-media-type", "Not a media type this route reads"),
    Unprocessable: Kind(422, "unprocessable", "The request breaks a rule"),
    ClientDisconnect: Kind(400, "gone", "The client went away", "The connection closed before the body was complete."),
    NotReady: Kind(503, "not-ready", "Not ready", headers=_LATER),
    NoModel: Kind(503, "no-model", "No model is in service", headers=_LATER),
    ModelRefused: Kind(409, "model-refused", "The champion was refused", "It did not pass the checks; the old model stays."),
    NoPreviousModel: Kind(409, "no-previous-model", "There is no model to go back to"),
    ChampionChanged: Kind(409, "champion-changed", "Another version serves than the one to leave"),
    RegistryError: Kind(503, "registry-away", "The registry is away", "The model in service stays.", _LATER),
    StoreError: Kind(503, "store-away", "The store is away", "It cannot be reached now. Nothing was answered or kept.", _LATER),
    ChurnError: _UNEXPECTED,
}


class ProblemResponses:
    """Turns errors into responses.

    Parameters
    ----------
    note : callable
        Called with each request that is answered with a problem, and the problem; not for requests that exceed a limit.
    """

    def __init__(self, note: Callable[[Request, ProblemDetails], None]) -> None:
        self._note = note

    def install(self, app: FastAPI) -> None:
        """Let every error of `app` leave as a problem."""

        async def handle(request: Request, error: Exception) -> Response:
            return self.respond(request, error)

        for caught in (ChurnError, RequestValidationError, HTTPException, ClientDisconnect, Exception):
            app.add_exception_handler(caught, handle)

    def respond(self, request: Request, error: Exception) -> Response:
        """Look the error up in the table and write it as a problem.

        Parameters
        ----------
        request : Request
        error : Exception

        Returns
        -------
        Response
            With the media type application/problem+json.
        """
        error = _as_request_problem(error, request.url.path)
        kind = _kind(error)
        request_context = request_context_of(request.scope)
        if kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, NotReady | ComeLater):
            # An error from outside the family is logged with its traceback by the server.
            logger.warning(
                "%s answered %d: %s", request.url.path, kind.status, error if isinstance(error, ChurnError) else kind.title
            )
        document = ProblemDetails(
            type=f"urn:churn:problem:{kind.slug}",
            title=kind.title,
            status=kind.status,
            detail=str(error) if kind.detail is None else kind.detail,
            instance=request.url.path,
            request_id=request_context.request_id if request_context else None,
            errors=error.errors if isinstance(error, RequestProblem) else [],
        )
        headers = dict(kind.headers)
        if isinstance(error, ComeLater):
            headers["Retry-After"] = str(error.retry_after)
        else:
            self._note(request, document)
        return Response(orjson.dumps(document.model_dump() | _inference_error(document)), kind.status, headers, MEDIA_TYPE)


def _as_request_problem(error: Exception, path: str) -> Exception:
    if isinstance(error, RequestValidationError):
        return unprocessable(error)
    if isinstance(error, NoReasons):
        return Unprocessable("1 problem found.", [FieldProblem(field="reasons", problem=str(error))])
    if isinstance(error, NoSegments):
        field = "outputs" if path.startswith("/v2") else "segment"
        return Unprocessable("1 problem found.", [FieldProblem(field=field, problem=str(error))])
    return error


def _inference_error(document: ProblemDetails) -> dict[str, str]:
    """Return the member `error` that clients of the Open Inference Protocol read. (RFC 9457 allows further members.)"""
    if not document.instance.startswith("/v2"):
        return {}
    found = "; ".join(f"{one.field}: {one.problem}" for one in document.errors[:3])
    return {"error": f"{document.detail} {found}".strip()}


def _kind(error: Exception) -> Kind:
    if isinstance(error, HTTPException):
        status = HTTPStatus(error.status_code)
        slug = status.phrase.lower().replace(" ", "-")
        return Kind(status, slug, status.phrase, f"{status.description or status.phrase}.", _with_head(error.headers or {}))
    return next((PROBLEMS[cls] for cls in type(error).__mro__ if cls in PROBLEMS), _UNEXPECTED)


def _with_head(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Let Allow name HEAD wherever it names GET: the gateway answers both (RFC 9110, 9.1)."""
    methods = set(headers.get("Allow", "").split(", "))
    return {**headers, "Allow": ", ".join(sorted(methods | {"HEAD"}))} if "GET" in methods else headers
