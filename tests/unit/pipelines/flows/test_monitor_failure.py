from __future__ import annotations

from types import SimpleNamespace

import pytest

from churn.config.settings import load_settings
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from pipelines.flows import monitor_failure
from pipelines.flows.monitor_failure import record_failure


@pytest.fixture
def events(monkeypatch, tmp_path):
    sent = []
    monkeypatch.setenv("CHURN_HOME", str(tmp_path))
    monkeypatch.setattr(monitor_failure, "send", lambda _name, decision: sent.append(decision) or True)
    return sent


def fail(message):
    record_failure(None, None, SimpleNamespace(message=message, name="Failed"))


def decisions():
    store = Store.open(load_settings().store_url)
    found = store.decisions(kind=DecisionKind.POLICY)
    store.close()
    return found


def test_a_monitor_that_could_not_run_pages_and_writes_it_down(events):
    fail("Flow run encountered an exception: RegistryError: the registry is away")
    (decision,) = decisions()
    assert (decision.action, decision.actor) == (DecisionAction.PAGE, "monitor")
    assert "the registry is away" in decision.reason
    assert [sent.decision_id for sent in events] == [decision.decision_id]


def test_the_same_failure_pages_once_until_a_look_went_well(events):
    for _ in range(3):
        fail("the registry is away")
    assert len(decisions()) == len(events) == 1
    fail("the disk is full")
    assert len(decisions()) == len(events) == 2
    store = Store.open(load_settings().store_url)
    store.write_decision(Decision(DecisionKind.POLICY, DecisionAction.NONE, "monitor", "calm", "1"))
    store.close()
    fail("the disk is full")
    assert len(events) == 3


def test_a_store_that_is_away_does_not_silence_the_page(events, monkeypatch, tmp_path):
    (tmp_path / "no-folder").write_text("a file")
    monkeypatch.setenv("CHURN_STORE_URL", f"sqlite:///{tmp_path}/no-folder/store.db")
    fail("the store cannot be set up")
    assert [sent.action for sent in events] == ["page"]


def test_before_the_first_training_nobody_is_woken(events):
    fail("Flow run encountered an exception: NoModel: there is no champion yet")
    assert not decisions()
    assert not events


def test_a_crash_without_words_has_its_state_for_a_reason(events):
    record_failure(None, None, SimpleNamespace(message=None, name="Crashed"))
    assert decisions()[0].reason.endswith("Crashed")
