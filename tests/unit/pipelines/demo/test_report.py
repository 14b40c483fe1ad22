from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churn.data.dataset import Dataset
from churn.evaluation.scorecard import evaluate
from churn.store.records import DecisionAction
from monitoring.run_result import RunResult
from pipelines.demo.report import WindowResult, draw_windows, print_windows, summarise
from tests.unit.monitoring.results import make_result

OUTCOME = np.array([0, 0, 1, 1])
PROBABILITY = np.array([0.1, 0.6, 0.4, 0.9])


def monitored(*, covariate: bool = False, concept: bool = False, action: DecisionAction = DecisionAction.WATCH) -> RunResult:
    return make_result(covariate_alarm=covariate, concept_alarm=concept, action=action)


def window(name: str = "calm 1", version: str = "1", **changes: object) -> WindowResult:
    made = WindowResult(name, version, 4, monitored(), monitored(), evaluate(OUTCOME, PROBABILITY, 0.5))
    return replace(made, **changes)


def test_a_window_is_scored_by_the_answers_that_were_given() -> None:
    customers = Dataset(pd.DataFrame({"a": np.zeros(4)}), pd.Series(OUTCOME))
    answers = [{"churn_probability": p, "threshold": 0.35, "model_version": "2"} for p in PROBABILITY]
    result = summarise("mixed 1", customers, answers, monitored(), monitored())
    assert (result.name, result.version, result.rows) == ("mixed 1", "2", 4)
    assert result.card == evaluate(OUTCOME, PROBABILITY, 0.35)
    assert result.card.roc_auc == 0.75


def test_covariate_shift_is_told_by_the_first_run_and_concept_drift_by_the_one_with_outcomes() -> None:
    assert window().alarms == "calm"
    assert window(shift=monitored(covariate=True)).alarms == "covariate"
    assert window(run=monitored(concept=True)).alarms == "concept"
    assert window(shift=monitored(covariate=True), run=monitored(concept=True)).alarms == "covariate + concept"
    assert window(shift=monitored(concept=True), run=monitored(covariate=True)).alarms == "calm"


def test_the_table_has_a_row_for_each_window(capsys: pytest.CaptureFixture[str]) -> None:
    second = window("mixed 1", "2", shift=monitored(covariate=True), run=monitored(action=DecisionAction.RETRAIN))
    worse = evaluate(OUTCOME, 1 - PROBABILITY, 0.5)
    print_windows([window(), second, window("mixed 2", "2", without=worse)])
    lines = capsys.readouterr().out.splitlines()
    row = {
        name: next(line.split() for line in lines if line.strip().startswith(name)) for name in ("calm 1", "mixed 1", "mixed 2")
    }
    assert row["calm 1"][2:] == ["1", "4", "50.0%", "calm", "watch", "0.750", "0.185"]
    assert row["mixed 1"][2:] == ["2", "4", "50.0%", "covariate", "retrain", "0.750", "0.185"]
    assert row["mixed 2"][6:] == ["watch", "0.750", "(old:", "0.250)", "0.185", "(old:", "0.485)"]


def test_the_picture_is_drawn_whatever_happened(tmp_path: Path) -> None:
    worse = evaluate(OUTCOME, 1 - PROBABILITY, 0.5)
    results = [
        window(),
        window("mixed 1", shift=monitored(covariate=True), run=monitored(concept=True)),
        window("mixed 2", "2", run=monitored(concept=True), without=worse),
    ]
    for n in range(1, 4):
        path = tmp_path / f"{n}.png"
        assert draw_windows(results[:n], path) == path
        assert path.read_bytes().startswith(b"\x89PNG")
