"""Covariate drift: does a window look like what the model was trained on?

One look makes many tests: each feature's values, each feature's missingness, and the predicted probability. The threshold of
each is alpha divided by the number of tests (Bonferroni), so that a window without drift raises an alarm with probability at
most alpha, whatever depends on what. Holm's procedure would alarm on exactly the same windows.

A test that cannot come out otherwise (a column that is constant over reference and window together, or never missing) is
not counted. That is allowed, because every test here is valid given the pooled rows (Tarone 1990, Biometrics 46:515).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from churn.contract import Column, Contract
from monitoring.two_samples import compare_levels, compare_numbers

# The service answers what the pipeline does to 1e-9, and not to the last digit. Where many customers share one score, as with
# rules, a last digit would put all of them on one side of the reference's.
SAME_DIGITS = 9
PROBABILITY, SERVED = "churn_probability", "served_probability"
Aspect = Literal["values", "missing", "prediction"]


@dataclass(frozen=True, slots=True)
class DriftResult:
    """One comparison of the window with the reference.

    Attributes
    ----------
    aspect : {"values", "missing", "prediction"}
        What of the feature was compared: the values that are there, whether they are, or the model's answer.
    method : str
        The test, or "none" where there is nothing to compare: a constant column, or one side without values.
    statistic : float
        Distance of the two distributions, from 0 (equal) to 1: Kolmogorov-Smirnov's for numbers, total variation for levels,
        flags and missingness (for two levels: the difference of shares).
    p_value : float
        How probable such a difference (or a larger one) is without drift.
    threshold : float
        A p-value at or below it is drift.
    measure : str
        What `reference` and `current` are, with its unit: a mean, or the share of a level (the one that moved most).
    reference, current, shift : float or None
        The measure on both sides and their difference; None where a side has no values.
    """

    feature: str
    aspect: Aspect
    method: str
    statistic: float
    p_value: float
    threshold: float
    drifted: bool
    measure: str
    reference: float | None
    current: float | None
    shift: float | None


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All comparisons of one window.

    Attributes
    ----------
    alpha : float
        Chance that a window without drift has any drifted result.
    threshold : float
        Of each p-value; alpha / tests.
    tests : int
        How many comparisons could have come out either way.
    """

    alpha: float
    threshold: float
    tests: int
    rows: int
    reference_rows: int
    results: tuple[DriftResult, ...]

    @property
    def drifted(self) -> tuple[DriftResult, ...]:
        """The results that are drift, most surprising first."""
        return tuple(sorted((r for r in self.results if r.drifted), key=lambda r: (r.p_value, -r.statistic)))

    @property
    def covariate_alarm(self) -> bool:
        """Whether some feature's values or missingness drifted."""
        return any(r.aspect != "prediction" for r in self.drifted)

    @property
    def prediction_alarm(self) -> bool:
        """Whether the predicted probabilities drifted."""
        return any(r.aspect == "prediction" for r in self.drifted)

    def as_dict(self) -> dict[str, Any]:
        """Give everything, JSON-ready."""
        return asdict(self) | {"covariate_alarm": self.covariate_alarm, "prediction_alarm": self.prediction_alarm}


@dataclass(frozen=True)
class _Comparison:
    feature: str
    aspect: Aspect
    numeric: bool
    measure: str
    reference: pd.Series
    current: pd.Series

    @property
    def can_differ(self) -> bool:
        both = pd.concat([self.reference, self.current], ignore_index=True) if self.sides else self.reference.iloc[:0]
        return both.nunique() > 1

    @property
    def sides(self) -> bool:
        return not (self.reference.empty or self.current.empty)


def as_served(reference: pd.DataFrame) -> pd.DataFrame:
    """Give a reference with the answers of the very model that answers the windows, where it has them.

    Out-of-fold answers, which tell how good a model is, come from other models: with few distinct answers their steps alone
    would look like drift. References made before there were served answers keep the out-of-fold ones.
    """
    return reference.assign(**{PROBABILITY: reference[SERVED]}) if SERVED in reference else reference


def detect_drift(reference: pd.DataFrame, window: pd.DataFrame, contract: Contract, alpha: float) -> DriftReport:
    """Compare a window of predictions with the model's reference, feature by feature.

    Numbers are compared by the two-sample Kolmogorov-Smirnov test (with ties, as in counts, it errs on the calm side), flags
    and missingness by Fisher's exact test, levels (also ones the reference never had) by chi-square: see
    `monitoring.two_samples`. Missing values are left out of the comparison of values and counted in that of missingness.

    Parameters
    ----------
    reference, window : pandas.DataFrame
        Columns churn_probability and the contract's features, as in `churn.frame`. A column that is absent is not compared.
        Either may have no rows: then nothing is compared and nothing drifts.
    alpha : float
        In (0, 1): the chance of any alarm on a window without drift.

    Returns
    -------
    DriftReport
        The same for the same input: what is random inside is seeded.

    Examples
    --------
    >>> from churn.contract import load_contract
    >>> plan = pd.DataFrame({"international_plan": [0.0] * 300})
    >>> launched = pd.DataFrame({"international_plan": [0.0] * 140 + [1.0] * 60})
    >>> result = detect_drift(plan, launched, load_contract(), alpha=0.01).drifted[0]
    >>> result.feature, result.measure, result.current
    ('international_plan', 'share of Yes', 0.3)
    """
    comparisons = list(_comparisons(reference, window, contract))
    tests = sum(comparison.can_differ for comparison in comparisons)
    threshold = alpha / max(tests, 1)
    return DriftReport(
        alpha=alpha,
        threshold=threshold,
        tests=tests,
        rows=len(window),
        reference_rows=len(reference),
        results=tuple(_compare(comparison, threshold) for comparison in comparisons),
    )


def _comparisons(reference: pd.DataFrame, window: pd.DataFrame, contract: Contract) -> Iterator[_Comparison]:
    for column in contract.features:
        name = column.name
        if name not in reference or name not in window:
            continue
        numeric = column.kind in ("number", "integer")
        yield _Comparison(name, "values", numeric, _measure(column), reference[name].dropna(), window[name].dropna())
        yield _Comparison(name, "missing", False, "share missing", _absence(reference[name]), _absence(window[name]))
    if PROBABILITY in reference and PROBABILITY in window:
        before, now = (part[PROBABILITY].dropna().round(SAME_DIGITS) for part in (reference, window))
        yield _Comparison(PROBABILITY, "prediction", True, "mean", before, now)


def _absence(values: pd.Series) -> pd.Series:
    return values.isna().astype(np.float64)


def _measure(column: Column) -> str:
    if column.kind == "category":
        return "share of"
    if column.kind == "flag":
        return f"share of {column.true_level}"
    return f"mean, {column.unit}" if column.unit else "mean"


def _compare(comparison: _Comparison, threshold: float) -> DriftResult:
    reference, current, measure = comparison.reference, comparison.current, comparison.measure
    before: float | None = None
    after: float | None = None
    method, statistic, p_value = "none", 0.0, 1.0
    if comparison.sides:
        if measure == "share of":
            level = _most_moved(reference, current)
            measure = f"share of {level}"
            reference_measured, current_measured = reference == level, current == level
        else:
            reference_measured, current_measured = reference, current
        before, after = float(reference_measured.mean()), float(current_measured.mean())
    if comparison.can_differ:
        compare = compare_numbers if comparison.numeric else compare_levels
        method, statistic, p_value = compare(reference, current, threshold)
    return DriftResult(
        feature=comparison.feature,
        aspect=comparison.aspect,
        method=method,
        statistic=statistic,
        p_value=p_value,
        threshold=threshold,
        drifted=p_value <= threshold,
        measure=measure,
        reference=before,
        current=after,
        shift=None if before is None or after is None else after - before,
    )


def _most_moved(reference: pd.Series, current: pd.Series) -> str:
    moved = current.value_counts(normalize=True).sub(reference.value_counts(normalize=True), fill_value=0.0)
    return str(moved.abs().sort_index().idxmax())


def surprise(p_value: float) -> float:
    """Give -log10 of a p-value: how surprising it is, on a scale that can be drawn (0 to 300).

    Examples
    --------
    >>> surprise(0.001), surprise(0.0)
    (3.0, 300.0)
    """
    return round(-math.log10(max(p_value, 1e-300)), 9) + 0.0
