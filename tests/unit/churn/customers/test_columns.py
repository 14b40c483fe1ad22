from __future__ import annotations

import numpy as np
import orjson
import pandas as pd
import pytest

from churn.contract import Column, Contract
from churn.customers.columns import CustomerColumns
from churn.customers.frame import frame_from_records

CONTRACT = Contract(
    name="small",
    columns=(
        Column(name="paid", source="Paid", kind="number", nullable=True),
        Column(name="calls", source="Calls", kind="integer", nullable=True),
        Column(name="plan", source="Plan", kind="flag", nullable=True),
        Column(name="state", source="State", kind="category", levels=("OH", "KS"), nullable=True),
    ),
)
RECORDS = [
    {"paid": 1.5, "calls": 3.0, "plan": True, "state": "KS"},
    {"paid": None, "calls": None, "plan": False, "state": "OH"},
    {"paid": -2.0, "calls": 0.0, "plan": None, "state": None},
]


@pytest.fixture
def customers() -> CustomerColumns:
    return CustomerColumns(
        {
            "paid": np.array([1.5, np.nan, -2.0]),
            "calls": np.array([3.0, np.nan, 0.0]),
            "plan": np.array([1.0, 0.0, np.nan]),
            "state": np.array([1, 0, -1], dtype=np.int32),
        },
        ["a", None, "c"],
    )


def test_they_are_as_many_as_a_column_has_values(customers: CustomerColumns) -> None:
    assert len(customers) == 3


def test_they_are_spelled_for_the_log_as_they_were_sent(customers: CustomerColumns) -> None:
    assert [orjson.loads(text) for text in customers.feature_texts(CONTRACT)] == RECORDS
    assert [orjson.loads(text) for text in customers.feature_texts(CONTRACT, 1)] == RECORDS[1:]
    assert [orjson.loads(text) for text in customers.feature_texts(CONTRACT, 0, 2)] == RECORDS[:2]


def test_they_are_the_frame_that_pipelines_read(customers: CustomerColumns) -> None:
    found, expected = customers.frame(CONTRACT), frame_from_records(RECORDS, CONTRACT)
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("cuts", [[3], [1, 3], [0, 2, 3], [1, 2, 3]])
def test_parts_are_joined_in_their_order(customers: CustomerColumns, cuts: list[int]) -> None:
    edges = list(zip([0, *cuts], cuts, strict=False))
    assert customers.customer_ids is not None
    parts = [
        CustomerColumns({name: values[a:b] for name, values in customers.values.items()}, customers.customer_ids[a:b])
        for a, b in edges
    ]
    joined = CustomerColumns.joined(parts)
    assert joined.customer_ids == customers.customer_ids
    for name, values in customers.values.items():
        np.testing.assert_array_equal(joined.values[name], values)
    nameless = [CustomerColumns(part.values) for part in parts]
    assert CustomerColumns.joined(nameless).customer_ids is None
    mixed = CustomerColumns.joined([parts[0], *nameless[1:]]).customer_ids
    assert mixed is not None
    assert list(mixed) == ["a", None, "c"][: cuts[0]] + [None] * (3 - cuts[0])
