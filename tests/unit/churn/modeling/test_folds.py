from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.config.params import TuningParams
from churn.data.labelled import Labelled
from churn.errors import InputError
from churn.modeling.folds import fold_numbers
from churn.modeling.model import build_pipeline
from churn.modeling.tuning import tune


def drawn(customers: int, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of customers: what came true, each customer's draw, and who it is."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, customers, rows)
    return rng.integers(0, 2, rows), rng.random(customers)[who], who


def test_nobody_changes_fold_when_others_come() -> None:
    outcome, fold, who = drawn(500, 900)
    everybody = fold_numbers(outcome, fold, 5, who)
    assert fold_numbers(outcome[:600], fold[:600], 5, who[:600]).tolist() == everybody[:600].tolist()
    assert np.bincount(everybody).tolist() == pytest.approx([180] * 5, abs=70)


@given(st.integers(2, 40), st.integers(2, 120), st.integers(2, 8), st.integers(0, 99))
def test_each_fold_has_both_classes_and_all_rows_of_its_customers_in_any_order(
    customers: int, rows: int, folds: int, seed: int
) -> None:
    outcome, fold, who = drawn(customers, rows, seed)
    try:
        numbers = fold_numbers(outcome, fold, folds, who)
    except InputError:
        churned = {customer for customer, left in zip(who, outcome, strict=True) if left}
        assert min(len(churned), len(set(who) - churned)) < folds
        return
    assert set(numbers) == set(range(folds))
    assert len({*zip(who, numbers, strict=True)}) == len(set(who))
    order = np.random.default_rng(1).permutation(rows)
    renamed = np.random.default_rng(2).permutation(customers)[who]
    assert fold_numbers(outcome[order], fold[order], folds, renamed[order]).tolist() == numbers[order].tolist()
    for number in range(folds):
        assert set(outcome[numbers == number]) == {0, 1}


def test_few_churners_are_dealt_out() -> None:
    outcome = np.array([1] * 5 + [0] * 95)
    fold = np.linspace(0, 0.999, 100)
    numbers = fold_numbers(outcome, fold, 5)
    assert numbers[:5].tolist() == [0, 1, 2, 3, 4]
    assert np.bincount(numbers).tolist() == [20] * 5


def test_too_few_of_a_class_are_said() -> None:
    with pytest.raises(InputError, match=r"4 of the customers to learn from churned; 5 folds need at least 5 of each"):
        fold_numbers(np.array([1] * 4 + [0] * 96), np.linspace(0, 0.99, 100), 5)


def test_the_search_uses_the_customers_own_folds_whatever_the_seed() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=300)})
    outcome = pd.Series((rng.random(300) < 1 / (1 + np.exp(-frame["a"]))).astype(np.int64))
    params = TuningParams(folds=3, grid={"logreg__C": [0.1]})
    for fold in (rng.random(300), np.linspace(0.99, 0, 300)):
        known = Labelled(frame, outcome, customer=np.arange(300), fold=fold)
        first, other = (tune(build_pipeline(1), known, ["a"], params, seed=seed) for seed in (1, 2))
        numbers = fold_numbers(outcome.to_numpy(), fold, 3)
        assert np.array_equal(first.out_of_fold, other.out_of_fold)
        expected = np.full(300, np.nan)
        for number in range(3):
            rows = numbers == number
            fitted = build_pipeline(1).set_params(logreg__C=0.1).fit(frame[~rows], outcome[~rows])
            expected[rows] = fitted.predict_proba(frame[rows])[:, 1]
        assert first.out_of_fold == pytest.approx(expected, abs=1e-12)
    halving = TuningParams.model_validate(
        {"search": "halving", "candidates": 4, "folds": 3, "grid": {"logreg__C": [0.1, 1, 2, 3]}}
    )
    assert tune(build_pipeline(1), known, ["a"], halving, seed=1).out_of_fold.shape == (300,)


@pytest.mark.parametrize(("churned", "stayed", "did_both"), [(0, 0, 4), (2, 1, 3), (4, 3, 1), (3, 5, 0)])
def test_who_did_both_counts_for_both_where_customers_are_dealt_out(churned: int, stayed: int, did_both: int) -> None:
    """Without ids, customers who are alike are one, and some of them left."""
    outcome = np.array([1] * churned + [0] * stayed + [0, 1] * did_both)
    customer = np.concatenate([np.arange(churned + stayed), churned + stayed + np.repeat(np.arange(did_both), 2)])
    fold = np.full(len(outcome), 0.5)
    found = fold_numbers(outcome, fold, 3, customer)
    for number in range(3):
        assert set(outcome[found == number]) == {0, 1}
    assert len(set(zip(customer.tolist(), found.tolist(), strict=True))) == churned + stayed + did_both, "each in one fold"


def test_customers_are_counted_by_what_they_did() -> None:
    with pytest.raises(InputError, match="2 of the customers to learn from stayed; 3 folds need at least 3 of each"):
        fold_numbers(np.array([1, 0, 1, 0, 1, 1]), np.full(6, 0.5), 3, np.array([0, 0, 1, 1, 2, 3]))
