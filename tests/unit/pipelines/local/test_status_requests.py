"""No part of the system can hold `churn status` up, and no proxy of the user's environment comes between."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx2
import pytest

from pipelines.local import status


def client_of(answer: Callable[[httpx2.Request], httpx2.Response]) -> httpx2.Client:
    return httpx2.Client(transport=httpx2.MockTransport(answer))


@pytest.fixture
def asked() -> list[httpx2.Request]:
    return []


@pytest.fixture
def client(asked: list[httpx2.Request], monkeypatch: pytest.MonkeyPatch) -> httpx2.Client:
    """Each part answers with an empty list."""
    monkeypatch.setenv("CHURN_API_KEY", "secret")

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json=[])

    return client_of(answer)


def test_prefect_is_asked_for_the_next_scheduled_runs(client: httpx2.Client, asked: list[httpx2.Request]) -> None:
    assert status._upcoming(client, "http://p/api") == []
    runs, flows = asked
    assert [str(one.url) for one in asked] == ["http://p/api/flow_runs/filter", "http://p/api/flows/filter"]
    assert json.loads(runs.content) == {
        "sort": "EXPECTED_START_TIME_ASC",
        "limit": 200,
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    assert json.loads(flows.content) == {}
    assert all("x-api-key" not in one.headers for one in asked)


@pytest.mark.parametrize(("with_key", "key"), [(True, "secret"), (False, None)])
def test_only_the_service_gets_the_key(
    client: httpx2.Client, asked: list[httpx2.Request], with_key: bool, key: str | None
) -> None:
    status._get(client, "http://x/y", with_key=with_key)
    assert [(str(one.url), one.headers.get("x-api-key")) for one in asked] == [("http://x/y", key)]


def test_every_part_is_asked_for_three_seconds_and_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    named: dict[str, object] = {}
    monkeypatch.setattr(httpx2, "Client", lambda **given: named.update(given))
    status._client()
    assert (named["timeout"], named["trust_env"]) == (3.0, False)


@pytest.mark.parametrize("code", [404, 500])
def test_a_prefect_server_that_answers_otherwise_tells_of_no_runs(code: int) -> None:
    client = client_of(lambda _request: httpx2.Response(code, json=[{"flow_id": "f"}]))
    assert status._upcoming(client, "http://p/api") == []
