"""Do two samples of one column come from the same place? The tests, each exact or close to it, and free of warnings.

Evidently's pictures call these very functions, so that picture and decision cannot contradict each other.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

# Above this many rows on a side scipy's asymptotic p-value is as good as the exact one, and the exact one takes seconds.
EXACT_ROWS = 10_000
# Where each cell expects at least so many rows the chi-square distribution holds far into its tail; below it we draw.
EXPECTED_ROWS = 20.0
BLOCK, CALM_EXCEEDANCES = 2_000, 20
SEED = 20_260_101


class Comparison(NamedTuple):
    """Which test, how far apart the samples are (0 to 1), and how probable that is if they come from the same place."""

    method: str
    statistic: float
    p_value: float


def compare_numbers(reference: pd.Series, current: pd.Series, threshold: float = 0.0) -> Comparison:
    """Compare two samples of numbers by the two-sample Kolmogorov-Smirnov test, two-sided.

    Parameters
    ----------
    reference, current : pandas.Series of float, shapes (n,) and (m,)
        Without missing values; at least one row each.
    threshold : float
        Not needed; here, so that both comparisons are called alike.

    Returns
    -------
    Comparison
        `statistic` is the largest difference of the two distribution functions.

    Examples
    --------
    >>> calm = pd.Series(np.linspace(100, 200, 400))
    >>> compare_numbers(calm, calm + 30).p_value < 1e-6
    True
    """
    if len(reference) == len(current) == 1:
        # Two single values say nothing about each other (and scipy divides by zero).
        return Comparison("Kolmogorov-Smirnov", float(reference.iloc[0] != current.iloc[0]), 1.0)
    method: Literal["exact", "asymp"] = "exact" if max(len(reference), len(current)) <= EXACT_ROWS else "asymp"
    result = stats.ks_2samp(reference.to_list(), current.to_list(), method=method)
    return Comparison("Kolmogorov-Smirnov", float(result.statistic), float(min(result.pvalue, 1.0)))


def compare_levels(reference: pd.Series, current: pd.Series, threshold: float) -> Comparison:
    """Compare the shares of levels in two samples; a level may be missing from either.

    Two levels are compared by Fisher's exact test. More levels by Pearson's chi-square: from its distribution where each cell
    expects at least 20 rows, else from tables drawn with the same margins (51 states and 200 rows: the asymptotic
    p-value would raise false alarms). Drawing stops early once it is clear that there is nothing (Besag and Clifford 1991,
    Biometrika 78:301), and else goes on until the threshold can be reached with ten times the resolution.

    Parameters
    ----------
    reference, current : pandas.Series, shapes (n,) and (m,)
        Levels (text or 0/1), without missing values; at least one row each.
    threshold : float
        The p-value that is going to decide, in (0, 1).

    Returns
    -------
    Comparison
        `statistic` is the total variation distance: half the sum of the absolute differences of shares.

    Examples
    --------
    >>> compare_levels(pd.Series([0.0] * 99 + [1.0]), pd.Series([0.0] * 50 + [1.0] * 50), 0.01).statistic
    0.49
    """
    levels = sorted(set(reference) | set(current))
    table = np.array([side.value_counts().reindex(levels, fill_value=0).to_numpy() for side in (reference, current)])
    shares = table / table.sum(axis=1, keepdims=True)
    distance = round(float(np.abs(shares[0] - shares[1]).sum() / 2), 12)
    if len(levels) < 2:
        return Comparison("none", distance, 1.0)
    if len(levels) == 2:
        return Comparison("Fisher's exact", distance, float(min(stats.fisher_exact(table).pvalue, 1.0)))
    totals, rows = table.sum(axis=0), int(table[1].sum())
    expected = np.outer(table.sum(axis=1), totals) / table.sum()
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
        tables = rng.multivariate_hypergeometric(totals, rows, size=BLOCK, method="marginals")
        exceeding += int((((tables - expected) ** 2 / expected).sum(axis=1) >= floor).sum())
        draws += BLOCK
    return (exceeding + 1) / (draws + 1)
