"""Every figure of one window's outcomes, as it was when each was checked by the properties in the files beside this one.

Rows and draws are fixed: a change of a formula, of a number of draws or of a seed shows here, to be judged.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn.config.params import ProfitParams
from monitoring.performance import metrics
from monitoring.performance.comparison import PerformanceComparison, compare_performance
from monitoring.performance.concept_drift import _test, detect_concept_drift
from monitoring.performance.cusum_calibration import calibrate, resume
from monitoring.performance.estimation import Estimate
from monitoring.performance.metrics import Performance
from monitoring.performance.residuals import Contrast
from tests.unit.monitoring.fakes import customers

COLUMNS = ["churn_probability", "churned"]
REFERENCE = customers(800, 1, plan_share=0.1)[COLUMNS]


def worse() -> pd.DataFrame:
    """Customers who leave nearly twice as often as the model says."""
    window = customers(300, 2)
    leaves = np.clip(window["churn_probability"] * 1.8, 0, 1)
    return window.assign(churned=(np.random.default_rng(5).random(300) < leaves).astype(float))[COLUMNS]


def near(expected: Any) -> Any:
    if isinstance(expected, dict):
        return {name: near(value) for name, value in expected.items()}
    return pytest.approx(expected, rel=1e-4, abs=1e-9) if isinstance(expected, float | tuple) else expected


@pytest.fixture(scope="module")
def compared() -> PerformanceComparison:
    rows = worse()
    return compare_performance(REFERENCE, rows, rows[:250], 0.3, ProfitParams())


def test_the_realized_figures_of_a_window_stay_what_they_are(compared: PerformanceComparison) -> None:
    assert isinstance(compared.realized, Performance)
    assert asdict(compared.realized) == near(
        {
            "rows": 300,
            "churn_rate": 0.2366667,
            "mean_probability": 0.1203822,
            "calibration_in_the_large": 0.1162845,
            "roc_auc": 0.7632696,
            "pr_auc": 0.5791321,
            "brier": 0.1676090,
            "log_loss": 0.5199126,
            "profit": 2.0933333,
            "intervals": {
                "roc_auc": (0.7031113, 0.8263695),
                "pr_auc": (0.5075318, 0.6935005),
                "brier": (0.1315633, 0.2022803),
                "log_loss": (0.4150419, 0.6133145),
                "calibration_in_the_large": (0.0668255, 0.1626245),
                "profit": (0.8400221, 3.3466446),
            },
        }
    )
    assert compared.reference is not None
    assert compared.reference.rows == 800
    assert compared.reference.brier == pytest.approx(0.1043627, rel=1e-5)
    assert compared.gaps == ("brier", "churn_rate", "profit")
    assert compared.currency == "USD"


def test_the_estimated_figures_of_a_window_stay_what_they_are(compared: PerformanceComparison) -> None:
    assert isinstance(compared.estimated, Estimate)
    assert asdict(compared.estimated) == near(
        {
            "rows": 250,
            "roc_auc": 0.7175687,
            "brier": 0.1051852,
            "churn_rate": 0.132,
            "profit": 0.724,
            "intervals": {
                "roc_auc": (0.6043984, 0.7979038),
                "brier": (0.0812180, 0.1405777),
                "churn_rate": (0.096, 0.18),
                "profit": (-0.08, 1.796),
            },
        }
    )


def test_intervals_of_many_rows_are_those_of_a_sample_narrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MAX_RESAMPLED", 200)
    rows = worse()
    assert metrics._intervals(rows["churned"].to_numpy(), rows["churn_probability"].to_numpy()) == near(
        {
            "roc_auc": (0.7000801, 0.8304064),
            "pr_auc": (0.4759571, 0.7007322),
            "brier": (0.1385509, 0.1998493),
            "log_loss": (0.4356834, 0.6139430),
            "calibration_in_the_large": (0.0797482, 0.1613219),
        }
    )


def test_the_tests_of_concept_drift() -> None:
    found = detect_concept_drift(REFERENCE, worse(), 0.01)
    assert (found.alpha, found.rows, found.reference_rows) == (0.01, 300, 800)
    known = [
        (one.question, one.effect, one.standard_error, one.z, one.p_value, one.threshold, one.violated) for one in found.tests
    ]
    for one, expected in zip(
        known,
        [
            ("calibration in the large", 0.1048893, 0.0219792, 4.7722000, 5.2046e-06, 0.005, True),
            ("excess log loss", 0.1629665, 0.0438178, 3.7191822, 2.08679e-04, 0.005, True),
        ],
        strict=True,
    ):
        assert one[0] == expected[0]
        assert one[1:6] == near(expected[1:6])
        assert one[6] is expected[6]


@pytest.mark.parametrize(("p_value", "violated"), [(0.004, True), (0.005, True), (0.0051, False)])
def test_a_p_value_at_its_threshold_is_a_violation(p_value: float, violated: bool) -> None:
    contrast = Contrast(effect=0.1, variance=0.01, third_moment=0.0)
    assert _test("excess log loss", contrast, p_value, 0.005).violated is violated


def test_the_stream_of_outcomes() -> None:
    found = asdict(resume(None, REFERENCE.head(300), worse(), false_alarm_rate=0.01))
    state = found.pop("state")
    assert found == near(
        {
            "alarm": False,
            "statistic": 20.600342,
            "threshold": 49.605163,
            "kind": "more leave than expected",
            "seen": 300,
            "change_point": 4,
            "alarmed_at": None,
            "false_alarm_rate": 0.05,
            "horizon": 5000,
            "calibrated_threshold": 49.605163,
            "mixed": False,
        }
    )
    assert state["sums"] == near((14.705659, 20.600342, 0.0, 0.0, 0.0, 0.0))
    assert (state["last_zero"], state["seen"]) == ((4, 4, 300, 300, 300, 300), 300)


def test_a_threshold_is_calibrated_by_as_many_streams_as_was_asked() -> None:
    assert calibrate(REFERENCE, false_alarm_rate=0.05, simulations=50).threshold == pytest.approx(29.858362, rel=1e-5)
