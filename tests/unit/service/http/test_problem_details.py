"""Every error has one row of the table, and nothing of what it says of the inside reaches a client."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest
from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from churn.errors import (
    ChampionChanged,
    InputError,
    ModelRefused,
    NoModel,
    NoPreviousModel,
    NoReasons,
    RegistryError,
    RowsRefused,
    StoreError,
)
from service.http import errors
from service.http.errors import FieldProblem
from service.http.problem_details import PROBLEMS, ProblemDetails, ProblemResponses

SECRET = "postgresql://user:secret@host"
Noted = list[ProblemDetails]


def respond(error: Exception, path: str = "/predict") -> tuple[Any, dict[str, Any], Noted]:
    noted: Noted = []
    request = Request(
        {
            "type": "http",
            "method": "POST",
            "path": path,
            "headers": [],
            "query_string": b"",
            "server": ("h", 80),
            "scheme": "http",
        }
    )
    response = ProblemResponses(lambda _, document: noted.append(document)).respond(request, error)
    return response, orjson.loads(response.body), noted


@pytest.mark.parametrize(
    ("error", "status", "slug", "detail"),
    [
        (errors.NotAuthenticated("key?"), 401, "not-authenticated", "key?"),
        (errors.NotAllowed("scope?"), 403, "not-allowed", "scope?"),
        (errors.ForeignPage("x"), 403, "foreign-page", "x"),
        (errors.WrongHost("x"), 421, "wrong-host", "x"),
        (errors.Ambiguous("x"), 400, "ambiguous", "x"),
        (errors.TooLarge("x"), 413, "too-large", "x"),
        (errors.TooSlow("x"), 408, "too-slow", "x"),
        (errors.WrongMediaType("x"), 415, "wrong-media-type", "x"),
        (errors.Unprocessable("x"), 422, "unprocessable", "x"),
        (errors.NotReady("x"), 503, "not-ready", "x"),
        (ClientDisconnect(), 400, "gone", "The connection closed before the body was complete."),
        (NoModel("train one"), 503, "no-model", "train one"),
        (ModelRefused(SECRET), 409, "model-refused", "It did not pass the checks; the old model stays."),
        (NoPreviousModel("none"), 409, "no-previous-model", "none"),
        (ChampionChanged("other"), 409, "champion-changed", "other"),
        (RegistryError(SECRET), 503, "registry-away", "The model in service stays."),
        (StoreError(SECRET), 503, "store-away", "It cannot be reached now. Nothing was answered or kept."),
        (RowsRefused(SECRET), 503, "store-away", "It cannot be reached now. Nothing was answered or kept."),
        (InputError(SECRET), 500, "unexpected", "The service failed in a way it should not. It has been logged."),
        (ZeroDivisionError(SECRET), 500, "unexpected", "The service failed in a way it should not. It has been logged."),
        (HTTPException(404), 404, "not-found", "Nothing matches the given URI."),
        (
            HTTPException(405, headers={"Allow": "GET"}),
            405,
            "method-not-allowed",
            "Specified method is invalid for this resource.",
        ),
        (HTTPException(406), 406, "not-acceptable", None),
    ],
)
def test_an_error_is_its_row_of_the_table(error: Exception, status: int, slug: str, detail: str | None) -> None:
    response, document, noted = respond(error)
    assert (response.status_code, response.media_type) == (status, "application/problem+json")
    assert (document["type"], document["status"], document["instance"]) == (f"urn:churn:problem:{slug}", status, "/predict")
    assert document["title"]
    if detail is not None:
        assert document["detail"] == detail
    assert (document["errors"], document["request_id"]) == ([], None)
    assert "error" not in document
    assert [one.type for one in noted] == [document["type"]]
    assert "secret" not in response.body.decode()


@pytest.mark.parametrize(("error", "status"), [(errors.TooManyRequests("x", 3), 429), (errors.Overloaded("x", 3), 503)])
def test_a_limit_says_when_to_come_again_and_is_not_noted(error: Exception, status: int) -> None:
    response, _, noted = respond(error)
    assert (response.status_code, response.headers["retry-after"], noted) == (status, "3", [])


def test_headers_that_belong_to_an_error() -> None:
    assert respond(errors.NotAuthenticated("x"))[0].headers["www-authenticate"] == 'Bearer realm="churn"'
    for given, said in (("GET", "GET, HEAD"), ("HEAD, GET", "GET, HEAD"), ("POST", "POST")):
        assert respond(HTTPException(405, headers={"Allow": given}))[0].headers["allow"] == said
    for error in (errors.TooLarge("x"), errors.TooSlow("x")):
        assert respond(error)[0].headers["connection"] == "close"
    for later in (NoModel("x"), RegistryError("x"), StoreError("x"), errors.NotReady("x")):
        assert respond(later)[0].headers["retry-after"] == "1"
    assert "retry-after" not in respond(errors.Unprocessable("x"))[0].headers


def test_problems_of_fields_are_listed_and_a_model_without_reasons_is_one() -> None:
    problem = FieldProblem(field="a", problem="must be b")
    assert respond(errors.Unprocessable("x", [problem]))[1]["errors"] == [{"field": "a", "problem": "must be b"}]
    response, document, _ = respond(NoReasons("it cannot give reasons"))
    assert (response.status_code, document["detail"]) == (422, "1 problem found.")
    assert document["errors"] == [{"field": "reasons", "problem": "it cannot give reasons"}]


def test_clients_of_the_inference_protocol_read_one_text() -> None:
    problems = [FieldProblem(field=f"f{n}", problem="p") for n in range(4)]
    assert respond(errors.Unprocessable("x", problems), "/v2/models/churn/infer")[1]["error"] == "x f0: p; f1: p; f2: p"
    assert respond(errors.Unprocessable("x"), "/v2/models/churn/infer")[1]["error"] == "x"


def test_only_what_the_service_is_to_blame_for_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for calm in (errors.Unprocessable("x"), errors.NotReady("x"), errors.Overloaded("x"), errors.TooManyRequests("x")):
            respond(calm)
        assert caplog.text == ""
        respond(StoreError("it is away"))
        assert "/predict answered 503: it is away" in caplog.text
        respond(ZeroDivisionError("inside"))
    assert "/predict answered 500: Unexpected error" in caplog.text
    assert "inside" not in caplog.text


def test_every_slug_is_one_of_its_own() -> None:
    slugs = [kind.slug for kind in PROBLEMS.values()]
    assert len(set(slugs)) == len(slugs)
