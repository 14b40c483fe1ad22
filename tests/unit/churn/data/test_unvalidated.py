from __future__ import annotations

from pathlib import Path

import pytest

from churn.contract import Column, Contract
from churn.data.row_time import months_of
from churn.data.unvalidated import read_unvalidated
from churn.errors import InputError

CONTRACT = Contract(
    name="small",
    columns=(
        Column(name="minutes", source="Minutes", kind="number", minimum=0, maximum=10),
        Column(name="plan", source="Plan", kind="flag"),
        Column(name="state", source="State", kind="category", levels=("OH", "KS")),
    ),
)


def write(folder: Path, text: str) -> Path:
    file = folder / "file.csv"
    file.write_text(text)
    return file


def test_what_breaks_rules_stays_as_it_stands_and_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    file = write(tmp_path, "Minutes,Plan,State,other\n99,Yes,Texas,1\nx,maybe,,2\n5,No,OH,3\n")
    found = read_unvalidated(file, CONTRACT)
    assert list(found.frame) == ["minutes", "plan", "state"]
    assert found.frame["minutes"].fillna(-1).tolist() == [99, -1, 5]
    assert found.frame["plan"].fillna(-1).tolist() == [1, -1, 0]
    assert found.frame["state"].tolist() == ["Texas", None, "OH"]
    assert (found.unreadable, found.absent, found.path) == ({"minutes": 1, "plan": 1}, (), file)


def test_an_absent_feature_is_missing_everywhere_and_named(tmp_path: Path) -> None:
    found = read_unvalidated(write(tmp_path, "Minutes\n1\n2\n"), CONTRACT)
    assert found.absent == ("plan", "state")
    assert found.frame["plan"].isna().all()
    assert found.frame["state"].tolist() == [None, None]


def test_the_outcome_is_there_where_every_row_has_one(tmp_path: Path) -> None:
    assert read_unvalidated(write(tmp_path, "Minutes,Churn\n1,True\n2,False\n"), CONTRACT).frame["churned"].tolist() == [1.0, 0.0]
    for text in ("Minutes,Churn\n1,True\n2,\n", "Minutes,Churn\n1,True\n2,x\n", "Minutes\n1\n"):
        assert "churned" not in read_unvalidated(write(tmp_path, text), CONTRACT).frame


def test_a_file_without_any_of_the_columns_is_another_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has none of the columns of contract 'small', minutes, plan, state …"):
        read_unvalidated(write(tmp_path, "a,b\n1,2\n"), CONTRACT)
    with pytest.raises(InputError, match="no such file"):
        read_unvalidated(tmp_path / "gone.csv", CONTRACT)


def test_times_are_read_where_the_contract_has_a_column_of_them(tmp_path: Path) -> None:
    when = Column(name="when", source="Month", kind="category", role="time")
    timed = CONTRACT.model_copy(update={"columns": (*CONTRACT.columns, when)})
    found = read_unvalidated(write(tmp_path, "Minutes,Month\n1,2026-03\n2,spring\n3,\n"), timed)
    assert found.asked_at is not None
    assert months_of(found.asked_at).tolist() == ["2026-03", None, None]
    assert (found.unreadable, list(found.frame)) == ({"when": 1}, ["minutes", "plan", "state"])
    assert read_unvalidated(write(tmp_path, "Minutes\n1\n"), timed).asked_at is None
    assert read_unvalidated(write(tmp_path, "Minutes,Month\n1,2026-03\n"), CONTRACT).asked_at is None
