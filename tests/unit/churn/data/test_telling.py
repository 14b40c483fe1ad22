"""How many rows the best simple rule over one column gets wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn.data.telling import leavers_given_away, nearly_tells_outcome, rows_told_wrong, tells_outcome

# 200 customers, every fourth of whom left.
LEFT = np.arange(200) % 4 == 0


def wrong_in(values: Any, rows: int) -> pd.Series:
    """The values, with those of the first `rows` who left and who stayed exchanged."""
    column = pd.Series(values, copy=True)
    gone, here = np.flatnonzero(LEFT)[:rows], np.flatnonzero(~LEFT)[:rows]
    column.iloc[np.concatenate([gone, here])] = column.iloc[np.concatenate([here, gone])].to_numpy()
    return column


@pytest.mark.parametrize("rows", [0, 1, 5])
@pytest.mark.parametrize(
    "values",
    [LEFT.astype(float), np.where(LEFT, "no", "yes"), np.where(LEFT, 1.0, np.nan), np.where(LEFT, 0.5, 3.0)],
    ids=["flag", "text", "present or missing", "amount"],
)
def test_each_row_that_contradicts_the_rule_counts_once(values: Any, rows: int) -> None:
    column = wrong_in(values, rows)
    assert rows_told_wrong(column, LEFT) == 2 * rows
    assert tells_outcome(column, LEFT) == (rows == 0)


def test_a_cut_is_not_between_equal_values() -> None:
    values = pd.Series(np.where(LEFT, 2.0, 1.0))
    values[:40] = 1.0
    assert rows_told_wrong(values, LEFT) == 10, "those who left among the first forty"


def test_a_column_in_which_all_differ_tells_nothing_by_its_values() -> None:
    names = pd.Series([f"c-{row}" for row in range(200)])
    assert rows_told_wrong(names, LEFT) == LEFT.sum(), "no better than to say that all stayed"


def test_too_few_customers_or_leavers_prove_nothing() -> None:
    told = pd.Series(LEFT.astype(float))
    assert rows_told_wrong(told[:99], LEFT[:99]) is None
    assert rows_told_wrong(told[:100], LEFT[:100]) == 0
    assert rows_told_wrong(told, np.arange(200) < 9) is None
    assert rows_told_wrong(told, np.arange(200) >= 191) is None


@pytest.mark.parametrize(("wrong", "nearly"), [(None, False), (0, False), (1, True), (12, True), (13, False)])
def test_nearly_is_wrong_of_less_than_a_quarter_of_the_rarer_outcome(wrong: int | None, nearly: bool) -> None:
    assert LEFT.sum() == 50
    assert nearly_tells_outcome(wrong, LEFT) == nearly
    assert nearly_tells_outcome(wrong, ~LEFT) == nearly


def noted_of(leavers: int, stayers: int = 0) -> pd.Series:
    """What was noted down of the first who left, and of the first who stayed."""
    noted = pd.Series([None] * 2_000, dtype=object)
    noted.iloc[np.flatnonzero(MANY_LEFT)[:leavers]] = "refused"
    noted.iloc[np.flatnonzero(~MANY_LEFT)[:stayers]] = "refused"
    return noted


MANY_LEFT = np.arange(2_000) % 4 == 0


@pytest.mark.parametrize(
    ("leavers", "stayers", "given_away"), [(300, 0, 300), (125, 0, 125), (124, 0, 0), (300, 3, 300), (300, 4, 0)]
)
def test_what_is_noted_of_a_quarter_of_the_leavers_and_hardly_of_others_gives_them_away(
    leavers: int, stayers: int, given_away: int
) -> None:
    noted = noted_of(leavers, stayers)
    amount = noted.map({"refused": 9.5})
    flag, level = noted.eq("refused"), noted.fillna("none")
    for values in (noted, amount, amount.fillna(0.0), -amount.fillna(0.0), flag.astype(float), level):
        assert leavers_given_away(values.infer_objects(), MANY_LEFT) == given_away
    assert leavers_given_away(noted, ~MANY_LEFT) == 0, "a bond that nobody breaks is no leak"


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_amount_beyond_which_only_leavers_are_gives_these_away(sign: float) -> None:
    amounts = noted_of(300).eq("refused") * 5.0 + np.linspace(0.0, 1.0, 2_000)
    # (One more is the last but three of the others.)
    assert leavers_given_away(sign * amounts, MANY_LEFT) == 301


def test_a_level_that_few_have_gives_nobody_away() -> None:
    few = pd.Series([f"reason {row % 30}" if left else "none" for row, left in enumerate(MANY_LEFT)])
    few = few.where(np.arange(2_000) % 8 != 0, "none")
    assert few[MANY_LEFT].value_counts().iloc[1] < 20
    assert leavers_given_away(few, MANY_LEFT) == 0
