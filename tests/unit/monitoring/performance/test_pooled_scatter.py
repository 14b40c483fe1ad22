"""Residuals of two samples compared: a small sample's own scatter is not believed where the model is off."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitoring.performance.residuals import contrast, minus_logit, moments_of


def rows(probability: list[float], churned: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"churn_probability": probability, "churned": churned})


def test_pooled_scatter_is_that_of_both_sides() -> None:
    reference = moments_of(rows([0.1] * 10, [0.0] * 9 + [1.0]), np.ones_like)
    window = moments_of(rows([0.1] * 5, [1.0] * 5), np.ones_like)
    alone, pooled = contrast(reference, window), contrast(reference, window, pooled=True)
    assert alone.effect == pooled.effect == pytest.approx(0.9)
    # Residuals are .9 where somebody left and -.1 else; the model expects a mean square of .09.
    assert alone.variance == pytest.approx(0.09 / 10 + 0.09 / 5)
    scatter = (6 * 0.81 + 9 * 0.01) / (15 * 0.09)
    assert pooled.variance == pytest.approx(scatter * alone.variance)
    assert pooled.third_moment == pytest.approx(scatter**1.5 * alone.third_moment)


def test_less_scatter_than_the_model_expects_is_not_believed() -> None:
    calm = moments_of(rows([0.5] * 10, [0.0] * 10), lambda p: np.where(p > 0, 0.0, 1.0))
    assert contrast(calm, calm, pooled=True).variance == 0
    sure = moments_of(rows([0.1] * 10, [0.0] * 10), np.ones_like)
    assert contrast(sure, sure, pooled=True).variance == pytest.approx(2 * 0.09 / 10)


def test_a_group_that_the_model_misses_before_and_now_is_as_rarely_surprising_as_was_asked() -> None:
    rng, p_values = np.random.default_rng(3), {True: [], False: []}
    for _ in range(600):
        p = np.clip(rng.beta(0.6, 3.6, 300), 0.005, 0.98)
        # Ten points more leave than the model says, of those who are sure to stay as well.
        both = pd.DataFrame({"churn_probability": p, "churned": (rng.random(300) < np.minimum(p + 0.1, 1.0)).astype(float)})
        sides = moments_of(both[:200], minus_logit), moments_of(both[200:], minus_logit)
        for pooled, found in p_values.items():
            found.append(contrast(*sides, pooled=pooled).upper)
    shares = {pooled: float(np.mean(np.array(found) <= 0.01)) for pooled, found in p_values.items()}
    assert shares[True] <= 0.012
    assert shares[False] > 0.018, "which is why the scatter is pooled"


@pytest.mark.parametrize("pooled", [True, False])
def test_a_part_of_a_reference_scatters_at_least_as_all_of_it(pooled: bool) -> None:
    # Nobody of few who were sure to stay left, in the part; among all some did.
    own = moments_of(rows([0.02] * 50, [1.0] + [0.0] * 49), minus_logit)
    window = moments_of(rows([0.02] * 50, [1.0] * 3 + [0.0] * 47), minus_logit)
    whole = moments_of(rows([0.02] * 1_000, [1.0] * 70 + [0.0] * 930), minus_logit)
    assert own.scatter == pytest.approx(1.0)
    assert whole.scatter == pytest.approx(whole.mean_square / whole.expected_square)
    alone, as_all = contrast(own, window, pooled=pooled), contrast(own.at_least(whole.scatter), window, pooled=pooled)
    plain = own.expected_square / 50 + window.expected_square / 50
    assert as_all.variance == pytest.approx(whole.scatter * plain)
    assert as_all.upper > 1.2 * alone.upper
    # What scatters more already, goes on doing so.
    assert contrast(whole.at_least(1.5), own).variance == contrast(whole, own).variance
