from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import churn.data.many_rows as module
from churn.data.many_rows import count_folds, draw_rows, predict_in_blocks, restore_churn_rate


def test_a_sample_has_each_row_once_in_order_and_follows_the_seed() -> None:
    rows = np.arange(100, 1_100)
    outcome = np.arange(1_100) % 2
    drawn = draw_rows(rows, 250, outcome, seed=3)
    assert len(drawn) == 250
    assert (np.diff(drawn) > 0).all()
    assert np.isin(drawn, rows).all()
    assert np.array_equal(drawn, draw_rows(rows, 250, outcome, seed=3))
    assert not np.array_equal(drawn, draw_rows(rows, 250, outcome, seed=4))
    assert abs(drawn.mean() - rows.mean()) < 60, "of all of them, not of the first"


def test_no_more_than_wanted_are_left_as_they_are() -> None:
    rows = np.array([5, 3, 9])
    assert draw_rows(rows, 3, np.zeros(10, dtype=np.int64), seed=1) is rows


@pytest.mark.parametrize("rare", [0, 1])
@pytest.mark.parametrize(("there", "drawn"), [(1, 1), (7, 7), (40, 20), (300, 20)])
def test_a_class_of_hardly_anybody_is_in_each_sample(rare: int, there: int, drawn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it, or as many as the fewest that a sample has; the others are drawn from all of the rest."""
    monkeypatch.setattr(module, "MIN_CLASS", 20)
    outcome = np.full(50_000, 1 - rare)
    outcome[np.random.default_rng(1).choice(50_000, there, replace=False)] = rare
    rows = np.arange(1, 50_000, 2) if there > 100 else np.arange(50_000)
    for seed in range(5):
        found = draw_rows(rows, 100, outcome, seed)
        assert (len(found), len(set(found)), (outcome[found] == rare).sum()) == (100, 100, drawn)
        assert np.isin(found, rows).all()
        assert (np.diff(found) > 0).all()
        others = found[outcome[found] != rare]
        assert 15_000 < others.mean() < 35_000, "not the first ones"


def test_a_sample_by_chance_is_kept_where_it_has_enough_of_both() -> None:
    outcome, rows = np.random.default_rng(2).integers(0, 2, 5_000), np.arange(5_000)
    by_chance = np.sort(np.random.default_rng(3).choice(5_000, 3_000, replace=False))
    assert np.array_equal(draw_rows(rows, 3_000, outcome, seed=3), by_chance)


def test_a_sample_of_no_more_than_a_few_has_half_of_each() -> None:
    outcome = np.arange(10) % 2
    assert sorted(outcome[draw_rows(np.arange(10), 2, outcome, seed=0)]) == [0, 1]


@pytest.mark.parametrize(
    ("rows", "rare", "folds"),
    [
        (200, 100, 5),
        (249, 100, 5),
        (267, 100, 4),
        (300, 100, 3),
        (400, 100, 2),
        (9_000, 20, 2),
        (9_000, 19, 3),
        (9_000, 10, 5),
        (400, 0, 5),
    ],
)
@pytest.mark.parametrize("swap", [False, True])
def test_fewer_folds_where_each_model_has_as_much_to_learn_from(
    rows: int, rare: int, folds: int, swap: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FITTED", 200)
    monkeypatch.setattr(module, "MIN_CLASS", 10)
    outcome = (np.arange(rows) < rare).astype(np.int64)
    assert count_folds(1 - outcome if swap else outcome, 5) == folds
    assert count_folds(outcome, 2) == 2
    assert count_folds(outcome, 5, module.MAX_COLUMNS) == count_folds(outcome, 5)


def test_with_twice_the_columns_half_the_rows_are_as_much_to_learn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FITTED", 200)
    monkeypatch.setattr(module, "MIN_CLASS", 10)
    outcome = np.arange(200) % 2
    assert [count_folds(outcome, 5, columns) for columns in (0, 40, 80)] == [5, 5, 2]


@pytest.mark.parametrize("weighed", [1, 3])
def test_a_model_of_a_sample_by_class_has_the_churn_rate_of_all(weighed: int) -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(60_000, 1))
    y = (rng.random(60_000) < 1 / (1 + np.exp(5 - x[:, 0]))).astype(np.int64)
    chosen = np.concatenate([np.flatnonzero(y == 1), np.flatnonzero(y == 0)[: weighed * y.sum()]])
    pipeline = Pipeline([("scaler", StandardScaler()), ("logreg", LogisticRegression())]).fit(x[chosen], y[chosen])
    assert pipeline.predict_proba(x)[:, 1].mean() > 5 * y.mean()
    assert restore_churn_rate(pipeline, y[chosen], y) is pipeline
    assert pipeline.predict_proba(x)[:, 1].mean() == pytest.approx(y.mean(), rel=0.1)
    before = pipeline[-1].intercept_.copy()
    restore_churn_rate(pipeline, y, y)
    assert np.array_equal(pipeline[-1].intercept_, before), "all of them are no sample"


@pytest.mark.parametrize("customers", [0, 1, 4, 5, 8, 9])
def test_blocks_say_of_each_customer_what_is_said_at_once(customers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)
    asked = []

    def predict_proba(x: pd.DataFrame) -> np.ndarray:
        asked.append(len(x))
        return np.column_stack([1 - x["a"], x["a"]])

    # What nobody wrote is no number: memory may hold anything, even what is expected.
    unwritten = SimpleNamespace(**vars(np) | {"empty": lambda size: np.full(size, np.nan)})
    monkeypatch.setattr(module, "np", unwritten)
    frame = pd.DataFrame({"a": np.linspace(0, 1, customers)})
    found = predict_in_blocks(SimpleNamespace(predict_proba=predict_proba), frame)
    assert found.tolist() == frame["a"].tolist()
    assert found.dtype == np.float64
    assert max(asked) <= 4
