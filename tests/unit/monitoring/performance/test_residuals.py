"""Weighted residuals: their moments are those that the model expects, and a contrast is as rare as it says it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from monitoring.performance.residuals import Contrast, Moments, contrast, minus_logit, moments_of


def outcomes(rows: int, seed: int, *, excess: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 4, rows).clip(0.01, 0.99)
    return pd.DataFrame({"churn_probability": p, "churned": (rng.random(rows) < p + excess).astype(float)})


def test_moments_are_those_of_their_formulas() -> None:
    p, y = np.array([0.1, 0.4, 0.8]), np.array([0.0, 1.0, 1.0])
    for weigh in (np.ones_like, minus_logit):
        w = weigh(p)
        found = moments_of(pd.DataFrame({"churn_probability": p, "churned": y}), weigh)
        assert found.rows == 3
        assert found.mean == pytest.approx((w * (y - p)).mean())
        assert found.mean_square == pytest.approx(((w * (y - p)) ** 2).mean())
        assert found.expected_square == pytest.approx((w**2 * p * (1 - p)).mean())
        assert found.expected_cube == pytest.approx((w**3 * p * (1 - p) * (1 - 2 * p)).mean())
        assert (found.clustering_square, found.clustering_cube) == (1.0, 1.0)


def test_the_weighted_mean_is_the_excess_log_loss() -> None:
    rows = outcomes(500, 1)
    p, y = rows["churn_probability"].to_numpy(), rows["churned"].to_numpy()
    loss = -(y * np.log(p) + (1 - y) * np.log1p(-p)).mean()
    expected = -(p * np.log(p) + (1 - p) * np.log1p(-p)).mean()
    assert moments_of(rows, minus_logit).mean == pytest.approx(loss - expected)


@pytest.mark.parametrize("weigh", [np.ones_like, minus_logit])
def test_what_the_model_expects_comes_true_where_it_is_right(weigh: object) -> None:
    found = moments_of(outcomes(200_000, 2), weigh)  # type: ignore[arg-type]
    assert found.mean == pytest.approx(0, abs=4 * np.sqrt(found.expected_square / found.rows))
    assert found.mean_square == pytest.approx(found.expected_square, rel=0.02)


def test_rows_of_one_customer_count_as_less() -> None:
    one = outcomes(400, 3)
    several = pd.concat([one] * 4, ignore_index=True).assign(customer_id=np.tile(np.arange(400).astype(str), 4))
    alone = several.assign(customer_id=[str(n) for n in range(1_600)])
    assert moments_of(alone, np.ones_like).clustering_square == pytest.approx(1.0)
    assert moments_of(several, np.ones_like).clustering_square == pytest.approx(4.0, rel=0.05)
    assert (
        contrast(moments_of(one, np.ones_like), moments_of(several, np.ones_like)).variance
        > contrast(moments_of(one, np.ones_like), moments_of(alone, np.ones_like)).variance
    )


def test_a_contrast_is_the_difference_of_means_in_standard_errors() -> None:
    reference, window = Moments(1_000, 0.01, 0.1, 0.1, 0.02), Moments(250, 0.06, 0.1, 0.1, 0.02)
    found = contrast(reference, window)
    assert found.effect == pytest.approx(0.05)
    assert found.variance == pytest.approx(0.1 / 1_000 + 0.1 / 250)
    assert found.third_moment == pytest.approx(0.02 / 250**2 - 0.02 / 1_000**2)
    assert found.z == pytest.approx(0.05 / np.sqrt(found.variance))
    skew = found.third_moment / found.variance**1.5
    assert found.upper == pytest.approx(stats.pearson3(skew).sf(found.z))
    assert found.two_sided == pytest.approx(2 * min(found.upper, 1 - found.upper))


def test_a_reference_that_scatters_more_than_expected_makes_the_window_do_so_too() -> None:
    window = Moments(250, 0.06, 0.1, 0.1, 0.02)
    plain = contrast(Moments(1_000, 0.0, 0.1, 0.1, 0.02), window)
    wide = contrast(Moments(1_000, 0.0, 0.4, 0.1, 0.02), window)
    narrow = contrast(Moments(1_000, 0.0, 0.01, 0.1, 0.02), window)
    assert wide.variance == pytest.approx(4 * plain.variance)
    assert wide.third_moment == pytest.approx(8 * plain.third_moment)
    assert narrow.variance == pytest.approx(plain.variance), "less scatter is chance"


def test_where_nothing_can_vary_nothing_is_surprising() -> None:
    still = Contrast(effect=0.0, variance=0.0, third_moment=0.0)
    assert (still.z, still.upper, still.two_sided) == (0.0, 0.5, 1.0)
    certain = Moments(10, 0.0, 0.0, 0.0, 0.0)
    assert contrast(certain, certain).variance == 0.0


def test_both_sides_are_as_rare_as_one() -> None:
    up, down = (Contrast(effect=sign * 0.1, variance=0.0025, third_moment=0.0) for sign in (1, -1))
    assert up.two_sided == pytest.approx(down.two_sided) == pytest.approx(2 * stats.norm.sf(2))
    assert up.upper == pytest.approx(1 - down.upper)
