"""The gate's check of gaps between groups: what it refuses, what it does not, and on whom it judges."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn.config.params import FairnessParams, GateParams, Params
from churn.contract import Column, Contract
from churn.data.labelled import Labelled
from churn.evaluation.paired import Answers
from churn.evaluation.slices import Slice
from churn.lifecycle.gap_check import NAME, no_gap_widens
from churn.lifecycle.gate import decide
from churn.lifecycle.gate_checks import Check
from tests.unit.churn.lifecycle.test_gate import CHALLENGER, CHAMPION, judged, model

GATE = GateParams(resamples=300)
TRUTH = Column(name="truth", source="Truth", kind="number")
GENDER = Column(name="gender", source="Gender", kind="category", role="sensitive")
PLAIN, FAIR = Contract(name="m", columns=(TRUTH,)), Contract(name="m", columns=(TRUTH, GENDER))
PARAMS = Params(gate=GATE)


def check(widened_by: float, rows: int = 1000, champion: bool = True, limit: float = 0.05, **more: Any) -> Check:
    """Judge a challenger who overlooks so many more of the first group's churners than the champion does."""
    number = np.arange(rows)
    woman, outcome = number % 2 == 0, (number // 2 % 2).astype(np.int64)
    # Of every 40 rows, 10 are women who churned: the champion names all of them.
    overlooked = woman & (outcome == 1) & (number // 4 % 10 < round(10 * widened_by))
    return no_gap_widens(
        outcome,
        Answers(np.full(rows, 0.9), 0.5) if champion else None,
        Answers(np.where(overlooked, 0.1, 0.9), 0.5),
        {"gender": [Slice("gender", "f", woman), Slice("gender", "m", ~woman)]},
        [],
        FairnessParams(margin=limit),
        GATE,
        1,
        **more,
    )


@pytest.mark.parametrize(
    ("widened_by", "rows", "limit", "passed"),
    [(0.1, 1000, 0.05, False), (0.1, 1000, 0.15, True), (0.1, 40, 0.05, True), (0.0, 1000, 0.0, True)],
    ids=["wider, beyond chance", "within the margin", "within chance", "the same"],
)
def test_a_gap_counts_beyond_the_margin_and_beyond_chance(widened_by: float, rows: int, limit: float, passed: bool) -> None:
    found = check(widened_by, rows, limit=limit)
    assert (found.passed, found.value, found.limit) == (passed, pytest.approx(widened_by), limit)


def test_rows_of_few_customers_are_no_evidence() -> None:
    assert not check(0.1, 1000).passed
    assert check(0.1, 1000, customer=np.arange(1000) % 40).passed


def test_a_failure_says_which_gap_and_for_whom() -> None:
    said = check(0.2).sentence
    assert said.startswith(
        "gaps between groups widen by more than 0.05, beyond chance: recall by gender from 0.000 to 0.200 (+0.200 ["
    )
    assert said.endswith(", now 0.800 for f and 1.000 for m")


def test_a_first_model_has_nothing_to_be_wider_than_and_its_gaps_are_told() -> None:
    found = check(0.3, champion=False)
    assert (found.passed, found.value) == (True, None)
    assert found.sentence == "no champion to compare the gaps between groups with: recall by gender 0.300"
    assert found.detail["gaps"] == [
        {"column": "gender", "measure": "recall", "second": pytest.approx(0.3), "rates": {"f": pytest.approx(0.7), "m": 1.0}}
    ]


def test_equals_are_refused_no_more_often_than_the_setting_says() -> None:
    rng, refused = np.random.default_rng(5), 0
    for seed in range(200):
        y, group = (rng.random(400) < 0.4).astype(np.int64), rng.integers(0, 2, (4, 400)) == 0
        both = rng.normal(y, 1.0)
        old, new = (Answers(both + rng.normal(0, 0.7, 400), 0.5) for _ in range(2))
        groups = {str(n): [Slice(str(n), "a", rows), Slice(str(n), "b", ~rows)] for n, rows in enumerate(group)}
        refused += not no_gap_widens(y, old, new, groups, [], FairnessParams(margin=0.0), GATE, seed).passed
    # With no margin at all, and four columns: 4 % of 200 is 8, give or take 2.8.
    assert refused <= 16


def fresh_customers(rows: int = 1500, gender: Any = None) -> Labelled:
    """The challenger is better than the champion, and names nobody of those women whom it finds least sure."""
    fresh = judged(rows, 1, new=0.1, old=0.8)
    woman = np.arange(rows) % 2 == 0
    new = np.where(woman, 0.55 * fresh.features["new"], fresh.features["new"])
    known = pd.DataFrame({"gender": np.where(woman, "f", "m") if gender is None else gender})
    return replace(fresh, features=fresh.features.assign(new=new), sensitive=known)


def test_the_gate_refuses_a_better_model_that_finds_fewer_of_one_group() -> None:
    lenient = GATE.model_copy(update={"max_calibration_error": 1.0, "max_calibration_bias": 1.0, "max_slice_loss": 9.0})
    new, old = model("new", threshold=0.3), model("old", version="3", threshold=0.3)
    lenient_params = Params(gate=lenient)
    decision = decide(new, old, fresh_customers(), lenient_params, FAIR, serving=None)
    assert [name for name, found in decision.evidence["checks"].items() if not found["passed"]] == [NAME]
    assert "recall by gender" in decision.reason
    assert decision.evidence["params"]["fairness"] == lenient_params.fairness.model_dump()
    json.dumps(decision.evidence, allow_nan=False)
    assert decide(new, old, fresh_customers(), lenient_params, PLAIN, serving=None).promote


def test_without_sensitive_columns_the_decision_is_what_it_was() -> None:
    fresh = fresh_customers()
    other = PARAMS.model_copy(update={"fairness": FairnessParams(gaps=["selection_rate"], margin=0.0)})
    plain = decide(CHALLENGER, CHAMPION, fresh, PARAMS, PLAIN, serving=None)
    assert plain == decide(CHALLENGER, CHAMPION, fresh, other, PLAIN, serving=None, holdout=fresh)
    assert NAME not in plain.evidence["checks"]


def found_for(fresh: Labelled, holdout: Labelled | None = None) -> dict[str, Any]:
    return dict(decide(CHALLENGER, CHAMPION, fresh, PARAMS, FAIR, serving=None, holdout=holdout).evidence["checks"][NAME])


def test_traffic_is_judged_by_the_holdout_whose_groups_are_known() -> None:
    fresh, held = fresh_customers(), fresh_customers(900)
    traffic = replace(fresh, sensitive=None)
    found = found_for(traffic, held)
    assert found["detail"]["gaps"] == found_for(held)["detail"]["gaps"] != found_for(fresh)["detail"]["gaps"]
    assert "900 customers of the holdout, since traffic has no sensitive columns" in found["sentence"]
    assert found_for(fresh, held) == found_for(fresh)


@pytest.mark.parametrize("held", [None, replace(fresh_customers(), sensitive=None)], ids=["no holdout", "nothing known of it"])
def test_customers_of_whom_nothing_is_known_are_not_judged_and_it_says_so(held: Labelled | None) -> None:
    found = found_for(replace(fresh_customers(), sensitive=None), held)
    assert (found["passed"], found["value"]) == (True, None)
    assert found["sentence"] == "no gap between groups could be judged (gender: not known of these customers)"


@pytest.mark.parametrize(
    ("gender", "said"),
    [
        (["f"] * 1500, "every customer is 'f', so there are no groups to compare"),
        ([None] * 1500, "every customer is 'missing', so there are no groups to compare"),
        (["f"] * 1480 + ["m"] * 20, "20 of 1,500 customers are in no slice"),
    ],
    ids=["one level", "all missing", "a group too small"],
)
def test_no_groups_are_not_judged_and_it_says_why(gender: list[str | None], said: str) -> None:
    found = found_for(fresh_customers(gender=gender))
    assert (found["passed"], found["value"]) == (True, None)
    assert said in found["sentence"]


def test_a_group_that_no_training_had_is_judged_as_any() -> None:
    # No model knows the groups, so what was there in training makes no difference.
    gender = np.where(np.arange(1500) % 3 == 0, "new", np.where(np.arange(1500) % 3 == 1, "f", None))
    [gap] = found_for(fresh_customers(gender=gender))["detail"]["gaps"]
    assert set(gap["rates"]) == {"f", "new", "missing"}
