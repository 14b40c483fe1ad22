"""Resamples of very many rows in which those of nearly the same probability are drawn together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn.config.params import EvaluationParams, ProfitParams
from churn.evaluation import intervals, pooled
from churn.evaluation.intervals import metric_intervals, resampled_metrics
from churn.evaluation.pooled import draw_pooled, pool
from churn.evaluation.slices import Slice, score_slices

HOW: dict[str, Any] = {"confidence": 0.95, "resamples": 400, "seed": 1}


def scored(n: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-rng.normal(-2, 2, n)))
    return (rng.random(n) < 0.9 * p).astype(np.int64), p


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=1, max_size=60), st.integers(0, 21), st.integers(1, 50)
)
def test_cells_hold_all_rows_and_split_at_the_threshold(rows: list[tuple[int, int]], cut: int, bins: int) -> None:
    rows.sort(key=lambda row: row[1])
    y, p = np.array([row[0] for row in rows]), np.array([row[1] for row in rows]) / 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooled, "BINS", bins)
        cells = pool(y, p, cut / 20)
    assert cells.rows.sum() == len(y)
    assert (cells.rows * cells.outcome).sum() == y.sum()
    assert cells.rows @ cells.probability == pytest.approx(p.sum())
    assert (np.diff(cells.probability) >= 0).all()
    assert len(np.unique(cells.probability)) <= min(len(np.unique(p)), bins + 1)
    reached = cells.probability >= cut / 20
    assert (cells.rows[reached].sum(), cells.rows[reached] @ cells.outcome[reached]) == (
        (p >= cut / 20).sum(),
        y[p >= cut / 20].sum(),
    )


@settings(max_examples=15)
@given(st.integers(0, 1_000))
def test_with_as_many_bins_as_probabilities_nothing_is_lost(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, p = rng.integers(0, 2, 40), np.sort(rng.integers(0, 12, 40) / 12)
    cells = pool(y, p, 0.5)
    each = resampled_metrics(y, p, 0.5, np.ones((1, 40), dtype=np.int64), ProfitParams())
    together = resampled_metrics(cells.outcome, cells.probability, 0.5, cells.rows[None, :], ProfitParams())
    assert {name: value.item() for name, value in together.items()} == pytest.approx(
        {name: value.item() for name, value in each.items()}, nan_ok=True
    )


def test_a_resample_has_as_many_rows_and_each_cell_its_share() -> None:
    rows = np.array([1, 30, 969])
    drawn = np.concatenate(list(draw_pooled(rows, 3_000, seed=5)))
    assert drawn.shape == (3_000, 3)
    assert set(drawn.sum(axis=1)) == {1_000}
    assert drawn.mean(axis=0) == pytest.approx(rows, rel=0.1)
    assert drawn.var(axis=0) == pytest.approx(rows * (1 - rows / 1_000), rel=0.15)


def test_resamples_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooled, "CELLS", 30)
    assert [len(part) for part in draw_pooled(np.array([5, 5, 5]), 25, seed=1)] == [10, 10, 5]


def test_intervals_are_those_of_single_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = scored(4_000)
    each = metric_intervals(y, p, 0.2, **HOW)
    monkeypatch.setattr(intervals, "MAX_DRAWN", 3_999)
    together = metric_intervals(y, p, 0.2, **HOW)
    assert list(together) == list(each)
    for name, (low, high) in each.items():
        width = high - low
        assert together[name] == pytest.approx((low, high), abs=0.2 * width), name
        assert together[name][1] - together[name][0] == pytest.approx(width, rel=0.2), name


def test_the_order_within_a_bin_is_made_good_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two bins one cannot tell how well customers are ranked within them."""
    y, p = scored(500)
    each = metric_intervals(y, p, 0.2, **HOW)
    monkeypatch.setattr(intervals, "MAX_DRAWN", 100)
    monkeypatch.setattr(pooled, "BINS", 2)
    together = metric_intervals(y, p, 0.2, **HOW)
    for name in ("roc_auc", "pr_auc", "log_loss", "brier"):
        assert sum(together[name]) / 2 == pytest.approx(sum(each[name]) / 2, abs=0.25 * (each[name][1] - each[name][0])), name


@pytest.mark.parametrize("bins", [13, 17])
def test_a_reflected_interval_is_reflected_at_the_sample_s_value(bins: int, monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = scored(4_000)
    low, high = metric_intervals(y, p, 0.2, **HOW)["ece"]
    monkeypatch.setattr(intervals, "MAX_DRAWN", 100)
    monkeypatch.setattr(pooled, "BINS", bins)
    together = metric_intervals(y, p, 0.2, **HOW)["ece"]
    assert sum(together) / 2 == pytest.approx((low + high) / 2, abs=0.15 * (high - low))


def test_nobody_ranks_better_than_perfectly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "MAX_DRAWN", 100)
    monkeypatch.setattr(pooled, "BINS", 2)
    y = (np.arange(200) >= 130).astype(np.int64)
    found = metric_intervals(y, np.linspace(0.01, 0.99, 200), 0.9, **HOW)
    assert found["roc_auc"][0] < found["roc_auc"][1] == 1.0
    assert found["pr_auc"][0] < found["pr_auc"][1] == 1.0


def test_up_to_a_limit_and_where_customers_have_several_rows_each_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = scored(300)
    twice = np.arange(300) // 2
    each, clustered = metric_intervals(y, p, 0.2, **HOW), metric_intervals(y, p, 0.2, customer=twice, **HOW)
    monkeypatch.setattr(intervals, "pool", lambda *_: pytest.fail("each row is drawn on its own"))
    monkeypatch.setattr(intervals, "MAX_DRAWN", 300)
    assert metric_intervals(y, p, 0.2, **HOW) == each
    monkeypatch.setattr(intervals, "MAX_DRAWN", 100)
    assert metric_intervals(y, p, 0.2, customer=twice, **HOW) == clustered


def test_a_small_slice_of_very_many_rows_is_pooled_too(monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = scored(2_000)
    some = Slice("plan", "yes", np.arange(2_000) < 700)
    asked: list[int] = []

    def counted(y: Any, p: Any, threshold: float) -> pooled.Pooled:
        asked.append(len(y))
        return pool(y, p, threshold)

    monkeypatch.setattr(intervals, "pool", counted)
    score_slices(y, p, 0.2, [some], EvaluationParams(resamples=100), 1)
    assert asked == []
    monkeypatch.setattr(intervals, "MAX_DRAWN", 1_999)
    score_slices(y, p, 0.2, [some], EvaluationParams(resamples=100), 1)
    assert asked == [700]
