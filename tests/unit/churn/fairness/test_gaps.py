"""Gaps of two models between groups: beside those of Fairlearn, and what must hold of any customers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)

from churn.config.params import Gap, SliceParams
from churn.contract import Column, Contract
from churn.data.labelled import Labelled
from churn.evaluation.paired import Answers
from churn.evaluation.slices import Slice
from churn.fairness.gaps import Widening, groups_of, widenings

MEASURES: list[Gap] = ["recall", "selection_rate", "false_positive_rate"]
ORACLE = {"recall": true_positive_rate, "selection_rate": selection_rate, "false_positive_rate": false_positive_rate}
SIZES = SliceParams(min_rows=20, min_churners=5)
CONTRACT = Contract(
    name="m",
    columns=(
        Column(name="minutes", source="Minutes", kind="number"),
        Column(name="gender", source="Gender", kind="category", role="sensitive"),
        Column(name="age", source="Age", kind="integer", role="sensitive"),
    ),
)


class Customers:
    """Random customers of some groups, and what two models say of them."""

    def __init__(self, seed: int, rows: int = 600, groups: int = 3) -> None:
        rng = np.random.default_rng(seed)
        self.group = rng.integers(0, groups, rows)
        self.outcome = (rng.random(rows) < 0.2 + 0.1 * self.group / groups).astype(np.int64)
        self.first = Answers(np.clip(rng.beta(1, 3, rows) + 0.2 * self.outcome, 0, 1), 0.4)
        self.second = Answers(np.clip(self.first.probability + rng.normal(0, 0.1, rows) * self.group, 0, 1), 0.35)

    def compare(self, rows: np.ndarray | None = None, swap: bool = False, customer: bool = False) -> list[Widening]:
        rows = np.arange(len(self.outcome)) if rows is None else rows
        first, second = (Answers(said.probability[rows], said.threshold) for said in (self.first, self.second))
        group = self.group[rows]
        return widenings(
            self.outcome[rows],
            *((second, first) if swap else (first, second)),
            {"region": [Slice("region", str(number), group == number) for number in np.unique(group)]},
            MEASURES,
            confidence=0.96,
            resamples=300,
            seed=3,
            customer=rows if customer else None,
        )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("groups", [2, 5])
def test_the_gaps_and_rates_of_both_models_are_those_of_fairlearn(seed: int, groups: int) -> None:
    known = Customers(seed, 900, groups)
    found = {gap.measure: gap for gap in known.compare()}
    for place, model in enumerate((known.first, known.second)):
        said = (model.probability >= model.threshold).astype(int)
        frame = MetricFrame(metrics=ORACLE, y_true=known.outcome, y_pred=said, sensitive_features=known.group)
        for measure, gap in found.items():
            assert (gap.first, gap.second)[place] == pytest.approx(frame.difference()[measure], abs=1e-12)
            assert [rate[place] for rate in gap.rates.values()] == pytest.approx(frame.by_group[measure].tolist(), abs=1e-12)
        gaps = {measure: (gap.first, gap.second)[place] for measure, gap in found.items()}
        asked = {"y_true": known.outcome, "y_pred": said, "sensitive_features": known.group}
        assert gaps["selection_rate"] == pytest.approx(demographic_parity_difference(**asked), abs=1e-12)
        assert gaps["recall"] == pytest.approx(equal_opportunity_difference(**asked), abs=1e-12)
        assert max(gaps["recall"], gaps["false_positive_rate"]) == pytest.approx(equalized_odds_difference(**asked), abs=1e-12)


def test_repeated_rows_count_as_fairlearns_sample_weights() -> None:
    known = Customers(1)
    weight = np.random.default_rng(1).integers(1, 5, len(known.outcome))
    [recall, *_] = known.compare(np.repeat(np.arange(len(weight)), weight), customer=True)
    for gap, model in ((recall.first, known.first), (recall.second, known.second)):
        said = (model.probability >= model.threshold).astype(int)
        oracle = equal_opportunity_difference(known.outcome, said, sensitive_features=known.group, sample_weight=weight)
        assert gap == pytest.approx(oracle, abs=1e-12)


def test_a_customer_with_many_rows_is_one_where_chance_is_judged() -> None:
    known = Customers(2)
    assert known.compare(np.repeat(np.arange(600), 7), customer=True) == known.compare()
    as_rows = known.compare(np.repeat(np.arange(600), 7))
    assert all(gap.high - gap.low < 0.6 * (one.high - one.low) for gap, one in zip(as_rows, known.compare(), strict=True))


def test_the_order_of_rows_decides_nothing() -> None:
    known = Customers(4)
    assert known.compare(np.random.default_rng(0).permutation(600)) == known.compare()


def test_the_same_answers_widen_nothing_at_all() -> None:
    known = Customers(5)
    known.second = known.first
    assert [(gap.change, gap.low, gap.high) for gap in known.compare()] == [(0.0, 0.0, 0.0)] * 3


def test_what_one_model_widens_the_other_narrows() -> None:
    known = Customers(6)
    for gap, back in zip(known.compare(), known.compare(swap=True), strict=True):
        assert (gap.change, gap.first, gap.second) == (-back.change, back.second, back.first)
        assert gap.low == pytest.approx(-back.high, abs=0.02)


def test_the_bounds_are_those_of_resampled_customers() -> None:
    """Drawn by kinds of customers: the same distribution as drawing customers one by one."""
    known = Customers(7, 300)
    rng = np.random.default_rng(0)
    drawn = [[gap.change for gap in known.compare(rng.integers(0, 300, 300))] for _ in range(400)]
    # Of three gaps, each bound has a third of the 4 %.
    for gap, low, high in zip(known.compare(), *np.quantile(drawn, [0.04 / 3, 1 - 0.04 / 3], axis=0), strict=True):
        assert (gap.low, gap.high) == pytest.approx((low, high), abs=0.06)


def test_a_group_that_is_not_drawn_leaves_the_others_bounds_known() -> None:
    rows = np.arange(60)
    few = Slice("g", "few", rows < 1)
    groups = {"g": [few, Slice("g", "many", rows >= 1)]}
    said = Answers(np.where(rows % 3, 0.9, 0.1), 0.5)
    [gap] = widenings(np.ones(60, np.int64), said, said, groups, ["recall"], confidence=0.9, resamples=200, seed=0)
    assert (gap.low, gap.high) == (0.0, 0.0)


def labelled(sensitive: pd.DataFrame | None, rows: int = 200) -> Labelled:
    return Labelled(pd.DataFrame(index=range(rows)), pd.Series(np.arange(rows) % 2), sensitive)


def test_groups_are_the_scorecards_and_each_column_without_any_says_why() -> None:
    gender = np.where(np.arange(200) < 90, "f", "m")
    groups, notes = groups_of(labelled(pd.DataFrame({"gender": gender})), CONTRACT, SIZES)
    assert {column: [part.level for part in parts] for column, parts in groups.items()} == {"gender": ["f", "m"]}
    assert notes == ["age: not known of these customers"]
    assert groups_of(labelled(None), CONTRACT, SIZES) == (
        {},
        ["gender: not known of these customers", "age: not known of these customers"],
    )


@pytest.mark.parametrize(
    ("gender", "said"),
    [
        (["f"] * 200, "gender: every customer is 'f', so there are no groups to compare"),
        ([None] * 200, "gender: every customer is 'missing', so there are no groups to compare"),
        (["f"] * 190 + ["m"] * 10, "gender: 10 of 200 customers are in no slice; it takes 20 customers, 5 who churned"),
        ([str(number) for number in range(200)], "gender: 200 of 200 customers are in no slice"),
    ],
    ids=["one level", "all missing", "a group too small", "everybody alone"],
)
def test_no_groups_is_said_and_not_judged(gender: list[str | None], said: str) -> None:
    groups, notes = groups_of(labelled(pd.DataFrame({"gender": gender, "age": [30.0] * 200})), CONTRACT, SIZES)
    assert groups == {}
    assert notes[0].startswith(said)
