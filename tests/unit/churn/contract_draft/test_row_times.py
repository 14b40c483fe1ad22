"""Which column of an export says the time that a row speaks of, and which only looks like it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from churn.contract_draft.draft import draft_contract
from churn.contract_draft.row_times import find_row_times
from churn.data.dataset import read_dataset
from churn.data.row_time import months_of
from tests.unit.churn.contract_draft.profiles import profiles_of

MONTHS = [f"2025-{month:02}" for month in range(1, 13)]
YEAR = MONTHS * 4


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("Month", YEAR),
        ("billing_month", [month.replace("-", "") for month in YEAR]),
        ("YYYYMM", [int(month.replace("-", "")) for month in YEAR]),
        ("snapshotDate", [f"{month}-28" for month in YEAR]),
        ("As of", [f"{month}-28T10:15:00+01:00" for month in YEAR]),
        ("date", [date(2025, month, 28) for month in range(1, 13)] * 4),
        ("report_date", [datetime(2025, 1, 1) + timedelta(days=7 * n) for n in range(52)]),
        ("Stichtag", ["?", None, *YEAR[2:]]),
    ],
)
def test_the_time_of_a_row_is_found_by_its_name_and_its_cells(name: str, cells: list[object]) -> None:
    found = find_row_times(profiles_of({"Minutes": list(range(len(cells))), name: cells}).values())
    assert found is not None
    assert (found.source, found.months[-1]) == (name, "2025-12")
    assert f"{len(found.months)} months, {found.months[0]} to 2025-12" in found.why


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("contract_start_month", YEAR),
        ("birth_date", [f"{month}-28" for month in YEAR]),
        ("last_invoice_date", [f"{month}-28" for month in YEAR]),
        ("since", YEAR),
        ("Months", list(range(48))),
        ("month", list(range(1, 13)) * 4),
        ("month", ["2025-01", "2025-02"] * 24),
        ("month", ["January", "February", "March"] * 16),
        ("snapshot_date", [f"28.{month[5:]}.2025" for month in YEAR]),
        ("period", ["2025-13", *YEAR[1:]]),
        ("period", ["?"] * 8 + YEAR[8:]),
        ("upgrade_day", YEAR),
        ("date_code", YEAR),
    ],
)
def test_what_happened_to_a_customer_and_what_is_no_month_is_not_the_time_of_a_row(name: str, cells: list[object]) -> None:
    assert find_row_times(profiles_of({name: cells}).values()) is None


def test_of_several_the_surest_name_is_taken() -> None:
    profiles = profiles_of({"date": YEAR, "billing_month": YEAR, "snapshot": YEAR})
    found = find_row_times(profiles.values())
    assert found is not None
    assert found.source == "snapshot"
    left = find_row_times(profile for name, profile in profiles.items() if name != "snapshot")
    assert left is not None
    assert left.source == "billing_month"


def test_a_draft_gives_it_the_role_says_why_and_keeps_every_other_date_from_the_model(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    rows = len(YEAR)
    columns = {
        "Minutes": [1.5 * n for n in range(rows)],
        "Snapshot month": ["?", *YEAR[1:]],
        "Billing month": YEAR,
        "Left": ["yes", "no", "no"] * (rows // 3),
    }
    pd.DataFrame(columns).to_csv(path, index=False)
    drafted = draft_contract(path, "Left")
    when = drafted.contract.time_column
    assert when is not None
    assert (when.source, when.missing) == ("Snapshot month", ("?",))
    assert drafted.contract.feature_names == ["minutes"]
    assert "# the time a row speaks of" in drafted.text
    notes = {guess.column["source"]: guess.notes for guess in drafted.columns}
    assert "the monitor learns from it what months usually do" in notes["Snapshot month"][0]
    dataset = read_dataset(path, drafted.contract)
    assert dataset.asked_at is not None
    assert months_of(dataset.asked_at).tolist() == [None, *YEAR[1:]]


def test_a_time_that_is_not_written_as_one_is_said(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    columns = {
        "Minutes": [1.5 * n for n in range(48)],
        "Snapshot": [f"28.{m[5:]}.2025" for m in YEAR],
        "Left": ["yes", "no"] * 24,
    }
    pd.DataFrame(columns).to_csv(path, index=False)
    drafted = draft_contract(path, "Left")
    assert drafted.contract.time_column is None
    assert "give it role: time" in next(guess.notes[0] for guess in drafted.columns if guess.column["source"] == "Snapshot")
