from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from monitoring.drift.families import level_tests
from monitoring.drift.families.level_tests import compare_levels


def levels(*counts: int) -> dict[str, int]:
    return {f"L{n:02}": count for n, count in enumerate(counts) if count}


def test_two_levels_of_few_rows_are_compared_by_fishers_exact_test():
    result = compare_levels(levels(30, 1), levels(30, 6), 0.01)
    assert result.method == "Fisher's exact"
    assert result.p_value == pytest.approx(stats.fisher_exact([[30, 1], [30, 6]]).pvalue)


def test_of_more_rows_the_table_that_was_seen_counts_half():
    result = compare_levels(levels(95, 5), levels(80, 20), 0.01)
    seen = stats.hypergeom.pmf(20, 200, 25, 100)
    assert result.method == "Fisher's exact, mid-p"
    assert result.p_value == pytest.approx(stats.fisher_exact([[95, 5], [80, 20]]).pvalue - seen / 2)
    assert result.statistic == pytest.approx(0.15)


@pytest.mark.parametrize(("share", "before", "now"), [(0.1, 1_000, 60), (0.3, 200, 50), (0.05, 2_000, 200)])
def test_mid_p_values_keep_their_level(share, before, now):
    """The level over all tables, exactly: each is as likely as chance makes it."""
    known, seen = (np.arange(n + 1) for n in (before, now))
    likely = [k for k in known if stats.binom.pmf(k, before, share) > 1e-4]
    counted = [k for k in seen if stats.binom.pmf(k, now, share) > 1e-5]
    level = sum(
        stats.binom.pmf(a, before, share) * stats.binom.pmf(b, now, share)
        for a in likely[:: max(1, len(likely) // 12)]
        for b in counted
        if compare_levels(levels(before - a, a), levels(now - b, b), 0.01).p_value <= 0.01
    )
    weight = sum(stats.binom.pmf(a, before, share) for a in likely[:: max(1, len(likely) // 12)])
    assert level / weight <= 0.0125


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
    new = levels(*[4] * 40) | {"new": 80}
    assert compare_levels(levels(*[30] * 40), new, threshold).p_value < threshold / 5


def test_drawing_gives_the_same_each_time():
    a, b = levels(*[30] * 40), levels(*range(1, 41))
    assert compare_levels(a, b, 0.001) == compare_levels(a, b, 0.001)


def test_where_little_exceeds_it_is_drawn_as_often_as_the_threshold_needs():
    new = levels(*[1] * 10, *[4] * 20, *[10] * 10)
    for threshold, draws in ((0.01, level_tests.BLOCK), (1e-3, 10_000)):
        share = compare_levels(levels(*[30] * 40), new, threshold).p_value * (draws + 1)
        assert share == pytest.approx(round(share), abs=1e-6)
        assert 1 <= share < draws / 200


def test_one_level_cannot_be_compared():
    assert compare_levels(levels(5), levels(50), 0.01).p_value == 1.0


def test_a_drawn_p_value_is_never_zero():
    # Zero would pass any threshold, however small: more than a finite number of draws can say.
    p_value = compare_levels(levels(*[30] * 40), {"new": 80}, 0.001).p_value
    assert p_value == pytest.approx(1 / 10_001)


def test_drawing_stops_early_where_there_is_nothing():
    # The denominator of the p-value tells how many tables were drawn: one block, where the threshold alone asks for 100,000.
    calm = levels(*np.random.default_rng(5).multinomial(160, [1 / 40] * 40).tolist())
    share = compare_levels(levels(*[30] * 40), calm, 1e-4).p_value * (level_tests.FIRST_BLOCKS + 1)
    assert 20 < share < level_tests.FIRST_BLOCKS
    assert share == pytest.approx(round(share), abs=1e-6)


def test_many_rows_of_two_levels_need_no_exact_count():
    result = compare_levels({"no": 990_000, "yes": 10_000}, {"no": 985_000, "yes": 15_000}, 0.01)
    assert (result.method, result.p_value) == ("chi-square", pytest.approx(0.0, abs=1e-100))
