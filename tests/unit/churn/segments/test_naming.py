from __future__ import annotations

import numpy as np
import pandas as pd

from churn.segments.naming import name_segments
from tests.unit.churn.segments.groups import CONTRACT


def names(frame: dict[str, list[object]], reasons: list[list[float]], members: list[int]) -> list[str] | None:
    return name_segments(pd.DataFrame(frame), np.array(reasons), np.array(members), CONTRACT)


def test_a_name_says_the_two_strongest_reasons_in_the_words_of_the_contract() -> None:
    frame: dict[str, list[object]] = {"service_calls": [9.0, 1.0], "plan": [1.0, 0.0], "region": ["south", "north"]}
    assert names(frame, [[2.0, 3.0, 0.1], [0.0, 0.0, 0.0]], [0, 1]) == ["plan Yes, many service calls", "typical"]


def test_parts_of_a_sum_that_count_together_are_said_as_the_sum() -> None:
    frame: dict[str, list[object]] = {"day_charge": [9.0, 1.0], "eve_charge": [9.0, 1.0]}
    assert names(frame, [[2.0, 2.0], [-1.0, -1.0]], [0, 1]) == ["high bill", "low bill"]
    assert names(frame, [[2.0, 0.1], [0.0, 0.0]], [0, 1]) == ["high day charge", "typical"]


def test_columns_that_follow_from_each_other_are_said_once() -> None:
    frame: dict[str, list[object]] = {"eve_charge": [9.0, 1.0], "plan": [1.0, 0.0]}
    assert names(frame, [[2.0, 1.9], [0.0, 0.0]], [0, 1]) == ["high eve charge", "typical"]


def test_who_shares_a_name_says_one_reason_more() -> None:
    frame: dict[str, list[object]] = {"service_calls": [9.0, 9.0, 1.0], "region": ["south", "north", "north"]}
    found = names(frame, [[3.0, 0.2], [3.0, -0.2], [0.0, 0.0]], [0, 1, 2])
    assert found == ["many service calls, region south", "many service calls, region north", "typical"]
    assert names(frame, [[3.0, 0.0], [2.0, 0.0], [0.0, 0.0]], [0, 1, 2]) is None


def test_missing_values_and_mixed_levels_have_words() -> None:
    frame: dict[str, list[object]] = {
        "service_calls": [None, 1.0, 1.0, 1.0],
        "region": ["south", "north", "south", None],
    }
    frame["service_calls"] = [float("nan"), 1.0, 1.0, 1.0]
    found = names(frame, [[3.0, 0.0], [0.0, 2.0], [0.0, 2.0], [0.0, 2.0]], [0, 1, 1, 1])
    assert found == ["service calls not known", "region of high risk"]


def test_a_number_that_counts_most_where_it_is_missing_is_not_known() -> None:
    frame: dict[str, list[object]] = {"service_calls": [float("nan"), float("nan"), 1.0, 9.0]}
    assert names(frame, [[3.0], [3.0], [0.5], [0.0]], [0, 0, 0, 1]) == ["service calls not known", "typical"]
    assert names(frame, [[0.5], [0.5], [3.0], [0.0]], [0, 0, 0, 1]) == ["few service calls", "typical"]
