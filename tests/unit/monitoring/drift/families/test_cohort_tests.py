"""Two groups of newcomers compared by their sums: what is different is found, and chance has the p-values that it should."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitoring.drift.cohorts import CohortSums
from monitoring.drift.families import cohort_tests
from monitoring.drift.families.cohort_tests import compare_cohorts, sum_up
from monitoring.drift.profile import ReferenceProfile
from monitoring.drift.results import DriftResult
from tests.unit.monitoring.drift.small import PROFILE, SMALL, frame_of

EARLIER, BASE = frame_of(300, seed=1), frame_of(1000, seed=7)


def summed(customers: pd.DataFrame, base: pd.DataFrame = BASE) -> CohortSums:
    return sum_up(customers, base, PROFILE)


def compared(now: pd.DataFrame, earlier: pd.DataFrame = EARLIER, alpha: float = 0.01) -> dict[tuple[str, str], DriftResult]:
    report = compare_cohorts(PROFILE, summed(earlier), summed(now), alpha)
    return {(result.feature, result.aspect): result for result in report.results}


def drifted(now: pd.DataFrame, earlier: pd.DataFrame = EARLIER) -> set[tuple[str, str]]:
    return {key for key, result in compared(now, earlier).items() if result.drifted}


def as_numbers(sums: CohortSums) -> dict[str, np.ndarray]:
    return {
        name: np.concatenate([[one.present, one.total, one.per_base], *one.powers, one.base])
        for name, one in sums.numbers.items()
    }


def test_the_sums_of_parts_are_those_of_the_whole() -> None:
    frame = EARLIER.assign(minutes=EARLIER["minutes"].mask(EARLIER.index < 5), state=EARLIER["state"].mask(EARLIER.index > 290))
    whole, parts = summed(frame), summed(frame[:120]).plus(summed(frame[120:]))
    assert (whole.rows, whole.levels, whole.missing) == (parts.rows, parts.levels, parts.missing)
    assert whole.missing["minutes"] == 5
    assert whole.missing["state"] == 9
    for name, sums in as_numbers(whole).items():
        np.testing.assert_allclose(as_numbers(parts)[name], sums, atol=1e-6)


def test_newcomers_of_one_kind_do_not_drift_though_they_are_unlike_the_reference() -> None:
    young = [frame_of(150, seed).assign(minutes=lambda f: f["minutes"] / 10, plan=1.0) for seed in (2, 3)]
    assert not drifted(young[0], young[1])


def test_each_kind_of_difference_is_found_and_named() -> None:
    now = frame_of(100, seed=4)
    assert drifted(now) == set()
    assert drifted(now.assign(calls=now["calls"] + 1)) == {("calls", "values")}
    assert drifted(now.assign(plan=1.0)) == {("plan", "values")}
    assert drifted(now.assign(state="TX")) == {("state", "values")}
    assert drifted(now.assign(calls=now["calls"].mask(now.index < 30))) == {("calls", "missing")}
    assert drifted(now.assign(churn_probability=now["churn_probability"] / 2)) == {("churn_probability", "prediction")}


def test_a_result_says_both_sides_in_the_words_of_the_contract() -> None:
    now = frame_of(100, seed=4)
    found = compared(now.assign(plan=1.0, minutes=now["minutes"] + 20))
    plan, minutes = found["plan", "values"], found["minutes", "values"]
    assert (plan.measure, plan.current) == ("share of Ja", 1.0)
    assert plan.reference == pytest.approx(EARLIER["plan"].mean())
    assert (minutes.measure, minutes.shift) == (
        "mean, min",
        pytest.approx(now["minutes"].mean() + 20 - EARLIER["minutes"].mean()),
    )
    # The model's probability grows with the minutes: who uses more is expected to leave.
    assert minutes.impact is not None
    assert minutes.impact > 0.1


def test_a_column_that_the_model_ignores_is_a_note() -> None:
    now = frame_of(100, seed=4)
    report = compare_cohorts(PROFILE, summed(EARLIER), summed(now.assign(calls=now["calls"] + 2)), 0.01)
    assert [result.feature for result in report.notes] == ["calls"]
    assert not report.covariate_alarm


@pytest.mark.parametrize("new", [40, 150, 600])
def test_p_values_of_a_number_that_is_mostly_zero_are_those_of_random_division(new: int) -> None:
    rng = np.random.default_rng(5)
    values = np.where(rng.random(new + 300) < 0.05, rng.exponential(20.0, new + 300), 0.0)
    rows = pd.DataFrame({"minutes": values})
    profile = ReferenceProfile.of(rows, SMALL)
    scores = profile.numbers["minutes"].of_column(values).astype(float)
    divided = [rng.permutation(len(values)) for _ in range(4000)]
    means = np.array([scores[order[:new]].mean(axis=0) for order in divided]) - scores.mean(axis=0)
    # The division with the largest but forty means is put to the test: a p-value near .01 on one side, .02 on both.
    order = divided[np.argsort(means[:, 0])[-40]]
    now, earlier = (sum_up(rows.iloc[part], rows, profile) for part in (order[:new], order[new:]))
    _, z, skew = cohort_tests._means(earlier.numbers["minutes"], now.numbers["minutes"])
    assert np.isclose(z[0], np.quantile(means[:, 0], 0.99) / means[:, 0].std(), rtol=0.05)
    one = (values > 0)[order[:new]].sum()
    chance = float(cohort_tests.stats.pearson3.sf(z[0], skew[0]))
    assert 0.004 < chance < 0.02, one


def test_columns_that_are_absent_constant_or_empty_are_not_compared() -> None:
    now = frame_of(60, seed=3)
    assert ("minutes", "values") not in compared(now.drop(columns="minutes"))
    assert ("calls", "values") not in compared(now.assign(calls=1.0), EARLIER.assign(calls=1.0))
    assert ("plan", "values") not in compared(now.assign(plan=0.0), EARLIER.assign(plan=0.0))
    nobody = compared(now.assign(minutes=np.nan))
    assert ("minutes", "values") not in nobody
    assert nobody["minutes", "missing"].drifted


def test_sums_by_other_scores_are_not_compared() -> None:
    other = ReferenceProfile.of(EARLIER.assign(calls=(EARLIER["calls"] > 1).astype(float)), SMALL)
    report = compare_cohorts(PROFILE, sum_up(EARLIER, BASE, other), summed(frame_of(60, seed=3)), 0.01)
    assert "calls" not in {result.feature for result in report.results if result.aspect == "values"}


def test_all_tests_share_alpha() -> None:
    now = frame_of(100, seed=4)
    report = compare_cohorts(PROFILE, summed(EARLIER), summed(now), 0.01)
    # Of minutes, charge, calls and the prediction rank and value, but that both of uniform ones are the same; plan; state.
    assert report.tests == 10
    alone = compare_cohorts(PROFILE, summed(EARLIER[["plan"]]), summed(now[["plan"]]), 0.01)
    assert alone.tests == 1
    (plan,) = alone.results
    (same,) = [result for result in report.results if result.feature == "plan"]
    assert same.p_value == pytest.approx(min(1.0, 10 * plan.p_value))
    assert report.p_value == min(result.p_value for result in report.results)


def shifted(frame: pd.DataFrame, minutes: float) -> pd.DataFrame:
    return frame.assign(minutes=frame["minutes"] + minutes)


def moved(earlier: CohortSums, now: CohortSums) -> bool:
    report = compare_cohorts(PROFILE, earlier, now, 0.01)
    return any(result.drifted for result in report.results if result.feature == "minutes")


def test_what_the_whole_base_does_meanwhile_is_no_news_of_newcomers() -> None:
    now = frame_of(200, seed=4)
    assert moved(summed(EARLIER), summed(shifted(now, 25)))
    assert not moved(summed(EARLIER), summed(shifted(now, 25), shifted(BASE, 25)))
    assert moved(summed(EARLIER), summed(shifted(now, 25), shifted(BASE, 2)))
    assert moved(summed(EARLIER), summed(shifted(now, 25), shifted(BASE, -25)))


def test_a_base_that_grows_older_is_no_news_of_newcomers_either() -> None:
    assert not moved(summed(EARLIER), summed(frame_of(200, seed=4), shifted(BASE, 25)))
    assert not moved(summed(EARLIER), summed(frame_of(200, seed=4), shifted(BASE, -25)))


def test_a_small_base_is_itself_uncertain() -> None:
    now = shifted(frame_of(200, seed=4), 12)
    sure, unsure = (compare_cohorts(PROFILE, summed(EARLIER, base), summed(now, base), 0.01) for base in (BASE, BASE[:30]))
    assert unsure.p_value > 10 * sure.p_value
