from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from monitoring import two_samples
from monitoring.two_samples import compare_levels, compare_numbers


def levels(*counts: int) -> pd.Series:
    return pd.Series([f"L{n:02}" for n, count in enumerate(counts) for _ in range(count)], dtype=object)


def test_numbers_are_compared_by_kolmogorov_smirnov():
    rng = np.random.default_rng(3)
    a, b = pd.Series(rng.normal(size=300)), pd.Series(rng.normal(0.3, 1, size=200))
    expected = stats.ks_2samp(a, b)
    result = compare_numbers(a, b)
    assert (result.statistic, result.p_value) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))


def test_one_row_on_a_side_is_not_surprising():
    many = pd.Series(np.arange(500.0))
    assert compare_numbers(many, pd.Series([1e6])).p_value >= 1 / 501
    assert compare_numbers(pd.Series([1.0]), pd.Series([2.0])).p_value == 1.0


def test_huge_samples_are_compared_without_an_exact_count():
    a = pd.Series(np.linspace(0, 1, two_samples.EXACT_ROWS + 1))
    assert compare_numbers(a, a).p_value == 1.0
    assert compare_numbers(a, a + 0.1).p_value < 1e-6


def test_two_levels_are_compared_by_fishers_exact_test():
    result = compare_levels(levels(95, 5), levels(80, 20), 0.01)
    assert result.method == "Fisher's exact"
    assert result.p_value == pytest.approx(stats.fisher_exact([[95, 5], [80, 20]]).pvalue)
    assert result.statistic == pytest.approx(0.15)


def test_many_rows_a_level_are_compared_by_chi_square():
    result = compare_levels(levels(100, 120, 140), levels(140, 120, 100), 0.01)
    assert result.method == "chi-square"
    assert result.p_value == pytest.approx(stats.chi2_contingency([[100, 120, 140], [140, 120, 100]], correction=False).pvalue)


def test_few_rows_a_level_are_compared_by_drawing_and_agree_with_the_exact_test():
    # The exact p-value by counting all tables with these margins (Freeman-Halton on the chi-square order).
    table = np.array([[6, 2, 1], [1, 3, 4]])
    totals, rows = table.sum(axis=0), int(table[1].sum())
    expected = table.sum(axis=0) * rows / table.sum()
    exact = sum(
        stats.multivariate_hypergeom.pmf([a, b, rows - a - b], totals, rows)
        for a in range(rows + 1)
        for b in range(rows + 1 - a)
        if ((np.array([a, b, rows - a - b]) - expected) ** 2 / expected).sum()
        >= ((table[1] - expected) ** 2 / expected).sum() - 1e-9
    )
    result = compare_levels(levels(6, 2, 1), levels(1, 3, 4), 0.0005)
    assert result.method == "chi-square, drawn"
    assert result.p_value == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("threshold", [0.01, 1e-4])
def test_drawing_goes_on_until_the_threshold_can_be_passed(threshold):
    new = pd.concat([levels(*[4] * 40), pd.Series(["new"] * 80)])
    assert compare_levels(levels(*[30] * 40), new, threshold).p_value < threshold / 5


def test_drawing_gives_the_same_each_time():
    a, b = levels(*[30] * 40), levels(*range(1, 41))
    assert compare_levels(a, b, 0.001) == compare_levels(a, b, 0.001)


def test_one_level_cannot_be_compared():
    assert compare_levels(levels(5), levels(50), 0.01).p_value == 1.0


def test_a_drawn_p_value_is_never_zero():
    # Zero would pass any threshold, however small: more than a finite number of draws can say.
    p_value = compare_levels(levels(*[30] * 40), pd.Series(["new"] * 80), 0.001).p_value
    assert p_value == pytest.approx(1 / 10_001)


def test_drawing_stops_early_where_there_is_nothing():
    # The denominator of the p-value tells how many tables were drawn: one block, where the threshold alone asks for 100,000.
    calm = pd.Series(np.random.default_rng(5).choice(levels(*[1] * 40), 160))
    share = compare_levels(levels(*[30] * 40), calm, 1e-4).p_value * (two_samples.BLOCK + 1)
    assert 100 < share < two_samples.BLOCK
    assert share == pytest.approx(round(share), abs=1e-6)
