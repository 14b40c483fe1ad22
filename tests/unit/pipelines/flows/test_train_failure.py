"""A training that did not finish has an end in the store, once, with the reason; one that has an end keeps it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from churn.config.settings import load_settings
from churn.lifecycle.training_runs import has_ended, record_end
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from pipelines.flows.train_failure import record_failure


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_HOME", str(tmp_path))
    monkeypatch.setenv("CHURN_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")


def ends() -> list[Decision]:
    store = Store.open(load_settings().store_url)
    found = store.decisions(kind=(DecisionKind.RETRAIN,), limit=10)
    store.close()
    return found


def failed(run: str = "t-1", parameters: Any = None, message: str | None = "it broke") -> None:
    record_failure(None, SimpleNamespace(id=run, parameters=parameters), SimpleNamespace(message=message, name="Crashed"))


@pytest.mark.parametrize(("parameters", "trigger"), [({"trigger": "drift"}, "drift"), ({}, "manual"), (None, "manual")])
def test_its_end_says_what_began_it_and_what_ended_it(parameters: Any, trigger: str) -> None:
    failed(parameters=parameters)
    (one,) = ends()
    assert one.action == DecisionAction.FAILED
    assert "it broke" in one.reason
    assert trigger in str(one.evidence)
    store = Store.open(load_settings().store_url)
    assert has_ended(store, "t-1")
    assert not has_ended(store, "t-2")
    store.close()


def test_without_a_message_the_state_is_named() -> None:
    failed(message=None)
    assert "Crashed" in ends()[0].reason


def test_an_end_that_is_recorded_stays_and_is_recorded_once() -> None:
    store = Store.open(load_settings().store_url)
    record_end(store, "t-1", "manual", DecisionAction.REJECTED, "not better")
    store.close()
    failed()
    assert [one.action for one in ends()] == [DecisionAction.REJECTED]
    failed("t-2")
    failed("t-2")
    assert len(ends()) == 2
