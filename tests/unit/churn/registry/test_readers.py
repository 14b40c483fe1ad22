from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from churn.config.settings import Settings
from churn.errors import NoModel, RegistryError
from churn.registry.aliases import Registered, Version
from churn.registry.connect import registry_reader
from churn.registry.http_reader import HttpReader
from churn.registry.sqlite_reader import SqliteReader

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
    with pytest.raises(NoModel, match="'7'"):
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


def test_a_database_that_is_not_there_yet_or_empty_holds_no_model(tmp_path: Path) -> None:
    reader = SqliteReader(tmp_path / "mlflow.db", "churn")
    for _ in range(2):
        assert reader.aliases() == {}
        assert reader.versions() == []
        with pytest.raises(NoModel):
            reader.registered("1")
        sqlite3.connect(tmp_path / "mlflow.db").close()
        (tmp_path / "mlflow.db").touch()


def test_a_file_that_is_no_database_is_a_registry_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear customer, " * 200)
    with pytest.raises(RegistryError, match="did not answer"):
        SqliteReader(tmp_path / "letter.txt", "churn").aliases()


def test_reading_never_makes_a_file(tmp_path: Path) -> None:
    SqliteReader(tmp_path / "folder" / "mlflow.db", "churn").aliases()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("uri", "environment", "kind"),
    [
        ("http://mlflow:5000", {}, "HttpReader"),
        ("https://mlflow", {}, "HttpReader"),
        ("sqlite:////tmp/mlflow.db", {}, "SqliteReader"),
        ("postgresql://mlflow", {}, "Registry"),
        ("http://mlflow", {"MLFLOW_TRACKING_AUTH": "kubernetes"}, "Registry"),
        ("http://mlflow", {"MLFLOW_WORKSPACE": "team"}, "Registry"),
    ],
)
def test_the_cheapest_way_is_chosen(
    uri: str, environment: dict[str, str], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert type(registry_reader(Settings(home=tmp_path, tracking_uri=uri))).__name__ == kind
