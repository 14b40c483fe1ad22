"""Ids as Arrow holds them mean what `read_id` says, cell by cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.batch.readers.id_column import _all_plain, read_id_column
from churn.customers.customer_id import read_ids

odd = ["", " c-1", "c-1 ", "415.0", "0", ".0", "10", "NA", "none", "nanna", "a\nb", "a\x7f", "é", "\u3000c", "c\u3000", "x" * 129]
odd += [
    "-",
    "--",
    "?",
    "n/a",
    "#N/A",
    r"\N",
    "<NA>",
    "#REF!",
    "#1",
    "1.5E+12",
    "1e+20",
    "E+",
    "+",
    "e",
    "+1",
    "c-0001",
    "Total",
    "sum",
    "Grand Total:",
    "Totals7",
]
ids = st.lists(st.one_of(st.none(), st.sampled_from(odd), st.text("ab01. -é+E#!?/n", max_size=6)), max_size=6)


@given(ids, st.integers(0, 3))
def test_a_column_is_read_as_its_cells_are(values: list[Any], start: int) -> None:
    cells = values[start:]
    expected, wrong = read_ids(cells)
    for column in (pa.array(values, pa.string()), pa.array(values, pa.large_string()), pa.array(values).cast(pa.string())):
        found, doubtful = read_id_column(column.slice(start))
        found.validate(full=True)
        assert (None if doubtful is None else doubtful.tolist()) == (None if wrong is None else wrong.tolist())
        assert found.to_pylist() == list(expected)


@pytest.mark.parametrize(
    "usual",
    [
        ["c-000001", "17"],
        ["c-000001", None],
        ["abcdef", "99"],
        [None, None],
        [],
        ["7", "007"],
        ["+49170", "x#-01"],
        ["total-7", "sumitra"],
    ],
)
def test_usual_ids_need_no_second_look(usual: list[str | None]) -> None:
    assert _all_plain(pa.array(usual, pa.string()))


def test_empty_texts_name_nobody_and_need_no_second_look() -> None:
    found, doubtful = read_id_column(pa.array(["c-0001", "", None, "c-0002"]).slice(1))
    assert (found.to_pylist(), doubtful) == ([None, None, "c-0002"], None)
    assert _all_plain(found)


def test_whole_numbers_stay_numbers() -> None:
    column = pa.array(np.arange(3))
    assert read_id_column(column) == (column, None)
