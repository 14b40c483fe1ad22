"""Slices are fixed on the reference, by the evaluation's definition, and found again in any frame."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn.config.params import SliceParams
from churn.data.labelled import Labelled
from churn.evaluation.slices import find_slices
from churn.segments.segments import SLICE
from monitoring.slicing import Slicing, add_segments, describe_slice
from tests.unit.monitoring.grouped import CONTRACT, draw

PARAMS = SliceParams()
REFERENCE = draw(3000, 1)
SLICING = Slicing.of(REFERENCE, CONTRACT, PARAMS)


def test_slices_and_their_customers_are_those_of_the_evaluation() -> None:
    found, _ = find_slices(Labelled(REFERENCE, REFERENCE["churned"].astype("int64")), CONTRACT, PARAMS)
    assert [(one.column, one.level) for one in found] == [(rule.column, rule.level) for rule in SLICING.rules]
    assert {rule.column for rule in SLICING.rules} == {"plan", "area", "tenure"}
    assert (SLICING.members_of(REFERENCE) == np.stack([one.rows for one in found], axis=1)).all()


def test_a_window_is_sliced_by_the_rules_of_the_reference() -> None:
    places = {(rule.column, rule.level): place for place, rule in enumerate(SLICING.rules)}
    window = draw(4, 2).assign(plan=[1.0, 0.0, 1.0, np.nan], area=["north", "west", None, "south"], tenure=[11.9, 12, 99, np.nan])
    members = SLICING.members_of(window)

    def of(column: str, level: str) -> list[bool]:
        return list(members[:, places[column, level]].tolist())

    assert of("plan", "Yes") == [True, False, True, False]
    assert of("area", "north") == [True, False, False, False]
    assert of("area", "south") == [False, False, False, True]
    assert of("tenure", "under 12") == [True, False, False, False]
    assert of("tenure", "12 to 24") == [False, True, False, False]


def test_pooled_levels_hold_the_levels_that_were_pooled_and_no_others() -> None:
    rare = REFERENCE.assign(area=["north"] * 2900 + ["south"] * 60 + ["east"] * 40)
    params = SliceParams(min_rows=80, min_churners=1)
    slicing = Slicing.of(rare, CONTRACT, params)
    place = next(place for place, rule in enumerate(slicing.rules) if rule.level == "other (2 levels)")
    window = draw(4, 2).assign(area=["south", "east", "north", "west"])
    assert slicing.members_of(window)[:, place].tolist() == [True, True, False, False]


def test_of_absent_columns_nobody_is_in_a_slice() -> None:
    members = SLICING.members_of(REFERENCE.drop(columns="plan"))
    by_plan = [rule.column == "plan" for rule in SLICING.rules]
    assert members[:, by_plan].sum() == 0
    assert members[:, np.invert(by_plan)].any(axis=0).all()


@pytest.mark.parametrize("outcomes", ["absent", "unknown"])
def test_without_outcomes_there_are_no_slices(outcomes: str) -> None:
    rows = REFERENCE.drop(columns="churned") if outcomes == "absent" else REFERENCE.assign(churned=np.nan)
    slicing = Slicing.of(rows, CONTRACT, PARAMS)
    assert slicing.rules == ()
    assert slicing.members_of(rows).shape == (3000, 0)


def test_segments_are_slices() -> None:
    def numbers(columns: list[list[Any]]) -> np.ndarray:
        return np.array([int(minutes > 200) for minutes in columns[0]])

    segmenter: Any = SimpleNamespace(
        names=["usual", "talks a lot"], segments=SimpleNamespace(columns=["minutes"]), numbers=numbers
    )
    sliced = add_segments(REFERENCE, segmenter)
    slicing = Slicing.of(sliced, CONTRACT, PARAMS)
    assert [rule.level for rule in slicing.rules if rule.column == SLICE] == ["usual", "talks a lot"]
    window = add_segments(pd.DataFrame({"minutes": [100.0, 300.0]}), segmenter)
    members = slicing.members_of(window)[:, [rule.column == SLICE for rule in slicing.rules]]
    assert members.tolist() == [[True, False], [False, True]]
    assert add_segments(REFERENCE, None) is REFERENCE


def test_a_slice_is_named_in_words() -> None:
    assert describe_slice("plan", "Yes") == "customers with plan Yes"
    assert describe_slice(SLICE, "high day charge, few calls") == 'customers of the segment "high day charge, few calls"'
