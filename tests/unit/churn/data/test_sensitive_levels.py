"""A file of customers' groups: read by the contract's rules, refused if it holds anything else, and read back as it was."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from churn.contract import Contract
from churn.data.sensitive_levels import read_sensitive_levels, sensitive_frame
from churn.errors import ContractError, InputError

COLUMNS = [
    {"name": "calls", "source": "Calls", "kind": "integer"},
    {"name": "who", "source": "Who", "kind": "category", "role": "id"},
    {"name": "gender", "source": "Gender", "kind": "category", "role": "sensitive", "levels": ["f", "m"]},
    {"name": "faith", "source": "Faith", "kind": "category", "role": "sensitive"},
    {"name": "senior", "source": "Senior", "kind": "flag", "role": "sensitive"},
    {"name": "age", "source": "Age", "kind": "number", "role": "sensitive", "minimum": 0, "number_format": {"decimal": ","}},
]
CONTRACT = Contract.model_validate({"name": "c", "columns": COLUMNS})


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "groups.csv").write_text(text)
    return tmp_path / "groups.csv"


def test_cells_become_texts_by_the_contracts_rules_and_come_back_as_they_were(tmp_path: Path) -> None:
    file = written(tmp_path, 'Who,gender,Senior,Faith,Age\nanna,f,Yes,none,"43,5"\n7,,0, Jedi ,40\n')
    read = read_sensitive_levels(file, CONTRACT)
    assert read.to_dict("index") == {
        "anna": {"gender": "f", "faith": None, "senior": "Yes", "age": "43.5"},
        "7": {"gender": None, "faith": "Jedi", "senior": "No", "age": "40"},
    }
    known = {str(who): {name: level for name, level in row.items() if level} for who, row in read.to_dict("index").items()}
    back = sensitive_frame(["7", "nobody", "anna"], known, CONTRACT)
    assert back["gender"].tolist() == [None, None, "f"]
    assert back["faith"].tolist() == ["Jedi", None, None]
    pd.testing.assert_series_equal(back["senior"], pd.Series([0.0, None, 1.0], name="senior"))
    pd.testing.assert_series_equal(back["age"], pd.Series([40.0, None, 43.5], name="age"))


def test_a_parquet_file_may_lack_columns_and_have_an_index_of_pandas(tmp_path: Path) -> None:
    frame = pd.DataFrame({"Who": ["a", "b"], "Gender": ["m", None]}, index=[5, 9])
    frame.to_parquet(tmp_path / "groups.parquet")
    read = read_sensitive_levels(tmp_path / "groups.parquet", CONTRACT)
    assert read["gender"].to_dict() == {"a": "m", "b": None}
    assert list(read) == ["gender"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Who,Gender,Calls\na,f,3\n", "column 'Calls': is no sensitive column of the contract: leave it out"),
        ("Who,Gendre\na,f\n", "column 'Gendre': is no sensitive column"),
        ("Gender\nf\n", "column 'who': column is missing"),
        ("Who\na\n", "has none of the sensitive columns (gender, faith, senior, age)"),
        ("Who,Gender\n", "has no rows"),
        ("Who,Gender\na,x\n", "row 2, column 'gender': unknown level (known: f, m)"),
        ("Who,Gender\na,f\n,m\n", "row 3, column 'who': must name the customer"),
        ("Who,Gender\na,f\nb,m\n a ,m\n", "row 4, column 'who': the customer is there twice"),
        ("Who,Age\na,-1\n", "column 'age': must be at least 0"),
        (f"Who,Faith\na,{'x' * 129}\n", "column 'faith': must have at most 128 characters"),
        ("Who,Faith\na,x\x07y\n", "column 'faith': must not contain control characters"),
    ],
)
def test_whatever_is_not_asked_for_or_not_known_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ContractError) as refused:
        read_sensitive_levels(written(tmp_path, text), CONTRACT)
    assert said in str(refused.value)


def test_a_contract_without_sensitive_columns_takes_no_file(tmp_path: Path) -> None:
    plain = Contract.model_validate({"name": "plain", "columns": COLUMNS[:2]})
    with pytest.raises(InputError, match="'plain' has no column of the role `sensitive`"):
        read_sensitive_levels(written(tmp_path, "Who\na\n"), plain)


def test_what_todays_contract_does_not_know_is_not_known() -> None:
    known = {"a": {"gender": "x", "senior": "maybe", "age": "old", "shoes": "38"}}
    assert sensitive_frame(["a"], known, CONTRACT).empty
