"""An MLflow server is read by its REST API; MLflow's own client answers the same in tests/integration."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from churn.errors import NoModel, NoVersion, RegistryError
from churn.registry.aliases import Registered, Version
from churn.registry.http_reader import HttpReader

MODEL = {"registered_model": {"name": "churn", "aliases": [{"alias": "champion", "version": "3"}]}}
VERSION = {"model_version": {"version": "3", "run_id": "r3", "tags": [{"key": "artifact_digest", "value": "abc"}]}}
MISSING = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such model"}
LOGINS = ("TOKEN", "USERNAME", "PASSWORD", "AUTH", "INSECURE_TLS", "SERVER_CERT_PATH", "AWS_SIGV4", "CLIENT_CERT_PATH")


@pytest.fixture(autouse=True)
def no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LOGINS:
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.delenv("MLFLOW_WORKSPACE", raising=False)


def server(answer: Callable[[httpx2.Request], httpx2.Response], uri: str = "http://mlflow/base/") -> HttpReader:
    return HttpReader(uri, "churn", httpx2.MockTransport(answer))


def test_a_server_is_asked_by_the_documented_routes() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(f"{request.method} {request.url}")
        return httpx2.Response(200, json=MODEL if "registered-models" in str(request.url) else VERSION)

    reader = server(answer)
    assert reader.aliases() == {"champion": "3"}
    assert reader.registered("3") == Registered("3", "r3", "abc")
    assert asked == [
        "GET http://mlflow/base/api/2.0/mlflow/registered-models/get?name=churn",
        "GET http://mlflow/base/api/2.0/mlflow/model-versions/get?name=churn&version=3",
    ]


def test_a_model_without_aliases_or_versions_without_tags_or_run_are_read() -> None:
    bare = {"registered_model": {"name": "churn"}, "model_version": {"version": 3}}
    reader = server(lambda _: httpx2.Response(200, json=bare))
    assert reader.aliases() == {}
    assert reader.registered("3") == Registered("3", "", "")


def test_nothing_registered_is_no_alias_and_no_version() -> None:
    reader = server(lambda _: httpx2.Response(404, json=MISSING))
    assert reader.aliases() == {}
    with pytest.raises(NoVersion, match="'7'"):
        reader.registered("7")


def test_a_server_lists_its_versions_page_by_page_newest_first() -> None:
    asked: list[dict[str, str]] = []
    tags = [{"key": "trigger", "value": "manual"}]
    pages = {
        "": {"model_versions": [{"version": "2"}, {"version": "10", "tags": tags}], "next_page_token": "more"},
        "more": {"model_versions": [{"version": "3"}]},
    }

    def answer(request: httpx2.Request) -> httpx2.Response:
        if "registered-models/get" in str(request.url):
            return httpx2.Response(200, json=MODEL)
        assert request.url.path == "/base/api/2.0/mlflow/model-versions/search"
        asked.append(dict(request.url.params))
        return httpx2.Response(200, json=pages[asked[-1].get("page_token", "")])

    assert server(answer).versions() == [
        Version("10", [], {"trigger": "manual"}),
        Version("3", ["champion"], {}),
        Version("2", [], {}),
    ]
    assert asked == [{"filter": "name='churn'"}, {"filter": "name='churn'", "page_token": "more"}]


def test_a_server_without_versions_lists_none() -> None:
    assert server(lambda _: httpx2.Response(200, json={})).versions() == []


@pytest.mark.parametrize("answer", [{"model_versions": [{}]}, {"model_versions": [{"version": "x"}]}, []])
def test_a_list_that_cannot_be_read_means_that_the_registry_is_away(answer: Any) -> None:
    with pytest.raises(RegistryError, match="did not answer"):
        server(lambda _: httpx2.Response(200, json=answer)).versions()


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(500, text="oops"),
        httpx2.Response(404, text="<html>not found</html>"),
        httpx2.Response(404, json=[1]),
        httpx2.Response(401),
        httpx2.Response(200, text="<html>a login page</html>"),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json={"registered_model": None}),
        httpx2.Response(200, json={"registered_model": {"aliases": [{"alias": "champion"}]}}),
        httpx2.Response(302, headers={"location": "http://elsewhere"}),
    ],
)
def test_any_other_answer_means_that_the_registry_is_away(answer: httpx2.Response) -> None:
    with pytest.raises(RegistryError, match="the registry at http://mlflow/base/ did not answer") as caught:
        server(lambda _: answer).aliases()
    assert not isinstance(caught.value, NoModel)


def test_a_server_that_cannot_be_reached_is_away_and_its_password_is_not_told() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("connection refused", request=request)

    with pytest.raises(RegistryError, match="connection refused") as caught:
        server(refuse, "http://user:secret@mlflow").aliases()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "uri", "sent"),
    [
        ({}, "http://mlflow", None),
        ({"TOKEN": "t"}, "http://mlflow", "Bearer t"),
        ({"USERNAME": "ada", "PASSWORD": "pw"}, "http://mlflow", "Basic ada:pw"),
        ({"USERNAME": "ada", "PASSWORD": "pw", "TOKEN": "t"}, "http://mlflow", "Basic ada:pw"),
        ({"USERNAME": "ada", "TOKEN": "t"}, "http://mlflow", "Bearer t"),
        ({}, "http://eve:qq@mlflow", "Basic eve:qq"),
    ],
)
def test_it_logs_in_as_mlflow_s_client_does(
    environment: dict[str, str], uri: str, sent: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    seen: list[Any] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers.get("authorization"))
        return httpx2.Response(200, json=MODEL)

    server(answer, uri).aliases()
    if sent is not None and sent.startswith("Basic"):
        sent = "Basic " + base64.b64encode(sent.removeprefix("Basic ").encode()).decode()
    assert seen == [sent]


def test_every_question_waits_for_five_seconds_at_most_and_checks_the_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []

    class Recorded(httpx2.Client):
        def __init__(self, **options: Any) -> None:
            made.append(options)
            super().__init__(**options)

    monkeypatch.setattr(httpx2, "Client", Recorded)
    HttpReader("http://mlflow", "churn")
    for insecure in ("true", "1", "false", "0"):
        monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", insecure)
        HttpReader("http://mlflow", "churn")
    assert [options["verify"] for options in made] == [True, False, False, True, True]
    assert {options["timeout"] for options in made} == {5.0}


def test_an_authority_of_its_own_is_trusted_unless_certificates_are_not_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "missing.pem"))
    with pytest.raises(FileNotFoundError):
        HttpReader("https://mlflow", "churn")
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    HttpReader("https://mlflow", "churn")


def test_a_deleted_route_is_not_a_missing_model() -> None:
    with pytest.raises(RegistryError, match="404"):
        server(lambda _: httpx2.Response(404, json={"error_code": "ENDPOINT_NOT_FOUND"})).registered("3")


def test_a_number_is_read_as_a_number_whatever_it_looks_like() -> None:
    versions = {"model_versions": [{"version": "007"}]}

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=versions if "search" in str(request.url) else MODEL)

    assert server(answer).versions() == [Version("7", [], {})]
