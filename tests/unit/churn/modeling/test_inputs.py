from __future__ import annotations

import numpy as np
import pandas as pd

from churn.modeling.inputs import Inputs

SUMS = {"bill": ["day", "night"]}


def customers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "day": [1.0, 2.0, np.nan, 9.0],
            "plan": pd.Series(["gold", "gold", None, "blue"], dtype=object),
            "night": [10.0, np.nan, 30.0, 40.0],
            "empty": [np.nan] * 4,
            "nothing": pd.Series([None] * 4, dtype=object),
        }
    )


def test_what_is_typical_is_the_median_and_the_most_frequent_level() -> None:
    inputs = Inputs.learn(customers(), SUMS, min_rows=1)
    assert inputs.typical == {"day": 2.0, "plan": "gold", "night": 30.0, "empty": 0.0, "nothing": None}


def test_of_equally_frequent_levels_the_first_in_the_alphabet_is_typical() -> None:
    assert Inputs.learn(pd.DataFrame({"plan": ["z", "a", "z", "a"]}), {}, min_rows=1).typical == {"plan": "a"}


def test_numbers_sums_and_levels_come_in_this_order_and_name_their_columns() -> None:
    inputs = Inputs.learn(customers(), SUMS, min_rows=1)
    assert inputs.names == ["day", "night", "empty", "bill", "plan = (missing)", "plan = blue", "plan = gold"]
    assert inputs.sources == [("day",), ("night",), ("empty",), ("day", "night"), ("plan",), ("plan",), ("plan",)]


def test_what_is_missing_counts_as_typical_in_the_sum_too() -> None:
    inputs = Inputs.learn(customers(), SUMS, min_rows=1)
    assert inputs.matrix(customers())[:, :4].tolist() == [
        [1.0, 10.0, 0.0, 11.0],
        [2.0, 30.0, 0.0, 32.0],
        [2.0, 30.0, 0.0, 32.0],
        [9.0, 40.0, 0.0, 49.0],
    ]


def test_a_category_that_enough_customers_lack_has_an_input_that_tells_so() -> None:
    inputs = Inputs.learn(customers(), SUMS, min_rows=1)
    assert inputs.matrix(customers())[:, 4:].tolist() == [[0, 0, 1], [0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_a_category_that_few_customers_lack_is_taken_for_the_typical_level() -> None:
    more = pd.concat([customers()] * 3, ignore_index=True)
    few = Inputs.learn(more, SUMS, min_rows=4)
    assert few.levels["plan"] == ["gold"]
    assert few.matrix(customers())[:, -1].tolist() == [1.0, 1.0, 1.0, 0.0]
    assert Inputs.learn(more.assign(plan=None), SUMS, min_rows=4).levels["plan"] == [], "nobody to tell them from"


def test_rare_and_unknown_levels_have_no_input_of_their_own() -> None:
    inputs = Inputs.learn(customers(), {}, min_rows=2)
    assert inputs.levels == {"plan": ["gold"], "nothing": []}
    strangers = customers().assign(plan=["gold", "blue", "silver", None])
    assert inputs.matrix(strangers)[:, -1].tolist() == [1.0, 0.0, 0.0, 1.0]


def test_missing_numbers_are_told() -> None:
    inputs = Inputs.learn(customers(), SUMS, min_rows=1)
    assert inputs.missing(customers())[:, :2].tolist() == [[False, False], [False, True], [True, False], [False, False]]


def test_the_frame_s_other_columns_and_their_order_do_not_matter() -> None:
    inputs = Inputs.learn(customers(), SUMS, min_rows=1)
    turned = customers().assign(more=1.0)[["more", "nothing", "night", "plan", "empty", "day"]]
    assert np.array_equal(inputs.matrix(turned), inputs.matrix(customers()))


def test_a_sum_beyond_the_largest_number_is_infinite_and_no_error() -> None:
    inputs = Inputs.learn(customers(), SUMS, min_rows=1)
    assert inputs.matrix(customers().assign(day=1.7e308, night=1.7e308))[0, 3] == np.inf
