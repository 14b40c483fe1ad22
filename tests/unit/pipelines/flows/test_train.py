from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn.clock import now
from churn.config.params import Params
from churn.contract import load_contract
from churn.data.labelled import Labelled
from churn.errors import NoModel, RegistryError
from churn.lifecycle.gate import GateDecision
from churn.modeling.model import Model, ModelInfo
from churn.store.records import Decision, DecisionAction, DecisionKind
from pipelines.flows import train
from pipelines.flows.train import conclude, record_decision

EVIDENCE = {"rows": 300, "checks": {"better_log_loss": {"passed": True}}}
PASSED, FAILED = GateDecision(True, "lower by far", EVIDENCE), GateDecision(False, "not better beyond chance", EVIDENCE)


@pytest.mark.parametrize("measure", [True, False])
def test_curves_are_those_of_the_customers_learned_from_and_measured_only_if_asked(
    monkeypatch: pytest.MonkeyPatch, measure: bool
) -> None:
    asked: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    monkeypatch.setattr(train, "find_curves", lambda *given, **named: asked.append((given, named)) or "curves")
    info = SimpleNamespace(features=["a"])
    trained: Any = SimpleNamespace(tuned="tuned", learned="learned", model=SimpleNamespace(info=info))
    params: Any = SimpleNamespace(tuning="tuning", seed=7)
    assert train.measure_curves.fn(trained, params, measure) == "curves"
    assert asked == [(("tuned", "learned", ["a"], "tuning", 7), {"measure": measure})]


class ProcessDied(BaseException):
    """Stands for the end of the process: nothing catches it."""


class Journal:
    """Stands for registry and store: what was said and done, in order."""

    def __init__(self, *, dies: bool = False, away: bool = False) -> None:
        self.champion, self.dies, self.away = "1", dies, away
        self.tags: dict[str, Mapping[str, str]] = {}
        self.written: list[Decision] = []

    def champion_version(self) -> str:
        if not self.champion:
            raise NoModel("none")
        return self.champion

    def previous_version(self) -> str:
        raise NoModel("none")

    def rolled_back_version(self) -> None:
        return None

    def restore(self, previous: str | None, rolled_back: str | None) -> None:
        raise AssertionError("nothing broke off")

    def lock(self, what: str, holder: str, /, *, timeout_seconds: float) -> AbstractContextManager[None]:
        return nullcontext()

    def promote(self, version: str, /, *, tags: Mapping[str, str], rolling_back: bool) -> str | None:
        if self.dies:
            raise ProcessDied
        if self.away:
            raise RegistryError("away")
        old, self.champion = self.champion, version
        self.tags[version] = tags
        return old

    def tags_of(self, version: str, /) -> Mapping[str, str]:
        return self.tags.get(version, {})

    def write_decision(self, decision: Decision, /) -> None:
        if decision.action == DecisionAction.PROMOTED:
            assert self.champion == decision.model_version, "it is said before it is true"
        self.written.append(decision)

    def decisions(self, *, kind: tuple[str, ...], limit: int) -> list[Decision]:
        return [d for d in reversed(self.written) if d.kind in kind][:limit]

    def said(self) -> list[tuple[str, str]]:
        return [(d.kind, d.action) for d in self.written]


def model() -> Model:
    known: dict[str, Any] = {"data_source": "", "rows": 0, "contract": "", "contract_digest": "", "features": []}
    told = {"version": "2", "trigger": "drift", "data_digest": "d2", "reference_digest": "r2", "threshold": 0.3}
    return Model(None, ModelInfo(name="m", trained_at=now(), **told, **known))


def told(journal: Journal, decision: GateDecision) -> dict[str, Any]:
    record_decision.fn(journal, model(), decision)
    return conclude.fn(journal, journal, model(), decision)


def test_a_challenger_that_passed_leads_and_every_record_can_be_audited() -> None:
    journal = Journal()
    result = told(journal, PASSED)
    assert (result["version"], result["promoted"], journal.champion) == ("2", True, "2")
    assert [said for said in journal.said() if said[0] != "intent"] == [
        ("gate", "passed"),
        ("promotion", "promoted"),
        ("retrain", "promoted"),
    ]
    for record in (d for d in journal.written if d.kind in (DecisionKind.GATE, DecisionKind.PROMOTION)):
        assert (record.actor, record.model_version, record.reason) == ("gate", "2", "lower by far")
        evidence = record.evidence
        assert (evidence["data_digest"], evidence["reference_digest"], evidence["threshold"]) == ("d2", "r2", 0.3)
        assert evidence["checks"] == EVIDENCE["checks"]
    assert next(d for d in journal.written if d.kind == DecisionKind.PROMOTION).evidence["replaced"] == "1"


def test_no_better_model_is_a_result_like_any_other() -> None:
    journal = Journal()
    result = told(journal, FAILED)
    assert (result["promoted"], result["reason"], journal.champion) == (False, "not better beyond chance", "1")
    assert journal.said() == [("gate", "rejected"), ("retrain", "rejected")]


@pytest.mark.parametrize(("journal", "error"), [(Journal(dies=True), ProcessDied), (Journal(away=True), RegistryError)])
def test_who_dies_before_the_champion_moved_has_not_said_that_it_did(journal: Journal, error: type[BaseException]) -> None:
    with pytest.raises(error):
        told(journal, PASSED)
    assert journal.champion == "1"
    assert journal.said()[0] == ("gate", "passed")
    assert "promoted" not in {action for _, action in journal.said()}


def test_what_is_tried_again_after_the_champion_moved_is_written_once() -> None:
    journal = Journal()
    told(journal, PASSED)
    conclude.fn(journal, journal, model(), PASSED)
    assert journal.said().count(("promotion", "promoted")) == 1


def test_a_challenger_replaces_only_the_champion_it_was_compared_with() -> None:
    journal = Journal()
    record_decision.fn(journal, model(), PASSED)
    result = conclude.fn(journal, journal, model(), PASSED, "t", "0")
    assert (result["promoted"], journal.champion) == (False, "1")
    assert "version 1 is champion by now, and no longer 0" in result["reason"]
    assert journal.said() == [("gate", "passed"), ("retrain", "rejected")]


def test_a_model_of_those_since_a_change_is_judged_by_customers_of_that_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(first: int, last: int) -> Labelled:
        days = np.arange(first, last)
        times = pd.Series(pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(days, "D"))
        return Labelled(pd.DataFrame({"day": days}), pd.Series(days % 2), asked_at=times)

    judged: list[Labelled] = []

    def decide(challenger: object, champion: object, fresh: Labelled, *rest: object, **known: object) -> GateDecision:
        judged.append(fresh)
        return GateDecision(False, "", {})

    monkeypatch.setattr(train, "decide", decide)
    monkeypatch.setattr(train, "check_serving", lambda *given: None)
    everybody = asked(0, 600)
    training_set: Any = SimpleNamespace(fresh=everybody, holdout=everybody, left_out=0)
    trained: Any = SimpleNamespace(model=None, learned=asked(300, 600))
    evidence = train.judge.fn(trained, None, training_set, load_contract(), Params()).evidence
    assert judged[0].features["day"].tolist() == [*range(300, 600)]
    assert evidence["effective_rows"] == 300
