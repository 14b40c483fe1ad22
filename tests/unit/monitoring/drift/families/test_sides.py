from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from monitoring.drift.families.sides import MANY_ROWS, Sides
from tests.unit.monitoring.drift.small import PROFILE, REFERENCE, frame_of, sides_of


def test_both_sides_know_their_columns() -> None:
    window = frame_of(50, seed=1).drop(columns="charge").assign(calls=np.nan, stranger=1.0)
    sides = sides_of(window)
    assert list(sides.columns) == ["minutes", "charge", "calls", "plan", "state"]
    assert sides.known == {"minutes", "calls", "plan", "state", "churn_probability"}
    assert sides.absent == {"charge", "calls"}
    assert sides_of(REFERENCE).absent == set()
    assert sides.reference is PROFILE.sums
    assert sides.score_owners.tolist() == list(PROFILE.score_columns)


def test_there_is_something_to_compare_where_both_have_rows() -> None:
    assert sides_of(REFERENCE.iloc[:1]).has_rows
    assert not sides_of(REFERENCE.iloc[:0]).has_rows
    nobody = replace(PROFILE, sums=PROFILE.summarise([REFERENCE.iloc[:0]]))
    assert not sides_of(REFERENCE, profile=nobody).has_rows


def with_rows(rows: int) -> Sides:
    return sides_of(REFERENCE, profile=replace(PROFILE, sums=replace(PROFILE.sums, rows=rows)))


def test_few_rows_of_a_reference_make_a_difference_less_surprising() -> None:
    z = np.array([0.0, 1.0, 3.0, 6.0])
    assert with_rows(MANY_ROWS).as_normal(z) is z
    counted = with_rows(MANY_ROWS - 1).as_normal(z)
    assert np.all(counted[1:] < z[1:])
    assert counted == pytest.approx(z, rel=0.01, abs=1e-9)
    few = with_rows(20).as_normal(z)
    assert stats.norm.sf(few) == pytest.approx(stats.t.sf(z, 10))
    assert stats.norm.sf(with_rows(1).as_normal(z)) == pytest.approx(stats.t.sf(z, 1))


@pytest.mark.parametrize(("p_value", "drifted"), [(0.0099, True), (0.01, True), (0.0101, False)])
def test_a_result_is_drift_at_alpha_or_below(p_value: float, drifted: bool) -> None:
    made = sides_of(REFERENCE, 0.01).result(
        "calls", "dependence", "m", statistic=2, p_value=p_value, measure="mean", values=(1.0, 3.5), other="plan"
    )
    assert (made.drifted, made.threshold, made.p_value) == (drifted, 0.01, p_value)
    assert (made.feature, made.aspect, made.method, made.measure, made.other) == ("calls", "dependence", "m", "mean", "plan")
    assert (made.reference, made.current, made.shift, made.statistic) == (1.0, 3.5, 2.5, 2.0)
    assert (made.impact, made.note) == (None, False)
    for values in ((None, 1.0), (1.0, None)):
        missing = sides_of(REFERENCE).result("calls", "values", "m", statistic=0, p_value=1, measure="mean", values=values)
        assert missing.shift is None


def test_a_result_holds_plain_numbers_whatever_it_is_made_of() -> None:
    """What a run remembers of it says whether it rises, and goes into JSON, which holds no number of NumPy's."""
    numbers = np.array([0.001, 0.5, 0.75])
    made = sides_of(REFERENCE).result(
        "calls", "slice", "m", statistic=numbers[1], p_value=numbers[0], measure="share", values=(numbers[1], numbers[2])
    )
    plain = (made.statistic, made.p_value, made.drifted, made.reference, made.current, made.shift)
    assert [type(value) for value in plain] == [float, float, bool, float, float, float]
