"""What the monitor decided is sent as an event, and recorded as sent only then."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from churn.errors import StoreError
from churn.store.records import Decision, DecisionAction, DecisionKind
from pipelines.flows import events
from pipelines.flows.events import send, send_and_note

RETRAIN = Decision(DecisionKind.POLICY, DecisionAction.RETRAIN, "monitor", "minutes moved", "3", evidence={"run_id": "r7"})
PAGE = Decision(DecisionKind.POLICY, DecisionAction.PAGE, "monitor", "Brier rose", "3")


class FakeServer:
    """Prefect's server: answers with a status, or not at all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[dict[str, Any]] = []
        self.status: int | Exception = 200
        monkeypatch.setattr(events, "prefect_client", lambda: self)

    def __enter__(self) -> FakeServer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def request(self, method: str, path: str, *, json: list[dict[str, Any]]) -> httpx.Response:
        if isinstance(self.status, Exception):
            raise self.status
        assert (method, path) == ("POST", "/events")
        self.events += json
        return httpx.Response(self.status, request=httpx.Request(method, "http://prefect/events"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    return FakeServer(monkeypatch)


def test_an_event_names_model_reason_decision_and_run(server: FakeServer) -> None:
    assert send("churn", RETRAIN)
    assert send("churn", PAGE)
    retrain, page = server.events
    assert (retrain["event"], page["event"]) == ("churn.retrain.wanted", "churn.monitor.page")
    assert retrain["resource"] == {"prefect.resource.id": "churn.model.churn", "prefect.resource.name": "churn"}
    # What starts a training is told in one word; people are told why.
    assert retrain["payload"] == {
        "reason": "drift",
        "detail": "minutes moved",
        "decision_id": RETRAIN.decision_id,
        "run_id": "r7",
    }
    assert (page["payload"]["reason"], page["payload"]["detail"], page["payload"]["run_id"]) == ("Brier rose", "Brier rose", "")


@pytest.mark.parametrize("status", [500, 404, httpx.ConnectError("refused"), ValueError("no JSON")])
def test_what_the_server_did_not_accept_is_not_recorded_as_sent(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, status: int | Exception
) -> None:
    recorded: list[Decision] = []
    monkeypatch.setattr(events, "record_sent", lambda _store, decision: recorded.append(decision))
    server.status = status
    assert not send_and_note(None, "churn", RETRAIN)  # type: ignore[arg-type]
    assert recorded == []
    server.status = 200
    assert send_and_note(None, "churn", RETRAIN)  # type: ignore[arg-type]
    assert recorded == [RETRAIN]


def test_an_event_that_cannot_be_recorded_was_sent_all_the_same(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_store: object, _decision: Decision) -> None:
        raise StoreError("away")

    monkeypatch.setattr(events, "record_sent", away)
    assert send_and_note(None, "churn", PAGE)  # type: ignore[arg-type]
    assert len(server.events) == 1
