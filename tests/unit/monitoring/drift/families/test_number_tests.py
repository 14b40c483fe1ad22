from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitoring.drift.families.number_tests import compare_numbers
from monitoring.drift.null_distribution import MaxDistribution
from monitoring.drift.results import DriftResult
from tests.unit.monitoring.drift.small import REFERENCE, frame_of, sides_of

NULL = MaxDistribution.of(np.abs(np.random.default_rng(0).standard_normal((4_000, 10))).max(axis=1))
NULLS = {"location": NULL, "shape": NULL}


def compare(
    window: pd.DataFrame, location: float = 1.0, shape: float = 1.0, nulls: dict[str, MaxDistribution] = NULLS
) -> dict[str, DriftResult]:
    found = list(compare_numbers(sides_of(window), nulls, {"location": location, "shape": shape}))
    return {one.feature: one for one in found}


def test_every_number_and_the_answer_has_a_result() -> None:
    found = compare(frame_of(200, seed=1))
    assert list(found) == ["minutes", "charge", "calls", "churn_probability"]
    assert {name: (one.aspect, one.measure) for name, one in found.items()} == {
        "minutes": ("values", "mean, min"),
        "charge": ("values", "mean"),
        "calls": ("values", "mean"),
        "churn_probability": ("prediction", "mean"),
    }
    assert not any(one.drifted for one in found.values())
    window = frame_of(200, seed=1)
    assert found["minutes"].reference == pytest.approx(REFERENCE["minutes"].mean())
    assert found["minutes"].current == pytest.approx(window["minutes"].mean())


def test_a_move_is_one_of_location_and_a_wider_spread_one_of_shape() -> None:
    window = frame_of(300, seed=1)
    window["minutes"] = window["minutes"] * 0.5 + 50
    window["charge"] = np.where(window["charge"] > 25, 50.0, 0.0)
    found = compare(window)
    assert (found["minutes"].method, found["minutes"].drifted) == ("rank scores (location)", True)
    assert (found["charge"].method, found["charge"].drifted) == ("rank scores (shape)", True)
    assert not found["calls"].drifted
    assert found["minutes"].statistic > 0.5


def test_the_family_with_a_smaller_share_has_the_larger_p_value() -> None:
    window = frame_of(200, seed=3)
    whole, half = compare(window), compare(window, 0.5, 0.5)
    for name in whole:
        assert half[name].p_value == pytest.approx(min(1.0, 2 * whole[name].p_value))
    assert compare(window, location=1e-9)["minutes"].method == "rank scores (shape)"
    assert compare(window, shape=1e-9)["minutes"].method == "rank scores (location)"


def test_missing_values_are_no_part_of_the_mean() -> None:
    window = frame_of(200, seed=1)
    window.loc[::2, "minutes"] = np.nan
    found = compare(window)["minutes"]
    assert found.current == pytest.approx(window["minutes"].mean())
    assert not found.drifted


def test_nothing_to_compare_is_no_test() -> None:
    found = compare(frame_of(50).assign(minutes=np.nan).drop(columns="charge"))
    assert "charge" not in found
    assert (found["minutes"].method, found["minutes"].p_value, found["minutes"].current) == ("none", 1.0, None)
    without = compare(frame_of(50), nulls={})
    assert {one.method for one in without.values()} == {"none"}
