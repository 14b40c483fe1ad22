"""Do two samples of levels come from the same place? The tests, each exact or close to it, and free of warnings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

# Where each cell of two levels expects at least so many rows the chi-square is as good as Fisher's test, and at once.
ASYMPTOTIC_ROWS = 500.0
# Where each cell expects at least so many rows the table that was seen counts half: then Fisher's test keeps its level on average
# instead of staying below it (Lancaster 1961, JASA 56:223).
MID_ROWS = 5.0
# Where each cell expects at least so many rows the chi-square distribution holds far into its tail; below it we draw.
EXPECTED_ROWS = 20.0
# Drawn at a time, before anybody asks whether it is clear that there is nothing: most often it is at once.
FIRST_BLOCKS, BLOCK, CALM_EXCEEDANCES = 250, 2_000, 20
SEED = 20_260_101


class Comparison(NamedTuple):
    """Which test, how far apart the samples are (0 to 1), and how probable that is if they come from the same place."""

    method: str
    statistic: float
    p_value: float


def compare_levels(reference: Mapping[str, int], current: Mapping[str, int], threshold: float) -> Comparison:
    """Compare the shares of levels in two samples; a level may be missing from either.

    Two levels are compared by Fisher's exact test (by its mid-p-value where each cell expects at least 5 rows). More levels by
    Pearson's chi-square: from its distribution where each cell expects at least 20 rows, else from tables drawn with the same
    margins (51 states and 200 rows: the asymptotic p-value would raise false alarms). Drawing stops early once it is clear that
    there is nothing (Besag and Clifford 1991, Biometrika 78:301), and else goes on until the threshold can be reached with ten
    times the resolution.

    Parameters
    ----------
    reference, current : mapping of str to int
        Rows by level, missing values left out; at least one row each.
    threshold : float
        The p-value that is going to decide, in (0, 1).

    Returns
    -------
    Comparison
        `statistic` is the total variation distance: half the sum of the absolute differences of shares.

    Examples
    --------
    >>> compare_levels({"No": 99, "Yes": 1}, {"No": 50, "Yes": 50}, 0.01).statistic
    0.49
    """
    levels = sorted(set(reference) | set(current))
    table = np.array([[side.get(level, 0) for level in levels] for side in (reference, current)], dtype=np.int64)
    shares = table / table.sum(axis=1, keepdims=True)
    distance = round(float(np.abs(shares[0] - shares[1]).sum() / 2), 12)
    if len(levels) < 2:
        return Comparison("none", distance, 1.0)
    totals, rows = table.sum(axis=0), int(table[1].sum())
    expected = np.outer(table.sum(axis=1), totals) / table.sum()
    if len(levels) == 2 and expected.min() < ASYMPTOTIC_ROWS:
        p_value = float(min(stats.fisher_exact(table).pvalue, 1.0))
        if expected.min() < MID_ROWS:
            return Comparison("Fisher's exact", distance, p_value)
        chance = float(stats.hypergeom.pmf(table[1, 1], table.sum(), totals[1], rows))
        return Comparison("Fisher's exact, mid-p", distance, p_value - chance / 2)
    if expected.min() >= EXPECTED_ROWS:
        chi2 = float(((table - expected) ** 2 / expected).sum())
        return Comparison("chi-square", distance, float(stats.chi2.sf(chi2, len(levels) - 1)))
    return Comparison("chi-square, drawn", distance, _drawn_p_value(table[1], totals, rows, expected[1], threshold))


def _drawn_p_value(observed: np.ndarray, totals: np.ndarray, rows: int, expected: np.ndarray, threshold: float) -> float:
    # With both margins fixed the chi-square of the table grows and falls with that of the window's row alone.
    floor = ((observed - expected) ** 2 / expected).sum() * (1 - 1e-12)
    rng = np.random.default_rng(SEED)
    draws, exceeding, wanted = 0, 0, max(BLOCK, math.ceil(10 / threshold))
    while draws < wanted and exceeding < CALM_EXCEEDANCES:
        block = FIRST_BLOCKS if draws < BLOCK else BLOCK
        tables = rng.multivariate_hypergeometric(totals, rows, size=block, method="marginals")
        exceeding += int((((tables - expected) ** 2 / expected).sum(axis=1) >= floor).sum())
        draws += block
    return (exceeding + 1) / (draws + 1)
