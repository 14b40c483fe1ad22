"""What a person hears of a labelled file before a model learns from it: each sentence names the column and the remedy."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn.data.dataset import Dataset
from churn.data.doubts import doubts

RNG = np.random.default_rng(5)
LEFT = (RNG.random(400) < 0.3).astype(np.int64)
NOISE = RNG.normal(size=400)


def said(values: Any, rows: int = 400, *, labelled: bool = True) -> list[str]:
    features = pd.DataFrame({"x": values, "other": NOISE[:rows]})
    return doubts(Dataset(features, pd.Series(LEFT[:rows]) if labelled else None))


LEAKS = {
    "the target itself": LEFT.astype(float),
    "its opposite": 1.0 - LEFT,
    "words": np.where(LEFT == 1, "gone", "here"),
    "several words": np.where(LEFT == 1, "gone", RNG.choice(["here", "there"], 400)),
    "an amount that is larger for who left": 10.0 * LEFT + RNG.random(400),
    "an amount that is smaller": -10.0 * LEFT + RNG.random(400),
    "a value that only who left has": np.where(LEFT == 1, RNG.normal(size=400), np.nan),
    "a value that only who stayed has": np.where(LEFT == 0, "y", None),
    "words, some of them missing": np.where(LEFT == 1, "gone", np.where(np.arange(400) % 2, "here", None)),
}


@pytest.mark.parametrize("values", LEAKS.values(), ids=LEAKS)
def test_a_column_that_tells_the_outcome_is_named(values: Any) -> None:
    [sentence] = said(values)
    assert sentence.startswith("x: tells the outcome in every row")
    assert "role: ignored" in sentence
    assert said(values, labelled=False) == []


@pytest.mark.parametrize("values", LEAKS.values(), ids=LEAKS)
def test_a_column_that_nearly_tells_the_outcome_is_named_with_the_rows_that_it_gets_wrong(values: Any) -> None:
    """Too few rows prove nothing: chance can do that."""

    def swapped(pairs: int) -> pd.Series:
        others = np.array(values, dtype=object)
        stayed, left = np.flatnonzero(LEFT == 0)[:pairs], np.flatnonzero(LEFT == 1)[:pairs]
        others[[*stayed, *left]] = others[[*left, *stayed]]
        return pd.Series(others.tolist())

    [sentence] = said(swapped(1))
    # (A cut may tell one of two amounts that were exchanged.)
    assert re.match(r"x: tells the outcome in all but [12] of 400 rows; if it is known only afterwards", sentence)
    assert said(swapped(1), labelled=False) == []
    assert said(swapped(LEFT.sum() // 2)) == []
    assert said(values[:60], 60) == []


def test_a_flag_of_the_outcome_with_one_percent_noise_is_named_where_one_in_twenty_leaves() -> None:
    left = (np.arange(1_000) % 20 == 0).astype(np.int64)
    wrong = np.arange(1_000) % 100 == 50
    features = pd.DataFrame({"x": np.where(wrong, 1 - left, left).astype(float)})
    [sentence] = doubts(Dataset(features, pd.Series(left)))
    assert "in all but 10 of 1,000 rows" in sentence


def test_what_is_noted_of_many_who_left_and_of_nobody_else_is_named() -> None:
    noted = np.where((LEFT == 1) & (np.arange(400) < 300), "refused", None)
    [sentence] = said(noted)
    assert re.match(
        rf"x: {np.sum(noted == 'refused')} of {LEFT.sum()} customers who left have values that \(nearly\) nobody", sentence
    )
    assert said(noted, labelled=False) == []
    assert said(np.where((LEFT == 0) & (np.arange(400) < 300), "until 2030", None)) == [], "a bond is no leak"


def test_a_few_known_values_do_not_tell_of_every_row() -> None:
    """Each of them is alone, and so says who left; of the others nothing is known."""
    few = np.arange(400) % 20 == 0
    assert said(np.where(few, RNG.normal(size=400), np.nan)) == []
    assert said(np.where(few, np.where(LEFT == 1, "gone", "here"), None)) == []


def test_ten_thousand_levels_are_to_be_grouped() -> None:
    [sentence] = said([f"street {number % 300}" for number in range(400)])
    assert sentence.startswith("x: 400 of 400 customers are in levels of fewer than 20, from which nothing is learned; group")
    assert said(["big"] * 300 + [f"s{number}" for number in range(100)]) == [], "a few small levels are usual"
    assert said([f"s{number % 10}" for number in range(400)]) == []


def test_what_is_empty_or_constant_is_named_in_one_sentence() -> None:
    [sentence] = said([None] * 400)
    assert sentence.endswith("from which nothing is learned: x")


def test_a_tidy_file_raises_no_doubt() -> None:
    assert said(RNG.normal(size=400)) == []


def test_numbers_whose_differences_are_rounded_away_are_named() -> None:
    accounts = 8.9e17 + np.arange(400) * 100.0
    [sentence] = said(accounts)
    assert sentence.startswith("x: its values differ by less than a ten-millionth of their size")
    assert "subtract what they have in common" in sentence
    assert said(accounts - 8.9e17) == []
    assert said(1.7e9 + np.arange(400) * 86_400.0) == [], "moments in seconds differ enough"


@pytest.mark.parametrize(("slope", "constant"), [(100.0, 0.0), (-1.0, 2_026.0), (0.1, 7.0)])
@pytest.mark.parametrize("decimals", [0, 2])
def test_a_number_that_is_another_in_other_units_is_named(slope: float, constant: float, decimals: int) -> None:
    fee = pd.Series(np.round(50 + 20 * NOISE, decimals)).where(np.arange(400) % 7 > 0)
    features = pd.DataFrame({"fee": fee, "between": np.arange(400.0) % 7, "again": slope * fee + constant})
    [sentence] = doubts(Dataset(features, pd.Series(LEFT)))
    assert sentence.startswith(f"again: {slope:g} times fee, but for a constant, in every row")
    for row, change in ((3, 0.5), (int(fee.notna().idxmax()), np.nan)):
        other = features.copy()
        other.loc[row, "again"] += change
        assert doubts(Dataset(other, pd.Series(LEFT))) == [], "one row differs"


@pytest.mark.parametrize("values", [NOISE, np.where(NOISE > 0, "much", None)], ids=["number", "text"])
def test_a_column_that_says_the_same_as_another_is_named(values: Any) -> None:
    features = pd.DataFrame({"first": values, "between": np.arange(400.0) % 7, "again": values})
    [sentence] = doubts(Dataset(features, pd.Series(LEFT)))
    assert sentence.startswith("again: the same as first in every row")
    assert doubts(Dataset(features.head(60), pd.Series(LEFT[:60]))) == []
    features.loc[3, "again"] = features.loc[4, "between"] if features["again"].dtype == float else "other"
    assert doubts(Dataset(features, pd.Series(LEFT))) == []
