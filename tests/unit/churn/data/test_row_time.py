"""The time that a row of a labelled file speaks of: what is read, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from churn.contract import Column, Contract, Target
from churn.data.dataset import read_dataset
from churn.data.row_time import MONTH, as_times, join_times, months_of, read_time
from churn.errors import ContractError

TIMED = Contract(
    name="timed",
    target=Target(column="left", source="Left", true_level="yes", false_level="no"),
    columns=(
        Column(name="usage", source="Usage", kind="number"),
        Column(name="billed", source="Billing month", kind="category", role="time", missing=("?",)),
    ),
)


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        (" 2026-03 ", datetime(2026, 3, 1, tzinfo=UTC)),
        (202512.0, datetime(2025, 12, 1, tzinfo=UTC)),
        ("20260331", datetime(2026, 3, 31, tzinfo=UTC)),
        (date(2026, 3, 31), datetime(2026, 3, 31, tzinfo=UTC)),
        (datetime(2026, 3, 31, 8), datetime(2026, 3, 31, 8, tzinfo=UTC)),
        (datetime(2026, 4, 1, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 3, 31, 22, tzinfo=UTC)),
        (None, None),
        ("n/a", None),
        (" NA ", None),
    ],
)
def test_months_days_and_moments_are_read(cell: Any, time: datetime | None) -> None:
    assert read_time(cell, missing=("n/a",)) == time


@pytest.mark.parametrize(
    "cell", ["31.3.2026", "2026-13", "March", "0026-03-01", 1.5, float("inf"), True, b"2026-03", 20261, "9" * 99]
)
def test_what_names_no_time_is_refused(cell: Any) -> None:
    with pytest.raises(ValueError, match="must be a month, a day or a moment"):
        read_time(cell)


def test_a_file_tells_the_time_of_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("Usage,Billing month,Left\n1,2026-03,yes\n2,?,no\n3,2026-04-30,no\n")
    dataset = read_dataset(path, TIMED)
    assert dataset.asked_at is not None
    assert months_of(dataset.asked_at).tolist() == ["2026-03", None, "2026-04"]
    assert (list(dataset.features), dataset.ignored_columns) == (["usage"], [])
    path.write_text("Usage,Left\n1,yes\n")
    assert read_dataset(path, TIMED).asked_at is None


def test_a_wrong_time_names_row_column_and_rule(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("Usage,billed,Left\n1,2026-03,yes\n2,spring,no\n")
    with pytest.raises(ContractError, match=r"(?s)3.*billed.*must be a month, a day or a moment.*spring"):
        read_dataset(path, TIMED)


def test_times_of_a_file_and_of_later_traffic_stand_in_order() -> None:
    later = as_times(pd.Series(["2026-05-02"], index=[7]))
    known = as_times(pd.Series(["2026-03-01", None]))
    assert months_of(join_times(2, known, later)).tolist() == ["2026-03", None, "2026-05"]
    assert months_of(join_times(2, None, later)).tolist() == [None, None, "2026-05"]
    assert str(join_times(2, known, later).dtype) == str(later.dtype)


def test_the_name_of_the_reference_s_column_is_nobody_s() -> None:
    with pytest.raises(ValueError, match="reserved"):
        Column(name=MONTH, source="Month", kind="number")
