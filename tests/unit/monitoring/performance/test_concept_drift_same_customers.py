"""Concept drift where the same customers were labelled again and again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitoring.performance.concept_drift import detect_concept_drift
from tests.unit.monitoring.fakes import customers

REFERENCE = customers(2500, seed=1)


def repeated(window: pd.DataFrame, times: int) -> pd.DataFrame:
    """Each customer so many times, with the same answer and the same outcome."""
    rows = window.loc[np.repeat(window.index, times)].reset_index(drop=True)
    return rows.assign(customer_id=np.repeat([f"c{n}" for n in range(len(window))], times))


def test_twenty_labels_of_each_customer_alarm_no_more_often_than_promised():
    windows = [repeated(customers(50, seed=seed), 20) for seed in range(2, 102)]
    by_customer = sum(detect_concept_drift(REFERENCE, window, 0.01).alarm for window in windows)
    by_row = sum(detect_concept_drift(REFERENCE, window.drop(columns="customer_id"), 0.01).alarm for window in windows)
    assert by_customer <= 4
    assert by_row >= 30


def test_rows_that_say_the_same_are_as_much_evidence_as_one():
    window = customers(3000, seed=4)
    once, often = (detect_concept_drift(REFERENCE, rows, 0.01).tests for rows in (window, repeated(window, 5)))
    for one, other in zip(once, often, strict=True):
        assert other.effect == pytest.approx(one.effect)
        assert other.standard_error == pytest.approx(one.standard_error, rel=0.05)
        assert other.p_value == pytest.approx(one.p_value, rel=0.2)


def test_independent_rows_of_many_customers_lose_little_power():
    window = customers(20_000, seed=4).assign(customer_id=[f"c{n % 10_000}" for n in range(20_000)])
    known, plain = (detect_concept_drift(REFERENCE, w, 0.01).tests[0] for w in (window, window.drop(columns="customer_id")))
    assert plain.standard_error <= known.standard_error < 1.02 * plain.standard_error


@pytest.mark.parametrize("ids", [None, [f"c{n}" for n in range(300)], [None] * 300])
def test_customers_who_come_once_change_nothing(ids):
    window = customers(300, seed=4)
    plain = detect_concept_drift(REFERENCE, window, 0.01)
    assert detect_concept_drift(REFERENCE, window if ids is None else window.assign(customer_id=ids), 0.01) == plain


def test_rows_without_an_id_stand_for_themselves():
    window = repeated(customers(100, seed=4), 2)
    some = window.assign(customer_id=window["customer_id"].where(np.arange(200) >= 100, None))
    errors = [
        detect_concept_drift(REFERENCE, rows, 0.01).tests[0].standard_error
        for rows in (window.drop(columns="customer_id"), some, window)
    ]
    assert errors == sorted(errors)
    assert errors[0] < errors[1] < errors[2]


def test_drift_is_found_among_customers_who_come_again():
    window = customers(1000, seed=4)
    window["churned"] = (np.random.default_rng(1).random(1000) < np.minimum(1, 2.5 * window["churn_probability"])).astype(float)
    assert detect_concept_drift(REFERENCE, repeated(window, 3), 0.01).alarm
