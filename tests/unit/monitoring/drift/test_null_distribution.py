"""The largest of many differences: as often beyond its quantile as promised, whatever their correlation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from monitoring.drift import null_distribution as module
from monitoring.drift.null_distribution import COUNTED, MAX_WINDOW_ROWS, MaxDistribution, _contrasts, _poisson, _root, draw_maxima

NORMAL = MaxDistribution.of(np.abs(np.random.default_rng(0).standard_normal(4_000)))


def standard(rows: int, columns: int, seed: int = 0) -> NDArray[np.float32]:
    scores = np.random.default_rng(seed).standard_normal((rows, columns))
    return ((scores - scores.mean(axis=0)) / scores.std(axis=0)).astype(np.float32)


@pytest.fixture
def fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAWS", 1_000)


def test_a_p_value_is_the_share_of_draws_beyond_it() -> None:
    draws = np.arange(100.0)
    found = MaxDistribution.of(np.random.default_rng(0).permutation(draws))
    assert found.maxima.tolist() == draws.tolist()
    assert found.p_value(-1.0) == 1.0
    assert found.p_value(50.0) == 51 / 101
    assert found.p_value(50.5) == 50 / 101
    assert found.p_value(84.0) == 17 / 101


def test_far_out_the_normal_tail_goes_on_from_where_draws_can_be_counted() -> None:
    assert NORMAL.effective_tests == pytest.approx(1.0, abs=0.5)
    for z in (3.5, 5.0, 8.0):
        assert NORMAL.p_value(z) == pytest.approx(NORMAL.effective_tests * 2 * stats.norm.sf(z))
    values = [NORMAL.p_value(z) for z in np.linspace(0, 10, 400)]
    assert all(one >= other for one, other in pairwise(values))
    many = MaxDistribution.of(np.abs(np.random.default_rng(1).standard_normal((4_000, 50))).max(axis=1))
    assert many.effective_tests == pytest.approx(50, rel=0.4)


def test_there_is_at_least_one_test_and_the_tail_never_rises_above_what_was_counted() -> None:
    small = MaxDistribution.of(np.full(100, 0.01))
    assert small.effective_tests == 1.0
    assert small.p_value(0.02) == (COUNTED + 1) / 101
    few = MaxDistribution.of(np.array([1.0, 2.0, 3.0]))
    assert few.effective_tests == pytest.approx(1 / (2 * stats.norm.sf(3.0)))
    assert MaxDistribution.of(np.full(20, 100.0)).effective_tests > 1e200


def test_a_threshold_is_reached_with_the_probability_that_was_asked_for() -> None:
    for alpha in (0.5, 0.2, 0.05, 0.01, 0.001, 1e-6):
        assert NORMAL.p_value(NORMAL.quantile(alpha)) == pytest.approx(alpha, rel=0.02, abs=1e-3)
    assert NORMAL.quantile(1e-6) == pytest.approx(stats.norm.isf(1e-6 / NORMAL.effective_tests / 2))
    draws = MaxDistribution.of(np.arange(1_000.0))
    assert draws.quantile(0.1) == 900.0
    assert MaxDistribution.of(np.arange(3.0)).quantile(1.0) >= 0


@pytest.mark.usefixtures("fewer_draws")
def test_one_test_is_a_normal_one_and_many_alike_are_one() -> None:
    scores = standard(500, 1)
    one, alike, apart = draw_maxima([scores, np.repeat(scores, 5, axis=1), standard(500, 5, seed=1)], 200, 500, 7)
    np.testing.assert_allclose(one.maxima, alike.maxima, rtol=1e-4)
    assert one.quantile(0.1) == pytest.approx(stats.norm.isf(0.05), rel=0.12)
    assert apart.quantile(0.1) == pytest.approx(stats.norm.isf(0.1 / 10), rel=0.12)
    assert one.maxima.size == 1_000


@pytest.mark.usefixtures("fewer_draws")
def test_the_same_input_gives_the_same_draws_and_another_seed_others() -> None:
    scores = [standard(200, 3)]
    first, again, other = (draw_maxima(scores, 100, 200, seed)[0] for seed in (1, 1, 2))
    assert first.maxima.tolist() == again.maxima.tolist()
    assert first.maxima.tolist() != other.maxima.tolist()


@pytest.mark.usefixtures("fewer_draws")
def test_many_rows_are_drawn_as_normal_with_the_scores_correlations() -> None:
    scores = standard(300, 4)
    (found,) = draw_maxima([scores], MAX_WINDOW_ROWS, MAX_WINDOW_ROWS, 1)
    assert found.quantile(0.1) == pytest.approx(stats.norm.isf(0.1 / 8), rel=0.1)
    root = _root(scores).astype(np.float64)
    np.testing.assert_allclose(root.T @ root, scores.T @ scores / 300, atol=1e-4)
    (few,) = draw_maxima([scores], MAX_WINDOW_ROWS - 1, MAX_WINDOW_ROWS, 1)
    assert few.maxima.tolist() != found.maxima.tolist()


def test_weights_of_rows_make_differences_of_means_with_spread_1() -> None:
    weights = _contrasts(np.random.default_rng(0), 400, 100, 300).astype(np.float64)
    assert weights.shape == (module.BLOCK, 400)
    np.testing.assert_allclose(weights.sum(axis=1), 0, atol=1e-4)
    z = weights @ standard(400, 6).astype(np.float64)
    assert z.std() == pytest.approx(1.0, abs=0.08)


def test_the_table_of_poisson_s_distribution_has_its_mean_and_variance() -> None:
    for mean in (0.25, 1.0, 7.0):
        drawn = _poisson(mean)
        assert (drawn.mean(), drawn.var()) == (pytest.approx(mean, rel=1e-3), pytest.approx(mean, rel=1e-2))


@pytest.mark.parametrize("mean", [0.0001, 0.3, 1.0, 20.0, 600.0, 20_000.0])
def test_the_table_of_poisson_s_distribution_holds_its_quantiles(mean: float) -> None:
    table = _poisson(mean)
    some = np.unique([*range(0, module.STEPS, 499), *range(module.STEPS - 5, module.STEPS)])
    assert len(table) == module.STEPS
    assert table[some].tolist() == stats.poisson.ppf((some + 0.5) / module.STEPS, mean).tolist()
