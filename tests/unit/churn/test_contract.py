from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from churn.contract import Contract, load_contract
from churn.errors import InputError

FLAG = {"name": "plan", "source": "Plan", "kind": "flag"}
CALLS = {"name": "calls", "source": "Calls", "kind": "integer", "minimum": 0}
BILL = {"name": "bill", "source": "Bill", "kind": "number"}


def load(tmp_path: Path, *columns: dict[str, Any], **rest: Any) -> Contract:
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump({"name": "shop", "columns": list(columns), **rest}))
    return load_contract(path)


def test_telecom_describes_the_issues_columns(contract: Contract) -> None:
    assert len(contract.features) == 19
    assert len(contract.numeric_features) == 17
    assert [column.name for column in contract.features if not column.is_numeric] == ["state", "area_code"]
    assert {check.column: check.times for check in contract.checks} == {
        "total_day_charge": 0.17,
        "total_eve_charge": 0.085,
        "total_night_charge": 0.045,
        "total_intl_charge": 0.27,
    }
    assert len(contract["state"].levels) == 51


def test_digest_stands_for_the_file(tmp_path: Path) -> None:
    first = load(tmp_path, CALLS)
    assert first.digest == load(tmp_path, CALLS).digest
    assert first.digest != load(tmp_path, {**CALLS, "maximum": 9}).digest


def test_a_text_is_parsed_once_and_a_changed_file_is_read(tmp_path: Path) -> None:
    assert load_contract("telecom") is load_contract("telecom")
    first = load(tmp_path, CALLS)
    assert load(tmp_path, CALLS) is first
    assert load(tmp_path, CALLS, BILL).feature_names == ["calls", "bill"]


def test_roles_decide_what_a_model_may_use(tmp_path: Path) -> None:
    number = {"name": "customer", "source": "No.", "kind": "category", "role": "id"}
    gender = {"name": "gender", "source": "Gender", "kind": "category", "role": "sensitive"}
    shop = load(tmp_path, number, gender, FLAG, CALLS)
    assert shop.feature_names == shop.numeric_features == ["plan", "calls"]
    assert [column.name for column in shop.sensitive] == ["gender"]
    assert shop.id_column is not None
    assert shop.id_column.name == "customer"
    with pytest.raises(KeyError):
        shop["nothing"]


@pytest.mark.parametrize(
    ("columns", "rest", "rule"),
    [
        ([CALLS, CALLS], {}, "'calls' is described twice"),
        ([CALLS, {**BILL, "source": "Calls"}], {}, "two columns are spelled 'Calls'"),
        ([CALLS, {**BILL, "source": "calls"}], {}, "two columns are spelled 'calls'"),
        ([{**BILL, "source": "Churn"}], {}, "two columns are spelled 'Churn'"),
        ([{**BILL, "name": "churn"}], {}, "the target 'churn' is also a column"),
        ([{**BILL, "name": "churn_probability"}], {}, "is reserved"),
        ([{**BILL, "name": "features"}], {}, "is reserved"),
        ([{**BILL, "name": "schema"}], {}, "is reserved"),
        ([{**BILL, "name": "Bill"}], {}, "columns.0.name"),
        ([{**BILL, "colour": "red"}], {}, "columns.0.colour"),
        ([{**BILL, "minimum": 2, "maximum": 1}], {}, "minimum is above maximum"),
        ([{**BILL, "minimum": float("nan")}], {}, "finite"),
        ([{**BILL, "kind": "category"}], {}, "needs its levels"),
        ([{**BILL, "kind": "category", "levels": ["a", "a"]}], {}, "listed twice"),
        ([{**BILL, "kind": "category", "levels": ["\u00fc", "u\u0308"]}], {}, "listed twice"),
        ([{**BILL, "levels": ["a"]}], {}, "only a category has levels"),
        ([{**FLAG, "true_level": "yes", "false_level": "YES"}], {}, "both levels"),
        ([{**BILL, "role": "ignored"}], {}, "no column has the role 'feature'"),
        ([BILL, {**CALLS, "role": "id"}, {**FLAG, "role": "id"}], {}, "'calls' and 'plan' both have the role 'id'"),
        ([], {}, "columns"),
        ([BILL], {"checks": [{"column": "bill", "equals": "calls", "times": 1, "tolerance": 1}]}, "a check names 'calls'"),
        (
            [BILL, {**CALLS, "role": "ignored"}],
            {"checks": [{"column": "bill", "equals": "calls", "times": 1, "tolerance": 1}]},
            "a check names 'calls'",
        ),
        ([BILL, CALLS], {"checks": [{"column": "bill", "equals": "calls", "times": 1, "tolerance": 0}]}, "checks.0.tolerance"),
    ],
)
def test_a_wrong_contract_is_refused_by_field_and_rule(
    tmp_path: Path, columns: list[dict[str, Any]], rest: dict[str, Any], rule: str
) -> None:
    with pytest.raises(InputError, match=r"shop\.yaml") as error:
        load(tmp_path, *columns, **rest)
    assert rule in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("text", "rule"), [("a: [", "not YAML"), ("- a", "a mapping is expected"), ("\x00", "not YAML")])
def test_a_file_that_is_no_contract_is_refused(tmp_path: Path, text: str, rule: str) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=rule):
        load_contract(path)


def test_a_contract_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"name: caf\xe9")
    for name in ("nowhere", tmp_path, latin, "a\0b"):
        with pytest.raises(InputError, match="nor a readable YAML file"):
            load_contract(name)


def test_one_number_may_say_what_a_customer_is_worth(tmp_path: Path) -> None:
    worth = {"name": "worth", "source": "Worth", "kind": "number", "role": "value"}
    found = load(tmp_path, CALLS, worth)
    assert found.value_column == found["worth"]
    assert found.feature_names == ["calls"]
    assert found.with_value.feature_names == ["calls", "worth"]
    assert found.with_value.value_column is None
    for wrong, words in (
        ([CALLS, worth, {**worth, "name": "value", "source": "Value"}], "both have the role 'value'"),
        ([CALLS, {**worth, "kind": "flag"}], "the value of a customer is a number or an integer"),
    ):
        with pytest.raises(InputError, match=words):
            load(tmp_path, *wrong)
