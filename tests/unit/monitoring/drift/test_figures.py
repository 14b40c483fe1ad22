"""Every figure of one comparison, as it was when each was checked by the properties in test_detect.py: none may move unseen.

Window and reference are fixed, and so are the draws; a change of a formula, a share or a seed shows here, to be judged.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitoring.drift.detect import detect_drift
from monitoring.drift.profile import ReferenceProfile
from tests.unit.monitoring.fakes import CONTRACT, customers

ALPHA = 0.01
REFERENCE = customers(800, 1, plan_share=0.1)


def moved() -> pd.DataFrame:
    """A window with a fault of each kind."""
    window, rng = customers(300, 2, plan_share=0.3, minutes=190.0), np.random.default_rng(3)
    window.loc[rng.random(300) < 0.1, "minutes"] = np.nan
    window.loc[rng.random(300) < 0.5, "state"] = "S03"
    window["calls"] = window["calls"] + np.where(window["minutes"] > 190, 25, 0)
    return window


# What, how: statistic, p value, before, now, shift, impact.
FIGURES = {
    ("minutes", "dependence", "rank products"): (0.65593, 2.143e-16, 0.0214152, 0.677347, 0.655932, None),
    ("minutes", "missing", "Fisher's exact, mid-p"): (0.07, 1.046e-11, 0.0, 0.07, 0.07, None),
    ("minutes", "values", "rank scores (location)"): (0.21753, 0.0269, 176.585726, 187.293620, 10.707893, 0.176695),
    ("calls", "missing", "none"): (0.0, 1.0, 0.0, 0.0, 0.0, None),
    ("calls", "range", "Fisher's exact"): (0.0266667, 0.0007145, 0.0, 0.0266667, 0.0266667, 0.00173409),
    ("calls", "values", "rank scores (location)"): (1.1028, 5.207e-45, 99.86, 111.45, 11.59, 0.00173409),
    ("plan", "missing", "none"): (0.0, 1.0, 0.0, 0.0, 0.0, None),
    ("plan", "values", "Fisher's exact, mid-p"): (0.22375, 2.434e-16, 0.10625, 0.33, 0.22375, -0.00117156),
    ("state", "missing", "none"): (0.0, 1.0, 0.0, 0.0, 0.0, None),
    ("state", "values", "chi-square, drawn"): (0.5425, 0.0009999, 0.01625, 0.55, 0.53375, -0.0082778),
    ("churn_probability", "prediction", "rank scores (location)"): (0.23885, 0.006137, 0.11735477, 0.13757826, 0.02022349, None),
}


@pytest.mark.parametrize("parts", [1, 3])
def test_every_figure_is_as_it_was(parts: int) -> None:
    window = moved()
    given = [window.iloc[start : start + 300 // parts] for start in range(0, 300, 300 // parts)]
    report = detect_drift(ReferenceProfile.of(REFERENCE, CONTRACT), given, CONTRACT, ALPHA)
    assert (report.alpha, report.tests, report.rows, report.reference_rows) == (ALPHA, 15, 300, 800)
    assert report.p_value == pytest.approx(5.207e-45, rel=1e-3)
    found = {
        (one.feature, one.aspect, one.method): (one.statistic, one.p_value, one.reference, one.current, one.shift, one.impact)
        for one in report.results
        if (one.aspect, one.method) != ("range", "none")
    }
    assert list(found) == list(FIGURES)
    for what, figures in FIGURES.items():
        for known, expected in zip(found[what], figures, strict=True):
            assert known == (None if expected is None else pytest.approx(expected, rel=1e-3, abs=1e-12)), what
    for one in report.results:
        assert (one.drifted, one.threshold) == (one.p_value <= ALPHA, ALPHA)
    measures = {(one.feature, one.aspect): one.measure for one in report.results if one.aspect != "range"}
    assert measures["minutes", "values"] == "mean, minutes"
    assert measures["state", "values"] == "share of S03"
    assert measures["minutes", "dependence"] == "rank correlation with calls"
    ranges = [one.measure for one in report.results if one.aspect == "range"]
    assert ranges == [
        *("share below 2.55975 minutes", "share above 335.002 minutes"),
        *("share below 69", "share above 138"),
    ]


FEW_P_VALUES = {
    ("minutes", "missing"): 0.11418,
    ("minutes", "values"): 0.23122,
    ("calls", "values"): 2.5348e-08,
    ("plan", "values"): 4.5173e-05,
    ("state", "values"): 0.00082992,
    ("churn_probability", "prediction"): 0.019448,
}


def test_every_figure_of_few_rows_is_as_it_was() -> None:
    """Below 200 rows no pairs are compared, and the spread is Student's."""
    report = detect_drift(REFERENCE.head(120), moved().head(60), CONTRACT, ALPHA)
    assert (report.tests, report.rows, report.reference_rows) == (8, 60, 120)
    found = {(one.feature, one.aspect): one.p_value for one in report.results}
    assert {key: found[key] for key in FEW_P_VALUES} == pytest.approx(FEW_P_VALUES, rel=1e-3)
    assert not any(one.aspect == "dependence" for one in report.results)
