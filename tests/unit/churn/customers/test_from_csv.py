"""Columns of texts become what JSON might have held: the fast way gives what the slow one does, cell by cell."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.contract import Contract, load_contract
from churn.customers.cells import FeatureCells
from churn.customers.from_csv import read_texts

CONTRACT: Contract = load_contract("telecom")
NUMBER, INTEGER, FLAG, LEVEL = "total_day_minutes", "number_vmail_messages", "international_plan", "state"
# What a file may hold in a column of numbers: plain ones, gaps, spellings that JSON has not, and what is no number.
PLAIN = ["", "0", "1.5", "-2", "1e3", "7"]
STRANGE = ["007", "+1", "1.", ".5", "-", "e", "1,5", "1;5", "nan", "inf", " 3", "x", "1_000", "[1]", "\ud800"]
TEXTS = st.sampled_from(PLAIN + STRANGE)


def cells(name: str) -> FeatureCells:
    return FeatureCells(CONTRACT[name])


def one_by_one(feature: FeatureCells, texts: list[str]) -> list[Any]:
    found: list[Any] = []
    for text in texts:
        found += read_texts(feature, [text, "no number, so that none is read at once"])[:1]
    return found


@pytest.mark.parametrize("name", [NUMBER, INTEGER])
@given(texts=st.lists(TEXTS, max_size=8))
def test_numbers_that_are_read_at_once_are_those_that_are_read_one_by_one(name: str, texts: list[str]) -> None:
    feature = cells(name)
    assert list(read_texts(feature, texts)) == one_by_one(feature, texts)


def test_what_cannot_be_read_stays_the_text_that_it_is() -> None:
    assert list(read_texts(cells(NUMBER), ["1.5", "", "many"])) == [1.5, None, "many"]
    assert list(read_texts(cells(NUMBER), ["1.5", "", "2"])) == [1.5, None, 2]


def test_flags_and_levels_are_read_by_the_contract() -> None:
    column = CONTRACT[FLAG]
    assert column.true_level is not None
    assert column.false_level is not None
    assert list(read_texts(cells(FLAG), [column.true_level, column.false_level, "", "perhaps"])) == [True, False, None, "perhaps"]
    assert list(read_texts(cells(LEVEL), ["OH", "", "OH", "??"])) == ["OH", None, "OH", "??"]
