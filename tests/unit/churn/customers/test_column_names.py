from __future__ import annotations

import time

import pytest

from churn.contract import Contract
from churn.customers.column_names import CUSTOMER_ID, NOT_READ, ColumnNames


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("state", "state"),
        ("State", "state"),
        (" State ", "state"),
        ("Customer ID", CUSTOMER_ID),
        ("Churn", NOT_READ),
        ("__index_level_0__", NOT_READ),
        ("stat", None),
    ],
)
def test_a_column_has_the_contracts_name_or_the_sources(contract: Contract, name: str, meaning: str | None) -> None:
    assert ColumnNames(contract).find(name) == meaning


@pytest.mark.parametrize(
    ("name", "near"),
    [("Stat", "state"), ("TotalDayMinutes", "total_day_minutes"), ("area-code", "area_code"), ("shoe_size", None)],
)
def test_a_wrong_name_gets_the_one_most_like_it(contract: Contract, name: str, near: str | None) -> None:
    assert ColumnNames(contract).unknown(name) == (f"unknown field; did you mean `{near}`?" if near else "unknown field")


def test_a_long_name_is_compared_by_its_beginning(contract: Contract) -> None:
    names, start = ColumnNames(contract), time.thread_time()
    names.unknown("total_day_minutes" * 1_000_000)
    assert time.thread_time() - start < 1
