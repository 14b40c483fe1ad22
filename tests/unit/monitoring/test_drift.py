from __future__ import annotations

import numpy as np
import orjson
import pandas as pd
import pytest

from monitoring.drift import detect_drift, surprise
from tests.unit.monitoring.fakes import CONTRACT, customers

REFERENCE = customers(1500, seed=1)
ALPHA = 0.005


def drift(window: pd.DataFrame, reference: pd.DataFrame = REFERENCE):
    return detect_drift(reference, window, CONTRACT, ALPHA)


def found(report) -> set[tuple[str, str]]:
    return {(result.feature, result.aspect) for result in report.drifted}


def test_customers_like_the_reference_are_calm():
    report = drift(customers(250, seed=2))
    assert found(report) == set()
    assert not report.covariate_alarm
    assert not report.prediction_alarm


def test_a_new_plan_alarms_though_the_reference_never_had_it():
    report = drift(customers(250, seed=2, plan_share=0.3))
    assert found(report) == {("plan", "values")}
    result = report.drifted[0]
    assert (result.measure, result.reference) == ("share of Yes", 0.0)
    assert result.current == pytest.approx(0.3, abs=0.1)
    assert result.shift == result.current
    assert result.statistic == pytest.approx(result.shift)


def test_moved_minutes_alarm_and_so_do_the_probabilities_they_move():
    report = drift(customers(500, seed=2, minutes=230.0))
    assert found(report) == {("minutes", "values"), ("churn_probability", "prediction")}
    assert report.covariate_alarm
    assert report.prediction_alarm
    minutes = next(result for result in report.drifted if result.feature == "minutes")
    assert minutes.measure == "mean, minutes"
    assert minutes.shift == pytest.approx(50, abs=10)


def test_probabilities_alone_are_no_covariate_alarm():
    window = customers(250, seed=2)
    window["churn_probability"] = 0.9
    report = drift(window)
    assert (report.prediction_alarm, report.covariate_alarm) == (True, False)


def test_missing_values_alarm_by_themselves():
    window = customers(250, seed=2)
    window.loc[:40, "minutes"] = np.nan
    report = drift(window)
    assert found(report) == {("minutes", "missing")}
    assert report.drifted[0].current == pytest.approx(41 / 250)


def test_a_level_that_the_reference_never_had_alarms_and_is_named():
    window = customers(250, seed=2)
    window.loc[:24, "state"] = "XX"
    report = drift(window)
    assert found(report) == {("state", "values")}
    assert (report.drifted[0].measure, report.drifted[0].reference) == ("share of XX", 0.0)
    assert report.drifted[0].current == pytest.approx(0.1)


def test_51_states_in_200_rows_raise_no_false_alarm():
    windows = [customers(200, seed=seed)[["state"]] for seed in range(100, 160)]
    p_values = [drift(window).results[0].p_value for window in windows]
    assert min(p_values) > ALPHA / 10
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.12)


def test_the_threshold_shares_alpha_among_what_can_come_out_either_way():
    window = customers(250, seed=2)
    # minutes, calls, state, probability: nothing is ever missing, and nobody has the plan.
    assert drift(window).tests == 4
    window.loc[0, "calls"] = np.nan
    report = drift(window)
    assert report.tests == 5
    assert {result.threshold for result in report.results} == {ALPHA / 5}


def test_a_p_value_at_the_threshold_is_drift():
    window = customers(250, seed=2, minutes=200.0)
    p_value = min(result.p_value for result in drift(window).results)
    at = detect_drift(REFERENCE, window, CONTRACT, p_value * 4)
    below = detect_drift(REFERENCE, window, CONTRACT, p_value * 3.99)
    assert (bool(at.drifted), bool(below.drifted)) == (True, False)


def test_constant_and_missing_columns_are_nothing_to_compare():
    window, reference = customers(250, seed=2), REFERENCE.copy()
    window["state"] = reference["state"] = None
    window["calls"] = reference["calls"] = 3.0
    report = drift(window, reference)
    methods = {result.feature: result.method for result in report.results if result.aspect == "values"}
    assert methods == {"minutes": "Kolmogorov-Smirnov", "calls": "none", "plan": "none", "state": "none"}
    assert found(report) == set()


def test_a_column_that_vanished_alarms_by_missingness():
    window = customers(250, seed=2)
    window["minutes"], window["state"] = np.nan, None
    report = drift(window)
    assert found(report) == {("minutes", "missing"), ("state", "missing")}
    values = next(result for result in report.results if (result.feature, result.aspect) == ("minutes", "values"))
    assert (values.p_value, values.current, values.shift) == (1.0, None, None)


@pytest.mark.parametrize("rows", [0, 1])
def test_no_row_and_one_row_are_calm(rows):
    report = drift(customers(rows, seed=2))
    assert (report.rows, found(report)) == (rows, set())


def test_an_empty_reference_has_nothing_to_say():
    report = drift(customers(250, seed=2, plan_share=0.3), REFERENCE.iloc[:0])
    assert (report.tests, found(report)) == (0, set())


def test_the_most_surprising_comes_first():
    window = customers(500, seed=2, minutes=210.0, plan_share=0.5)
    p_values = [result.p_value for result in drift(window).drifted]
    assert len(p_values) >= 2
    assert p_values == sorted(p_values)


def test_the_verdict_is_json_and_the_same_each_time():
    window = customers(250, seed=2, plan_share=0.3)
    first, second = drift(window).as_dict(), drift(window).as_dict()
    assert orjson.dumps(first) == orjson.dumps(second)
    assert first["covariate_alarm"] is True
    assert len(first["results"]) == 9


def test_surprise_grows_as_p_falls():
    assert surprise(1.0) == 0.0
    assert surprise(1e-4) == 4.0
    assert surprise(0.0) == 300.0


def test_the_level_that_moved_most_is_named_though_it_became_rarer():
    reference, window = customers(600, seed=1), customers(300, seed=2)
    reference["state"] = ["S00"] * 300 + ["S01"] * 100 + ["S02"] * 100 + ["S03"] * 100
    window["state"] = ["S01"] * 100 + ["S02"] * 100 + ["S03"] * 100
    result = next(r for r in drift(window, reference).drifted if r.feature == "state")
    assert (result.measure, result.reference, result.current) == ("share of S00", 0.5, 0.0)


def test_the_last_digits_of_answers_that_many_customers_share_are_no_drift() -> None:
    scores = np.repeat([0.0123456789012345, 0.2, 0.85], 200)
    reference, window = pd.DataFrame({"churn_probability": scores}), pd.DataFrame({"churn_probability": scores + 1e-15})
    assert not detect_drift(reference, window, CONTRACT, 0.01).drifted
    moved = pd.DataFrame({"churn_probability": scores + 0.01})
    assert detect_drift(reference, moved, CONTRACT, 0.01).drifted
