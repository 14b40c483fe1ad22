from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn.contract import RESERVED, Contract, parse_contract
from churn.contract_draft.draft import Draft, draft_contract
from churn.contract_draft.naming import free_name, snake_case
from churn.customers.customer import request_model
from churn.customers.frame import frame_from_records
from churn.data.dataset import read_dataset
from churn.errors import ContractError, InputError
from tests.ibm_like import ibm_like
from tests.texts import CHARACTERS

ROWS = 24
CHURN = ["Yes", "No", "No"] * (ROWS // 3)
SPENT = [round(7.5 * n, 2) for n in range(ROWS)]


def draft(
    folder: Path,
    target: str | None = None,
    *,
    true_level: str | None = None,
    churn: list[Any] | None = None,
    **columns: list[Any],
) -> Draft:
    path = folder / "export.csv"
    outcome = {} if churn == [] else {"Churn": churn or CHURN}
    pd.DataFrame({"Spent": SPENT, **columns, **outcome}).to_csv(path, index=False)
    return draft_contract(path, target, true_level)


def refused(folder: Path, target: str | None = None, **columns: Any) -> str:
    with pytest.raises(InputError) as error:
        draft(folder, target, **columns)
    assert "\n" not in str(error.value)
    return str(error.value)


def drafted(folder: Path, name: str, values: list[Any]) -> dict[str, Any]:
    """What a column of this name and these values becomes."""
    guesses = draft(folder, **{name: values}).columns
    return next(guess.column for guess in guesses if guess.column["source"] == name)


# The whole


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Draft:
    path = tmp_path_factory.mktemp("ibm") / "ibm.csv"
    ibm_like(2_000).to_csv(path, index=False)
    return draft_contract(path)


def test_the_draft_of_the_ibm_sample_is_what_a_person_would_write(sample: Draft) -> None:
    contract = sample.contract
    assert contract.id_column is not None
    assert contract.id_column.source == "customerID"
    assert [c.source for c in contract.sensitive] == ["gender", "SeniorCitizen", "Partner", "Dependents"]
    kinds = {column.name: column.kind for column in contract.features}
    assert [name for name, kind in kinds.items() if kind in ("number", "integer")] == [
        "tenure",
        "monthly_charges",
        "total_charges",
    ]
    assert [name for name, kind in kinds.items() if kind == "flag"] == ["phone_service", "paperless_billing"]
    assert len(kinds) == 15
    assert contract["internet_service"].levels == ("DSL", "Fiber optic", "No")
    assert contract["total_charges"].nullable
    assert [column.name for column in contract.features if column.nullable] == ["total_charges"]
    assert (contract["tenure"].minimum, contract["tenure"].maximum, contract["tenure"].unit) == (0, None, None)
    senior, outcome = contract["senior_citizen"], contract.target
    assert (senior.true_level, senior.false_level) == ("1", "0")
    assert (outcome.column, outcome.source, outcome.true_level, outcome.false_level) == ("churn", "Churn", "Yes", "No")


def test_every_sensitive_and_ignored_column_says_why_above_it(sample: Draft, tmp_path: Path) -> None:
    lines = sample.text.splitlines()
    sensitive = [n for n, line in enumerate(lines) if line.startswith("  - ") and "role: sensitive" in line]
    assert len(sensitive) == 4
    assert all(lines[n - 1] == "  # sensitive, by its name" for n in sensitive)
    assert "delete the role" in sample.text[: sample.text.index("name:")]
    lines = draft(tmp_path, plan=["A"] * ROWS).text.splitlines()
    (ignored,) = [n for n, line in enumerate(lines) if "role: ignored}" in line]
    assert lines[ignored - 1] == "  # ignored: it is the same for everybody"


def test_the_draft_of_the_telecom_data_has_the_packaged_contracts_kinds(contract: Contract, real_data: Path) -> None:
    found = draft_contract(real_data).contract
    assert [(c.name, c.source, c.kind) for c in found.columns] == [(c.name, c.source, c.kind) for c in contract.columns]
    assert {c.name: c.levels for c in found.columns} == {c.name: c.levels for c in contract.columns}
    assert (found.target.true_level, found.target.false_level) == ("True", "False")


def test_a_customer_like_those_of_the_file_may_be_asked_about(sample: Draft) -> None:
    row = ibm_like(1).iloc[0]
    asked = {column.name: row[column.source] for column in sample.contract.features if not isinstance(row[column.source], str)}
    asked = {name: float(value) for name, value in asked.items()}
    asked |= {c.name: row[c.source] for c in sample.contract.features if c.kind in ("flag", "category")}
    customer = request_model(sample.contract).model_validate(asked)
    assert frame_from_records([customer.features()], sample.contract)["total_charges"].isna().all()


# Kinds


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("Calls", [0, 1, 2, 3] * 6, {"kind": "integer", "minimum": 0}),
        ("Calls", [0, 1, 2, ""] * 6, {"kind": "integer", "minimum": 0, "nullable": True}),
        ("Balance", [-1, 1, 2, 3] * 6, {"kind": "integer"}),
        ("Balance", ["1.5", " ", "2", "3e2"] * 6, {"kind": "number", "minimum": 0, "nullable": True}),
        ("Balance", [1e90, 2, 3, 4] * 6, {"kind": "number", "minimum": 0}),
        ("Plan", ["Yes", "No", "yes", "No"] * 6, {"kind": "flag"}),
        ("Plan", ["Y", "N", "", "N"] * 6, {"kind": "flag", "true_level": "Y", "false_level": "N", "nullable": True}),
        ("Plan", ["1.0", "0.0"] * 12, {"kind": "flag", "true_level": "1", "false_level": "0"}),
        ("Plan", ["TRUE", "FALSE"] * 12, {"kind": "flag", "true_level": "TRUE", "false_level": "FALSE"}),
        ("Plan", ["Yes", "No", "No phone"] * 8, {"kind": "category", "levels": ["No", "No phone", "Yes"]}),
        ("Plan", ["gold", ""] * 12, {"kind": "category", "levels": ["gold"], "nullable": True}),
        ("Offer", ["A", "None", "B"] * 8, {"kind": "category", "levels": ["A", "B", "None"]}),
        ("Area code", [408, 415, 510] * 8, {"kind": "category", "levels": ["408", "415", "510"]}),
        ("Area code", list(range(1000, 1000 + ROWS)), {"kind": "category", "role": "ignored"}),
        ("Since", ["2024-01-31", "2024-02-01"] * 12, {"kind": "category", "role": "ignored"}),
        ("Since", ["1/31/24 10:15", "2/1/24 09:00"] * 12, {"kind": "category", "role": "ignored"}),
        ("Comment", [f"said {n % 20}" for n in range(ROWS)], {"kind": "category", "role": "ignored"}),
        ("Version", ["7"] * ROWS, {"kind": "category", "role": "ignored"}),
        ("Nothing", [""] * ROWS, {"kind": "category", "role": "ignored"}),
        ("Row", list(range(1, ROWS + 1)), {"kind": "category", "role": "ignored"}),
        ("Churn Reason", ["price", "network", ""] * 8, {"kind": "category", "role": "ignored"}),
        ("Churn Score", [90, 20, 30] * 8, {"kind": "category", "role": "ignored"}),
        ("Age", [30, 40, "", 50] * 6, {"kind": "integer", "role": "sensitive"}),
        ("is_female", [1, 0] * 12, {"kind": "flag", "role": "sensitive", "true_level": "1", "false_level": "0"}),
        ("Marital status", ["single", "married"] * 12, {"kind": "category", "role": "sensitive"}),
        ("Nationality", [f"country {n}" for n in range(ROWS)], {"kind": "category", "role": "sensitive"}),
        ("Handset age", [3, 4, 6, 5] * 6, {"kind": "integer", "minimum": 0}),
        ("Message count", [3, 4, 6, 5] * 6, {"kind": "integer", "minimum": 0}),
        ("Customer ID", list(range(100, 100 + ROWS)), {"kind": "category", "role": "id"}),
        ("phone number", [f"382-{n}" for n in range(ROWS)], {"kind": "category", "role": "id"}),
        ("Reference", [f"ref {n}" for n in range(ROWS)], {"kind": "category", "role": "id"}),
    ],
)
def test_a_column_is_guessed_from_its_name_and_values(
    tmp_path: Path, name: str, values: list[Any], expected: dict[str, Any]
) -> None:
    found = drafted(tmp_path, name, values)
    assert {key: value for key, value in found.items() if key not in ("name", "source")} == expected


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "spent": SPENT,
            "plan": pd.array([True, None, False] * 8, dtype="boolean"),
            "calls": pd.array([1, None, 3] * 8, dtype="Int64"),
            "since": pd.Timestamp("2024-01-31"),
            "line": pd.Categorical(["DSL", "Fiber", "DSL"] * 8),
            "churn": [True, False, False] * 8,
        }
    )
    frame.loc[0, "since"] = pd.Timestamp("2024-02-01")
    frame.to_parquet(tmp_path / "export.parquet")
    contract = draft_contract(tmp_path / "export.parquet").contract
    assert {c.name: (c.kind, c.role, c.nullable) for c in contract.columns} == {
        "spent": ("number", "feature", False),
        "plan": ("flag", "feature", True),
        "calls": ("integer", "feature", True),
        "since": ("category", "ignored", False),
        "line": ("category", "feature", False),
    }


def test_none_as_a_level_is_pointed_out(tmp_path: Path) -> None:
    assert "'None' stays a level; if it means a missing value here" in draft(tmp_path, Offer=["A", "None", "B"] * 8).text


# The customer


def test_the_id_that_is_unique_is_taken_and_other_ids_are_ignored(tmp_path: Path) -> None:
    columns = {"account_id": [7, 8] * 12, "customer_no": list(range(50, 50 + ROWS)), "order id": list(range(9, 9 + ROWS))}
    assert {c.source: c.role for c in draft(tmp_path, **columns).contract.columns} == {
        "Spent": "feature",
        "account_id": "feature",
        "customer_no": "id",
        "order id": "ignored",
    }


def test_a_customer_who_is_there_twice_is_named(tmp_path: Path) -> None:
    said = refused(tmp_path, customerID=[n % 20 for n in range(ROWS)])
    assert "row 22, column 'customer': the customer is there twice" in said
    assert "and 3 more" in said


# The target


@pytest.mark.parametrize(
    ("name", "values", "levels"),
    [
        ("CHURN", ["y", "n"], ("y", "n")),
        ("Exited", [1, 0], ("1", "0")),
        ("is_churn", [False, True], ("True", "False")),
        ("Attrition_Flag", ["Existing Customer", "Attrited Customer"], ("Attrited Customer", "Existing Customer")),
        ("churn label", ["YES", "no"], ("YES", "no")),
        ("CHURN", [-1, 1], ("1", "-1")),
        ("CHURN", [-1.0, 1.0], ("1.0", "-1.0")),
        ("Exited", ["inactive", "active"], ("inactive", "active")),
        ("left", ["Existing", "Former"], ("Former", "Existing")),
    ],
)
def test_the_target_is_found_by_its_name(tmp_path: Path, name: str, values: list[Any], levels: tuple[str, str]) -> None:
    contract = draft(tmp_path, churn=[], **{name: values * 12}).contract
    target = contract.target
    assert (target.column, target.source, target.true_level, target.false_level) == ("churn", name, *levels)
    assert contract.feature_names == ["spent"]


@pytest.mark.parametrize(
    ("name", "values", "levels"),
    [
        ("retained", [1, 0], ("0", "1")),
        ("is_active", ["Yes", "No"], ("No", "Yes")),
        ("Renewed", [-1, 1], ("-1", "1")),
        ("not_renewed", [1, 0], ("1", "0")),
        ("inactive", [1, 0], ("1", "0")),
        ("status", ["active", "suspended"], ("suspended", "active")),
        ("status", ["inactive", "active"], ("inactive", "active")),
        ("status", ["not active", "active"], ("not active", "active")),
    ],
)
def test_an_outcome_that_says_who_stayed_is_turned_round(
    tmp_path: Path, name: str, values: list[Any], levels: tuple[str, str]
) -> None:
    target = draft(tmp_path, name, churn=[], **{name: values * 12}).contract.target
    assert (target.true_level, target.false_level) == levels


@pytest.mark.parametrize(
    ("name", "values"), [("Plan", ["gold", "red"]), ("Group", [1, 2]), ("Retained", [1, 0]), ("Cost", [1.5, 2.5])]
)
def test_the_level_of_who_left_may_be_named(tmp_path: Path, name: str, values: list[Any]) -> None:
    for left, stayed in (map(str, values), map(str, reversed(values))):
        target = draft(tmp_path, name, true_level=left, churn=[], **{name: values * 12}).contract.target
        assert (target.true_level, target.false_level) == (left, stayed)
    with pytest.raises(InputError, match="has no level 'blue'; it has "):
        draft(tmp_path, name, true_level="blue", churn=[], **{name: values * 12})


def test_several_possible_targets_are_listed_and_one_may_be_named(tmp_path: Path) -> None:
    columns: dict[str, Any] = {"churn": [], "Churn Label": CHURN, "Churn Value": [1, 0, 0] * 8}
    said = refused(tmp_path, **columns)
    assert "'Churn Label', 'Churn Value' may all be the outcome; name it with --target" in said
    contract = draft(tmp_path, "Churn Label", **columns).contract
    assert contract.target.source == "Churn Label"
    assert {c.source: c.role for c in contract.columns} == {"Spent": "feature", "Churn Value": "ignored"}


def test_a_file_without_a_target_lists_what_has_two_levels(tmp_path: Path) -> None:
    said = refused(tmp_path, churn=[], Plan=CHURN, Calls=[1, 2, 3] * 8)
    assert "name it with --target" in said
    assert "Two levels have: 'Plan'" in said
    assert "Two levels have: none" in refused(tmp_path, churn=[])
    assert draft(tmp_path, "Plan", churn=[], Plan=CHURN).contract.target.source == "Plan"


@pytest.mark.parametrize(
    ("target", "columns", "words"),
    [
        ("Plan", {}, "there is no column 'Plan'"),
        ("Calls", {"Calls": [1, 2, 3] * 8}, "'Calls' has 3 levels"),
        ("Plan", {"Plan": ["gold", "red"] * 12}, "'gold', 'red' means that the customer left? Name it with --true-level"),
        ("Cost", {"Cost": [1.5, 2.5] * 12}, "which of '1.5', '2.5' means that the customer left"),
        ("Cost", {"Cost": [1, 2] * 12}, "which of '1', '2' means that the customer left"),
        (None, {"churn": ["No"] * ROWS}, "'Churn' has one level only ('No'), and both outcomes are needed"),
        (None, {"churn": ["Yes", "No", ""] * 8}, "row 4, column 'churn': must be Yes or No, not blank"),
    ],
)
def test_what_cannot_be_a_target_is_refused(tmp_path: Path, target: str | None, columns: dict[str, Any], words: str) -> None:
    assert words in refused(tmp_path, target, **columns)


def test_a_file_with_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("customerID,gender,Churn\n1,Male,Yes\n2,Female,No\n")
    with pytest.raises(InputError, match="no column is left to learn from"):
        draft_contract(path)
    path.write_text("tenure,Churn\n")
    with pytest.raises(ContractError, match="no rows"):
        draft_contract(path)


# Names


@pytest.mark.parametrize("source", ["churned", "schema", "features", "model_dump"])
def test_reserved_names_are_not_given(tmp_path: Path, source: str) -> None:
    column = draft(tmp_path, **{source: [1, 5, 7] * 8}).columns[1].column
    assert column["name"] not in RESERVED


def test_names_are_not_given_twice_nor_how_another_column_is_spelled(tmp_path: Path) -> None:
    columns = {"Day Minutes": [1, 2, 4] * 8, "day_minutes": [1, 2, 4] * 8, "day-minutes": [1, 2, 4] * 8, "churn": CHURN}
    path = tmp_path / "export.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    names = {c.source: c.name for c in draft_contract(path).contract.columns}
    assert names == {"Day Minutes": "day_minutes_2", "day_minutes": "day_minutes", "day-minutes": "day_minutes_3"}


@pytest.mark.parametrize("text", ["a\x85b", "a\u2028b", "a\nb", "a: b", "# a", "'a\"b", "größer", "No", "null", "{a}"])
def test_names_and_levels_are_spelled_so_that_yaml_reads_them_again(tmp_path: Path, text: str) -> None:
    contract = draft(tmp_path, **{f"{text}plan": [f"{text}1", "other", text] * 8}).contract
    assert contract.columns[1].source == f"{text}plan"
    assert f"{text}1" in contract.columns[1].levels


@given(st.text(CHARACTERS, max_size=12), st.sets(st.sampled_from(["a", "b", "column", "column_2", "a_2"])))
def test_every_spelling_has_a_valid_name(spelling: str, taken: set[str]) -> None:
    name = free_name(snake_case(spelling), taken)
    assert name not in taken
    parse_contract(f"name: x\ncolumns: [{{name: {name!r}, source: x, kind: number}}]", "x")


# Whatever the file holds, a contract that was drafted from it is kept by it.

CELLS = st.one_of(
    st.sampled_from(
        ["", " ", "Yes", "No", "no", "None", "NA", "null", "1", "0", "1.0", "-3", "2.5e3", "1e999", "2024-01-31", "true"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(str),
)
HEADINGS = st.one_of(
    st.sampled_from(["", "Age", "age", "customerID", "customer_id", "id", "Churn Reason", "zip code", "schema", "Überschrift"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
)
TABLES = st.integers(2, 30).flatmap(
    lambda rows: st.lists(
        st.tuples(
            HEADINGS,
            st.lists(CELLS, min_size=1, max_size=4).flatmap(
                lambda seen: st.lists(st.sampled_from(seen), min_size=rows, max_size=rows)
            ),
        ),
        max_size=5,
    )
)


# Two rows of one customer, and ids that a spreadsheet rounded or could not work out.
NO_CONTRACT_LIFTS = ("the customer is there twice", "is rounded, as spreadsheets", "is what a spreadsheet writes for a formula")


def rules_broken(path: Path) -> set[str]:
    with pytest.raises(ContractError) as error:
        draft_contract(path, "Churn")
    return {problem.rule for problem in error.value.problems}


@settings(max_examples=25)
@given(TABLES)
def test_a_file_keeps_the_contract_that_is_drafted_from_it(table: list[tuple[str, list[str]]]) -> None:
    rows = len(table[0][1]) if table else 4
    # Two spellings that differ in blanks only are one: a file must not have both.
    columns = {"Spent": [f"{n}.5" for n in range(rows)]} | {name.strip(): cells for name, cells in table}
    columns["Churn"] = ["Yes" if n % 2 else "No" for n in range(rows)]
    text = io.StringIO()
    pd.DataFrame({name: cells for name, cells in columns.items() if len(cells) == rows}).to_csv(
        text, index=False, quoting=csv.QUOTE_ALL
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.csv"
        path.write_text(text.getvalue(), "utf-8", newline="")
        try:
            found = draft_contract(path, "Churn")
        except ContractError:
            # That no contract can lift.
            found = None
        if found is None:
            broken = rules_broken(path)
            assert broken
            assert all(rule.startswith(NO_CONTRACT_LIFTS) for rule in broken)
        else:
            again = parse_contract(found.text, "again")
            assert again.model_dump() == found.contract.model_dump()
            assert len(read_dataset(path, again)) == rows
