"""`churn drift` on a reference that tells its months: the verdicts of the monitor on the same rows, and what is said of it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from churn.contract import Column
from churn.data.row_time import MONTH
from monitoring.drift.detect import detect_drift
from monitoring.reference import Reference
from tests.unit.monitoring.drift.small import SMALL, frame_of
from tests.unit.pipelines.cli.command import Churn

TIME = Column(name="billed", source="Billing month", kind="category", role="time")
TIMED = SMALL.model_copy(update={"columns": (*SMALL.columns, TIME)})
SEASON = 12 * np.cos(2 * np.pi * np.arange(12) / 12)
ALPHA = 0.01


def of_month(month: int, rows: int, seed: int, lift: float = 0.0) -> pd.DataFrame:
    frame = frame_of(rows, seed).drop(columns="churn_probability")
    frame["minutes"] = frame["minutes"] + SEASON[month] + lift
    frame["charge"] = frame["minutes"] / 2
    return frame.assign(billed=f"2025-{month + 1:02}")


def written(path: Path, frame: pd.DataFrame) -> Path:
    frame.assign(plan=frame["plan"].map({1.0: "Ja", 0.0: "Nein"})).to_csv(path, index=False)
    return path


@pytest.fixture
def history() -> pd.DataFrame:
    return pd.concat([of_month(month, 120, month) for month in range(12)], ignore_index=True)


@pytest.fixture
def timed(churn: Churn, tmp_path: Path) -> Path:
    """Its contract is the one of the command."""
    path = tmp_path / "contract.yaml"
    path.write_text(yaml.safe_dump(TIMED.model_dump(mode="json", exclude={"digest", "population"})))
    os.environ["CHURN_CONTRACT"] = str(path)
    return path


@pytest.mark.parametrize(("month", "lift"), [(0, 0.0), (6, 0.0), (3, 0.0), (3, 60.0)])
def test_files_are_judged_as_the_monitor_judges_the_same_rows(
    churn: Churn, timed: Path, history: pd.DataFrame, tmp_path: Path, month: int, lift: float
) -> None:
    window = of_month(month, 400, 99, lift)
    said = churn("drift", written(tmp_path / "before.csv", history), written(tmp_path / "now.csv", window), "--json").json[0]
    # What a version's reference is without the answers of its model.
    profile = Reference.of(
        history.drop(columns="billed").assign(churned=np.nan, churn_probability=np.nan, **{MONTH: history["billed"]}), TIMED
    ).profile
    found = detect_drift(profile, window.drop(columns="billed"), TIMED, ALPHA)
    assert said["reference_months"] == len(profile.months.sums) == 12
    assert [r["p_value"] for r in said["results"]] == pytest.approx([r.p_value for r in found.results])
    assert (said["alarm"], said["p_value"]) == (found.alarm, pytest.approx(found.p_value))
    assert {r["feature"] for r in said["results"] if r["drifted"] and r["aspect"] == "values"} == (
        {"minutes", "charge"} if lift else set()
    )


def test_a_season_is_drift_only_where_months_are_not_told_and_that_is_said(
    churn: Churn, timed: Path, history: pd.DataFrame, tmp_path: Path
) -> None:
    before, now = tmp_path / "before.csv", written(tmp_path / "now.csv", of_month(0, 400, 99))
    said = churn("drift", written(before, history), now).out
    assert "what its 12 months usually do is no drift" in said
    assert "minutes (values)" not in said
    # Months too few, or with too few rows, say nothing of a season.
    said = churn("drift", written(before, history[history["billed"] < "2025-06"]), now).out
    assert "months are not compared, since 6 of 50 rows each are needed" in said
    assert "minutes (values)" in churn("drift", written(before, history.drop(columns="billed")), now).out


def test_cells_of_the_reference_that_name_no_time_are_said(
    churn: Churn, timed: Path, history: pd.DataFrame, tmp_path: Path
) -> None:
    odd = history.assign(billed=["spring", *history["billed"][1:]])
    said = churn("drift", written(tmp_path / "before.csv", odd), written(tmp_path / "now.csv", of_month(3, 400, 9)))
    assert said.code == 0
    assert "1 of 1440 times cannot be read" in said.out
