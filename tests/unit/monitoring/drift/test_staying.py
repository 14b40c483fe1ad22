"""Those who are seen again are those who stayed: that they come back to the mean is no drift, and what goes beyond it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from monitoring.drift.paired import compare_pairs
from monitoring.drift.profile import ReferenceProfile
from monitoring.drift.rank_scores import RankScores
from monitoring.drift.results import DriftReport
from monitoring.drift.staying import Staying
from tests.unit.monitoring.fakes import CONTRACT, customers

ALPHA = 0.05


def probability(minutes: pd.Series) -> pd.Series:
    return 1 / (1 + np.exp(-(minutes - 230) / 8))


def by_rules(minutes: pd.Series) -> pd.Series:
    """The same as a model of a few rules says it: most customers' answers stay what they were."""
    return 0.02 + 0.38 * (minutes > 225) + 0.55 * (minutes > 240)


Answers = Callable[[pd.Series], pd.Series]


def base(rows: int, seed: int, answers: Answers = probability) -> pd.DataFrame:
    """Customers some of whom are nearly sure to leave: with many minutes, and seven of ten with the plan."""
    drawn = customers(rows, seed, plan_share=0.2)
    rng = np.random.default_rng(seed + 10_000)
    drawn["churn_probability"] = answers(drawn["minutes"])
    left = (rng.random(rows) < drawn["churn_probability"]) | ((drawn["plan"] == 1) & (rng.random(rows) < 0.7))
    return drawn.assign(churned=left.astype(float))


def seen_again(
    seed: int, rows: int = 3000, *, more_minutes: float = 0.0, answers: Answers = probability
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Customers of whom those who leave are gone a month later, and of whose minutes eight tenths last."""
    before = base(rows, seed, answers)
    before = before[before["churned"] == 0].reset_index(drop=True)
    fresh = base(len(before), seed + 20_000)
    anew = np.random.default_rng(seed + 30_000).random(len(before)) < 0.3
    minutes = 180 + 0.8 * (before["minutes"] - 180) + 0.6 * (fresh["minutes"] - 180) + more_minutes
    after = before.assign(minutes=minutes, plan=before["plan"].where(~anew, fresh["plan"]))
    return before, after.assign(churn_probability=answers(minutes))


REFERENCE = base(4000, 1)
KNOWING = ReferenceProfile.of(REFERENCE, CONTRACT)
BY_RULES = ReferenceProfile.of(base(4000, 1, by_rules), CONTRACT)
NOT_KNOWING = ReferenceProfile.of(REFERENCE.drop(columns="churned"), CONTRACT)


def drifted(report: DriftReport) -> set[str]:
    return {result.feature for result in report.drifted}


def test_who_stays_and_comes_back_to_the_mean_rarely_alarms() -> None:
    alarms = sum(compare_pairs(KNOWING, *seen_again(seed), ALPHA).alarm for seed in range(40))
    assert alarms <= 5  # 2 expected at most; 6 and more have a chance of 1.4 % then


def test_answers_that_mostly_stay_what_they_were_come_back_as_well() -> None:
    reports = [compare_pairs(BY_RULES, *seen_again(seed, answers=by_rules), ALPHA) for seed in range(40)]
    assert sum("churn_probability" in drifted(report) for report in reports) <= 5
    moved = compare_pairs(BY_RULES, *seen_again(1, more_minutes=15, answers=by_rules), ALPHA)
    assert "churn_probability" in drifted(moved)


def test_answers_that_are_all_one_have_moved() -> None:
    before, after = seen_again(1)
    assert "churn_probability" in drifted(compare_pairs(KNOWING, before, after.assign(churn_probability=1.0), ALPHA))


def test_answers_of_customers_of_whom_nobody_is_gone_may_move_up_as_down() -> None:
    """Scored again before anybody could leave: to count moves by who stays would show a move down where there is none."""
    alarms = 0
    for seed in range(40):
        before = base(3000, seed, by_rules)
        fresh = base(3000, seed + 20_000, by_rules)
        minutes = 180 + 0.8 * (before["minutes"] - 180) + 0.6 * (fresh["minutes"] - 180)
        after = before.assign(minutes=minutes, churn_probability=by_rules(minutes))
        alarms += "churn_probability" in drifted(compare_pairs(BY_RULES, before, after, ALPHA))
    assert alarms <= 5


def test_without_known_outcomes_it_would_alarm() -> None:
    # The answers say themselves who was to leave; a plan does not.
    assert drifted(compare_pairs(NOT_KNOWING, *seen_again(1), ALPHA)) == {"plan"}


@pytest.mark.parametrize("more_minutes", [-15, 15])
def test_what_goes_beyond_it_is_found_in_both_directions(more_minutes: float) -> None:
    assert "minutes" in drifted(compare_pairs(KNOWING, *seen_again(1, more_minutes=more_minutes), ALPHA))


def test_a_plan_that_makes_leave_raises_the_risk_if_more_have_it_and_lowers_it_if_fewer_do() -> None:
    profile = ReferenceProfile.of(REFERENCE.drop(columns="churn_probability"), CONTRACT)
    before = customers(3000, 7, plan_share=0.2)
    for plan, sign in ((1.0, 1), (0.0, -1)):
        after = before.assign(plan=before["plan"].where(before.index >= 500, plan))
        (found,) = [one for one in compare_pairs(profile, before, after, ALPHA).results if one.aspect == "values"]
        assert found.feature == "plan"
        assert found.impact is not None
        assert sign * found.impact > 0


def test_who_is_seen_again_before_anybody_could_leave_is_held_to_no_comeback() -> None:
    before = customers(3000, 5)
    after = before.assign(minutes=before["minutes"] + 5)
    # Everything lasts, so that no move is one back to the mean.
    assert "minutes" in drifted(compare_pairs(KNOWING, before, after, ALPHA))


def test_the_comeback_is_all_beside_those_who_stayed() -> None:
    column = np.array([0.0, 1.0, 2.0, 3.0])
    scores = RankScores.of(column, 1)
    assert scores is not None
    frame = pd.DataFrame({"n": [*column, 3.0, np.nan], "churned": [0.0, 0.0, 0.0, 1.0, np.nan, 0.0]})
    found = Staying.of(frame, {"n": scores}, []).comeback["n"]
    expected = scores.of_column(column).mean(axis=0) - scores.of_column(column[:3]).mean(axis=0)
    assert found == pytest.approx(expected)
    assert (found > 0).all()


def test_the_odds_of_a_level_are_those_of_all_over_those_of_who_stayed() -> None:
    frame = pd.DataFrame({"plan": [1.0] * 40 + [0.0] * 60, "churned": [1.0] * 20 + [0.0] * 80})
    staying = Staying.of(frame, {}, ["plan"])
    assert staying.odds_of("plan", "1.0") == pytest.approx((40.5 / 60.5) / (20.5 / 60.5))
    assert staying.odds_of("plan", "0.0") == pytest.approx((60.5 / 40.5) / (60.5 / 20.5))
    assert staying.odds_of("plan", "nobody's") == staying.odds_of("other", "1.0") == 1.0


@pytest.mark.parametrize("outcome", [0.0, 1.0, np.nan])
def test_where_all_or_none_stayed_nothing_is_known(outcome: float) -> None:
    frame = pd.DataFrame({"plan": [1.0, 0.0], "churned": [outcome, outcome]})
    assert Staying.of(frame, {}, ["plan"]) == Staying()
    assert Staying.of(frame.drop(columns="churned"), {}, ["plan"]) == Staying()
