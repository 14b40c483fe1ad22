"""No part of the system can hold `churn status` up, and no proxy of the user's environment comes between."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from pipelines.local import status


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What the parts are asked, each of which answers with an empty list."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def answer(url: str, **named: Any) -> httpx2.Response:
        calls.append((url, named))
        return httpx2.Response(200, json=[])

    monkeypatch.setattr(httpx2, "get", answer)
    monkeypatch.setattr(httpx2, "post", answer)
    monkeypatch.setenv("CHURN_API_KEY", "secret")
    return calls


def test_prefect_is_asked_for_the_next_scheduled_runs(asked: list[tuple[str, dict[str, Any]]]) -> None:
    assert status._upcoming("http://p/api") == []
    (runs, first), (flows, second) = asked
    assert (runs, flows) == ("http://p/api/flow_runs/filter", "http://p/api/flows/filter")
    assert first["json"] == {
        "sort": "EXPECTED_START_TIME_ASC",
        "limit": 200,
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    for named in (first, second):
        assert (named["timeout"], named["trust_env"]) == (3.0, False)


@pytest.mark.parametrize(("with_key", "headers"), [(True, {"x-api-key": "secret"}), (False, {})])
def test_every_part_is_asked_for_three_seconds_and_only_the_service_with_the_key(
    asked: list[tuple[str, dict[str, Any]]], with_key: bool, headers: dict[str, str]
) -> None:
    status._get("http://x/y", with_key=with_key)
    assert asked == [("http://x/y", {"timeout": 3.0, "trust_env": False, "headers": headers})]


@pytest.mark.parametrize("code", [404, 500])
def test_a_prefect_server_that_answers_otherwise_tells_of_no_runs(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(httpx2, "post", lambda _url, **_: httpx2.Response(code, json=[{"flow_id": "f"}]))
    assert status._upcoming("http://p/api") == []
