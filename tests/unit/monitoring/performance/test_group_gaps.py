"""Gaps between groups in production: as large as they are, with how often chance makes them, and nothing of a few customers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.config.params import SliceParams
from churn.contract import Contract
from monitoring.performance import group_gaps as module
from monitoring.performance.group_gaps import GroupReport, compare_groups

CONTRACT = Contract.model_validate(
    {
        "name": "small",
        "columns": [
            {"name": "minutes", "source": "Minutes", "kind": "number"},
            {"name": "gender", "source": "Gender", "kind": "category", "role": "sensitive"},
            {"name": "age", "source": "Age", "kind": "number", "role": "sensitive"},
        ],
    }
)


def draw(rows: int, seed: int, *, found: tuple[float, float] = (0.5, 0.5)) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A third leaves; of women and men who do, the model names these shares, and of others a tenth."""
    rng = np.random.default_rng(seed)
    woman, left = rng.random(rows) < 0.4, rng.random(rows) < 1 / 3
    named = rng.random(rows) < np.where(left, np.where(woman, *found), 0.1)
    outcomes = pd.DataFrame({"churn_probability": np.where(named, 0.6, 0.2), "threshold": 0.4, "churned": left.astype(float)})
    return outcomes, pd.DataFrame({"gender": np.where(woman, "female", "male").astype(object)})


def compare(outcomes: pd.DataFrame, sensitive: pd.DataFrame, *measures: str, **sizes: int) -> GroupReport:
    return compare_groups(outcomes.join(sensitive), CONTRACT, SliceParams(**sizes), measures or ("recall",))  # type: ignore[arg-type]


def test_a_gap_is_the_largest_rate_minus_the_smallest() -> None:
    outcomes, sensitive = draw(2000, 1, found=(0.4, 0.7))
    report = compare(outcomes, sensitive, "recall", "selection_rate", "false_positive_rate")
    named, left = outcomes["churn_probability"] > 0.4, outcomes["churned"] == 1
    whole = pd.Series(data=True, index=outcomes.index)
    for gap, among in zip(report.gaps, (left, whole, ~left), strict=True):
        rates = named[among].groupby(sensitive["gender"][among]).mean()
        assert {one.group: one.rate for one in gap.rates} == pytest.approx(rates.to_dict())
        assert gap.gap == pytest.approx(np.ptp(rates.to_numpy()))
        assert {one.group: one.among for one in gap.rates} == sensitive["gender"][among].value_counts().to_dict()
        assert {one.group: one.customers for one in gap.rates} == sensitive["gender"].value_counts().to_dict()
    recall = report.gaps[0]
    assert (recall.column, recall.measure, recall.rates[0].group) == ("gender", "recall", "male")
    assert recall.p_value == 0.001
    assert (report.customers, report.known) == (2000, 2000)
    assert compare(outcomes, sensitive) == compare(outcomes, sensitive)


def test_where_groups_are_alike_p_values_are_as_chance_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PERMUTATIONS", 199)
    p_values = np.array([compare(*draw(400, seed)).gaps[0].p_value for seed in range(200)])
    assert 0.02 <= (p_values <= 0.1).mean() <= 0.18
    assert 0.4 <= (p_values <= 0.5).mean() <= 0.6


def test_customers_who_stand_for_others_count_as_many() -> None:
    outcomes, sensitive = draw(2000, 1)
    heavy = (sensitive["gender"] == "female") & (outcomes["churn_probability"] > 0.4)
    weighted = compare(outcomes.assign(weight=np.where(heavy, 3.0, 1.0)), sensitive).gaps[0]
    plain = {one.group: one.rate for one in compare(outcomes, sensitive).gaps[0].rates}
    rates = {one.group: one.rate for one in weighted.rates}
    assert rates == {"male": plain["male"], "female": pytest.approx(3 * plain["female"] / (1 + 2 * plain["female"]))}


def test_of_customers_who_were_not_sent_nothing_is_told() -> None:
    outcomes, sensitive = draw(2000, 1)
    sensitive.loc[sensitive.index % 4 > 0, "gender"] = None
    report = compare(outcomes, sensitive)
    assert (report.customers, report.known) == (2000, 500)
    assert sum(one.customers for one in report.gaps[0].rates) == 500
    assert compare(outcomes, sensitive.assign(gender=None)) == GroupReport(2000, 0, ())


def test_a_number_is_compared_by_quarters_and_who_lacks_it_is_a_group() -> None:
    outcomes, sensitive = draw(2000, 1)
    age = pd.Series(np.random.default_rng(1).integers(18, 90, 2000).astype(float))
    age[::10] = np.nan
    (gender, by_age) = compare(outcomes, sensitive.assign(age=age)).gaps
    assert gender.column == "gender"
    assert len(by_age.rates) == 5
    assert {one.group: one.customers for one in by_age.rates}["missing"] == 200


def test_never_fewer_than_twenty_whatever_is_asked_for() -> None:
    outcomes, sensitive = draw(300, 1)
    outcomes.loc[:15, "churned"] = np.arange(16) % 2
    sensitive.loc[:15, "gender"] = "other"
    shown = compare(outcomes, sensitive, min_rows=2, min_churners=1)
    assert {one.group for one in shown.gaps[0].rates} == {"female", "male"}
    assert "16 of 300 customers are in no slice" in " ".join(shown.notes)
    assert compare(outcomes[:40], sensitive[:40]).gaps == ()
