from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from monitoring.performance.concept_drift import detect_concept_drift
from monitoring.performance.metrics import measure_performance
from tests.unit.monitoring.fakes import customers

REFERENCE = customers(2500, seed=1)
ALPHA = 0.005


def labelled(p, y) -> pd.DataFrame:
    return pd.DataFrame({"churn_probability": np.asarray(p, dtype=float), "churned": np.asarray(y, dtype=float)})


def concept(window: pd.DataFrame, reference: pd.DataFrame = REFERENCE):
    return detect_concept_drift(reference, window, ALPHA)


def violated(result) -> set[str]:
    return {test.question for test in result.tests if test.violated}


@pytest.mark.parametrize("seed", range(2, 12))
def test_a_model_as_good_as_it_was_is_calm(seed):
    assert not concept(customers(200, seed=seed)).alarm


@pytest.mark.parametrize("seed", range(2, 12))
def test_harder_customers_are_no_concept_drift(seed):
    # Their mean log loss is far above the reference's, as the model itself expects.
    window = customers(300, seed=seed, minutes=300.0)
    assert measure_performance(window).log_loss > 1.3 * measure_performance(REFERENCE).log_loss
    assert not concept(window).alarm


@pytest.mark.parametrize(("rate", "sign"), [(0.45, 1), (0.02, -1)])
def test_more_or_fewer_leaving_than_expected_is_a_violation_of_calibration(rate, sign):
    window = customers(300, seed=2)
    window["churned"] = (np.random.default_rng(0).random(300) < rate).astype(float)
    large = concept(window).tests[0]
    assert large.violated
    assert math.copysign(1, large.effect) == math.copysign(1, large.z) == sign
    off = [(part["churned"] - part["churn_probability"]).mean() for part in (window, REFERENCE)]
    assert large.effect == pytest.approx(off[0] - off[1])


def test_the_wrong_ones_leaving_is_a_violation_of_the_loss_alone():
    window = customers(400, seed=2)
    # As many leave as expected, but they are those who were expected to stay.
    window["churned"] = (window["churn_probability"].rank() <= round(window["churn_probability"].sum())).astype(float)
    assert violated(concept(window)) == {"excess log loss"}


def test_a_better_ranking_than_expected_is_no_violation():
    window = customers(400, seed=2)
    rank = window["churn_probability"].rank(ascending=False)
    window["churned"] = (rank <= round(window["churn_probability"].sum())).astype(float)
    result = concept(window)
    assert result.tests[1].z < -3
    assert not result.alarm


def test_a_model_that_was_always_off_does_not_alarm_for_it():
    off = customers(2500, seed=1)
    off["churn_probability"] = (off["churn_probability"] * 0.5).clip(0.001, 0.999)
    window = customers(250, seed=2)
    window["churn_probability"] = (window["churn_probability"] * 0.5).clip(0.001, 0.999)
    assert concept(window).alarm
    assert not concept(window, off).alarm


def test_a_small_reference_is_less_sure():
    window, little = customers(300, seed=2), customers(100, seed=1)
    assert concept(window, little).tests[0].standard_error > 1.5 * concept(window).tests[0].standard_error


def test_p_values_follow_the_skewness_of_rare_churn():
    # 200 customers at 2 %: the binomial tail is known exactly, and the normal one is 20 times smaller.
    reference = labelled([0.02] * 1_000_000, [1.0] * 20_000 + [0.0] * 980_000)
    test = concept(labelled([0.02] * 200, [1.0] * 12 + [0.0] * 188), reference).tests[0]
    exact = (stats.binom.sf(11, 200, 0.02) + stats.binom.sf(12, 200, 0.02)) / 2
    assert test.p_value / 2 == pytest.approx(exact, rel=0.5)
    assert stats.norm.sf(test.z) < exact / 10


def test_each_question_has_half_of_alpha():
    result = concept(customers(200, seed=2))
    assert [test.threshold for test in result.tests] == [ALPHA / 2, ALPHA / 2]


@pytest.mark.parametrize(("window", "reference"), [(REFERENCE.iloc[:0], REFERENCE), (REFERENCE, REFERENCE.iloc[:0])])
def test_without_rows_nothing_is_asked(window, reference):
    result = concept(window, reference)
    assert (result.tests, result.alarm) == ((), False)


def test_certainties_that_fail_alarm_and_do_not_crash():
    assert concept(labelled([0.0] * 100, [1.0] * 100)).alarm
    assert concept(customers(100, seed=2), labelled([0.0] * 100, [0.0] * 100)).tests[0].p_value >= 0


def test_a_reference_that_scatters_more_than_the_model_says_makes_it_less_sure():
    # Half of these were certain to leave and half to stay, where the model says 0.1: squares of 0.41 instead of 0.09.
    window, scattered = labelled([0.1] * 100, [0.0] * 100), labelled([0.1] * 1000, [0.0, 1.0] * 500)
    plain = labelled([0.1] * 1000, [0.0] * 900 + [1.0] * 100)
    ratio = concept(window, scattered).tests[0].standard_error / concept(window, plain).tests[0].standard_error
    assert ratio == pytest.approx(math.sqrt(0.41 / 0.09))


def test_two_samples_of_one_size_are_skewed_alike_and_the_skewness_cancels():
    reference, window = labelled([0.1] * 300, [1.0] * 30 + [0.0] * 270), labelled([0.1] * 300, [1.0] * 45 + [0.0] * 255)
    test = concept(window, reference).tests[0]
    assert test.z == pytest.approx(0.05 / math.sqrt(2 * 0.09 / 300))
    assert test.p_value == pytest.approx(2 * stats.norm.sf(test.z))
