"""Quality by slice: harm to a tenth is found, and calm slices alarm as rarely as was asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from churn.config.params import SliceParams
from monitoring import slice_quality
from monitoring.performance.concept_drift import detect_concept_drift
from monitoring.performance.residuals import minus_logit, moments_of
from monitoring.slice_quality import SliceQuality, describe_quality, judge_slices, take_baselines
from monitoring.slicing import Slicing
from tests.unit.monitoring.grouped import CONTRACT, draw

REFERENCE = draw(3000, 1)
SLICING = Slicing.of(REFERENCE, CONTRACT, SliceParams())
BASELINES = take_baselines(REFERENCE, SLICING)


def judge(outcomes: pd.DataFrame, alpha: float = 0.01, min_customers: int = 50) -> dict[str, SliceQuality]:
    judged = judge_slices(BASELINES, outcomes, SLICING.members_of(outcomes), min_customers, alpha)
    return {f"{one.column}: {one.level}": one for one in judged}


def test_harm_to_a_tenth_is_found_and_named_where_the_whole_is_calm() -> None:
    harmed = draw(1500, 3, worse=0.2, fewer=0.15)
    assert not detect_concept_drift(REFERENCE, harmed, 0.01).alarm
    found = judge(harmed)
    assert [name for name, one in found.items() if one.alarm] == ["plan: Yes"]
    one = found["plan: Yes"]
    own = harmed[harmed["plan"] == 1]
    assert (one.rows, one.customers, one.churn_rate) == (len(own), len(own), own["churned"].mean())
    known = REFERENCE[REFERENCE["plan"] == 1]
    gap = (known["churned"] - known["churn_probability"]).mean()
    assert one.expected == pytest.approx(own["churn_probability"].mean() + gap)
    assert one.brier == pytest.approx(((own["churned"] - own["churn_probability"]) ** 2).mean())
    assert one.reference_brier == pytest.approx(((known["churned"] - known["churn_probability"]) ** 2).mean())
    assert one.log_loss == pytest.approx(log_loss(own["churned"], own["churn_probability"]))
    p, known_p = own["churn_probability"], known["churn_probability"]
    entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p)).mean()
    surprise = ((known["churned"] - known_p) * (np.log1p(-known_p) - np.log(known_p))).mean()
    assert one.expected_log_loss == pytest.approx(entropy + surprise)
    assert describe_quality(one) == f"churned {100 * one.churn_rate:.2g} % where {100 * one.expected:.2g} % was expected"


@pytest.mark.parametrize(("references", "most"), [(2, 7), pytest.param(6, 14, marks=pytest.mark.long)])
def test_calm_slices_alarm_as_rarely_as_was_asked(references: int, most: int) -> None:
    # A new reference for each few windows: how it came out is part of the chance.
    rng, alpha, alarms = np.random.default_rng(5), 0.1, 0
    for _ in range(references):
        reference = draw(2000, rng)
        slicing = Slicing.of(reference, CONTRACT, SliceParams())
        baselines = take_baselines(reference, slicing)
        for _ in range(10):
            window = draw(800, rng)
            judged = judge_slices(baselines, window, slicing.members_of(window), 50, alpha)
            assert len(judged) > 8
            alarms += any(one.alarm for one in judged)
    # At 10 %: of 20 windows 2 expected, of 60 6; 99.9 % of the time at most these.
    assert 1 <= alarms <= most


def test_the_p_value_pays_for_all_slices_but_less_than_bonferroni() -> None:
    window = draw(1500, 3, worse=0.03)
    all_of_them = judge(window)["plan: Yes"].p_value
    place = next(n for n, rule in enumerate(SLICING.rules) if (rule.column, rule.level) == ("plan", "Yes"))
    alone = judge_slices(BASELINES[place : place + 1], window, SLICING.members_of(window)[:, [place]], 50, 0.01)[0].p_value
    assert alone < all_of_them < alone * len(BASELINES)


def test_an_answer_of_one_half_weighs_nothing_in_the_loss_and_is_no_error() -> None:
    window = draw(800, 3)
    window.loc[window.index[:400], "churn_probability"] = 0.5
    found = judge(window)
    assert len(found) > 8
    assert all(0 <= one.p_value <= 1 for one in found.values())


def test_a_slice_that_was_off_on_the_reference_as_well_is_no_news() -> None:
    reference, window = draw(3000, 1, worse=0.25), draw(1500, 3, worse=0.25)
    slicing = Slicing.of(reference, CONTRACT, SliceParams())
    judged = judge_slices(take_baselines(reference, slicing), window, slicing.members_of(window), 50, 0.01)
    assert not any(one.alarm for one in judged)
    assert judge(window)["plan: Yes"].alarm


def test_a_customer_counts_once_however_often_the_same_is_said() -> None:
    few = draw(60, 8, worse=0.25)
    again = pd.concat([few.assign(customer_id=[f"c{n}" for n in range(60)])] * 20, ignore_index=True)
    assert judge(again.drop(columns="customer_id"))["plan: No"].rows == judge(again)["plan: No"].rows
    assert "plan: Yes" not in judge(again)  # a few people, not 20 times as many
    calm = [judge(pd.concat([draw(100, n).assign(customer_id=range(100))] * 20, ignore_index=True)) for n in range(12)]
    assert sum(any(one.alarm for one in found.values()) for found in calm) <= 1


def test_too_few_outcomes_are_not_judged() -> None:
    assert judge(draw(40, 3)) == {}
    certain = draw(1500, 3).assign(churn_probability=1e-5)
    assert judge(certain) == {}
    # Of 100 who leave with 1 % the variance is .99: too little.
    for rows, judged in ((100, 0), (102, 1)):
        rare = draw(rows, 3).assign(churn_probability=0.01)
        assert len(judge_slices(BASELINES[:1], rare, np.ones((rows, 1), dtype=np.bool_), 50, 0.01)) == judged


def test_a_worse_order_of_the_same_customers_is_told_as_log_loss() -> None:
    window = draw(3000, 3)
    plan = window["plan"] == 1
    rng = np.random.default_rng(0)
    window.loc[plan, "churn_probability"] = rng.permutation(window.loc[plan, "churn_probability"].to_numpy())
    window.loc[plan, "churn_probability"] = np.where(window.loc[plan, "churned"] == 1, 0.02, 0.3)
    one = judge(window)["plan: Yes"]
    assert one.alarm
    assert one.log_loss > one.expected_log_loss
    shown = SliceQuality(**{name: getattr(one, name) for name in one.__slots__} | {"question": "excess log loss"})
    assert describe_quality(shown) == f"log loss {one.log_loss:.3g} where {one.expected_log_loss:.3g} was expected"


@pytest.mark.parametrize("learned", [True, False])
def test_the_spread_is_pooled_only_where_the_model_did_not_learn_from_the_columns(
    learned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    contrast = slice_quality.contrast

    def noted(one: Any, other: Any, *, pooled: bool) -> Any:
        asked.append(pooled)
        return contrast(one, other, pooled=pooled)

    monkeypatch.setattr(slice_quality, "contrast", noted)
    window = draw(1500, 3)
    judged = judge_slices([replace(one, learned=learned) for one in BASELINES], window, SLICING.members_of(window), 50, 0.01)
    assert asked == [not learned] * 2 * len(judged)
    assert judged


def test_a_slice_scatters_at_least_as_all_customers_do() -> None:
    unsure = draw(3000, 1, worse=0.2, fewer=0.2).assign(churn_probability=lambda rows: rows["churn_probability"] / 4)
    whole = moments_of(unsure, minus_logit).scatter
    assert whole > 1.5
    baselines = take_baselines(unsure, SLICING)
    assert {one.loss.least_scatter for one in baselines} == {whole}
    assert all(one.loss.scatter >= whole for one in baselines)
    assert {one.large.least_scatter for one in baselines} == {moments_of(unsure, np.ones_like).scatter}
