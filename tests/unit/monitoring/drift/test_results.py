from __future__ import annotations

import math
from dataclasses import replace

import orjson
import pytest

from monitoring.drift.results import DriftReport, DriftResult, surprise

PLAIN = DriftResult("minutes", "values", "rank scores", 0.5, 0.001, 0.01, True, "mean", 1.0, 2.0, 1.0)
NOTE = replace(PLAIN, feature="noise", note=True, impact=9.0)
CALM = replace(PLAIN, p_value=0.5, drifted=False)


def report(*results: DriftResult) -> DriftReport:
    return DriftReport(0.01, 0.001, 5, 100, 600, results)


@pytest.mark.parametrize(
    ("result", "alarms"),
    [
        (CALM, set()),
        (PLAIN, {"alarm", "covariate_alarm"}),
        (NOTE, {"alarm"}),
        (replace(PLAIN, aspect="prediction"), {"alarm", "prediction_alarm"}),
        (replace(CALM, aspect="prediction"), set()),
        (replace(PLAIN, aspect="range"), {"alarm", "covariate_alarm"}),
        (replace(PLAIN, aspect="dependence"), {"alarm", "covariate_alarm", "joint_alarm"}),
        (replace(PLAIN, aspect="relation"), {"alarm", "covariate_alarm", "joint_alarm"}),
        (replace(NOTE, aspect="dependence"), {"alarm"}),
    ],
)
def test_what_drifted_says_which_alarms_there_are(result: DriftResult, alarms: set[str]) -> None:
    found = report(CALM, result)
    every = ("alarm", "covariate_alarm", "prediction_alarm", "joint_alarm")
    assert {name for name in every if getattr(found, name)} == alarms
    told = found.as_dict()
    assert {name for name in every if told[name]} == alarms
    assert len(told["results"]) == 2
    assert (told["tests"], told["rows"], told["reference_rows"]) == (5, 100, 600)
    orjson.dumps(told)


def test_what_matters_most_to_the_model_comes_first_and_notes_last() -> None:
    strong, weak = replace(PLAIN, feature="strong", impact=-0.5), replace(PLAIN, feature="weak", impact=0.1)
    unknown, surprising = replace(PLAIN, feature="unknown"), replace(PLAIN, feature="surprising", p_value=1e-9)
    found = report(NOTE, unknown, weak, CALM, surprising, strong)
    assert [one.feature for one in found.drifted] == ["strong", "weak", "surprising", "unknown", "noise"]
    assert [one.feature for one in found.notes] == ["noise"]


@pytest.mark.parametrize(
    ("p_value", "shown"), [(1.0, 0.0), (0.1, 1.0), (0.02, round(-math.log10(0.02), 9)), (1e-320, 300.0), (0.0, 300.0)]
)
def test_surprise_is_drawn_from_0_to_300(p_value: float, shown: float) -> None:
    assert surprise(p_value) == shown
    assert math.copysign(1, surprise(1.0)) == 1.0
