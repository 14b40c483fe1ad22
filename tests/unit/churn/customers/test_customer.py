from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from churn.contract import Column, Contract
from churn.customers.customer import CustomerBase, request_model
from churn.customers.frame import frame_from_records


@pytest.fixture(scope="module")
def customer(contract: Contract) -> type[CustomerBase]:
    return request_model(contract)


def problem(model: type[CustomerBase], **fields: Any) -> tuple[tuple[int | str, ...], str]:
    with pytest.raises(ValidationError) as error:
        model(**fields)
    first = error.value.errors(include_input=False)[0]
    return first["loc"], first["msg"]


def test_fields_are_the_contracts_features(customer: type[CustomerBase], contract: Contract) -> None:
    assert list(customer.model_fields) == ["customer_id", *contract.feature_names]
    assert list(customer(total_day_minutes=1).features()) == contract.feature_names


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("total_day_minutes", 180, 180.0),
        ("total_day_minutes", 44640, 44640.0),
        ("total_day_minutes", 0, 0.0),
        ("total_day_calls", 3.0, 3.0),
        ("international_plan", "yes", True),
        ("international_plan", "No", False),
        ("international_plan", 0, False),
        ("international_plan", 1.0, True),
        ("area_code", 415, "415"),
        ("area_code", "415", "415"),
        ("area_code", 415.0, "415"),
        ("area_code", "415.0", "415"),
        ("area_code", "4.15e2", "415"),
        ("total_day_minutes", " 180 ", 180.0),
        ("total_day_calls", "3.0", 3.0),
        ("international_plan", "TRUE", True),
        ("state", "KS", "KS"),
    ],
)
def test_a_value_is_kept_in_the_type_of_its_column(customer: type[CustomerBase], field: str, given: Any, kept: Any) -> None:
    value = customer(**{field: given}).features()[field]
    assert value == kept
    assert type(value) is type(kept)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("total_day_minutes", -0.1),
        ("total_day_minutes", 44640.1),
        ("total_day_minutes", float("nan")),
        ("total_day_minutes", float("inf")),
        ("total_day_minutes", "18O"),
        ("total_day_minutes", True),
        pytest.param("total_day_minutes", 10**400, id="huge-number"),
        ("total_day_calls", 1.5),
        ("international_plan", 2),
        ("international_plan", "maybe"),
        ("international_plan", float("nan")),
        ("international_plan", []),
        ("area_code", 415.5),
        ("area_code", "0415"),
        ("area_code", True),
        pytest.param("area_code", 10**5000, id="huge-level"),
        ("area_code", ["415"]),
        ("state", "ks"),
        ("minutes", 1),
        ("customer_id", 17.5),
        ("customer_id", True),
        ("customer_id", 2**64),
        ("customer_id", 1e16),
        ("customer_id", []),
        ("customer_id", "a" * 129),
        ("customer_id", "a\x00b"),
        ("customer_id", "a\nb"),
        ("customer_id", "\ud800"),
    ],
)
def test_what_is_refused_names_its_field(customer: type[CustomerBase], field: str, given: Any) -> None:
    location, _ = problem(customer, **{"account_length": 1, field: given})
    assert location[0] == field


@pytest.mark.parametrize("given", ['{"total_day_minutes": 1e999}', '{"total_day_calls": %s}' % ("9" * 500), '{"state": 1}'])
def test_json_of_impossible_numbers_is_refused(customer: type[CustomerBase], given: str) -> None:
    with pytest.raises(ValidationError):
        customer.model_validate_json(given)


def test_an_empty_customer_is_refused(customer: type[CustomerBase]) -> None:
    for fields in ({}, {"customer_id": "7"}, {"total_day_minutes": None, "state": None}):
        assert "empty customer" in problem(customer, **fields)[1]


def test_numbers_may_be_absent_where_texts_must_not_be() -> None:
    strict = Contract(
        name="strict",
        columns=(
            Column(name="spent", source="Spent", kind="number"),
            Column(name="plan", source="Plan", kind="flag"),
            Column(name="region", source="Region", kind="category", levels=("N", "S")),
        ),
    )
    model = request_model(strict)
    assert model(plan=True, region="N").features() == {"spent": None, "plan": True, "region": "N"}
    assert problem(model, spent=1, region="N") == (("plan",), "must not be missing")
    assert problem(model, spent=1, plan=None, region="N")[0] == ("plan",)
    assert problem(model, spent=1, plan=True)[0] == ("region",)


def test_schema_tells_clients_levels_bounds_and_units(customer: type[CustomerBase]) -> None:
    properties = customer.model_json_schema()["properties"]
    assert properties["area_code"]["anyOf"][0]["enum"] == ["408", "415", "510", 408, 415, 510]
    minutes = properties["total_day_minutes"]
    assert "Unit: minutes." in minutes["description"]
    assert (minutes["anyOf"][0]["minimum"], minutes["anyOf"][0]["maximum"]) == (0, 44640)
    assert {"enum": ["Yes", "No", 0, 1]} in properties["voice_mail_plan"]["anyOf"]


def test_a_request_becomes_the_frame_a_model_reads(customer: type[CustomerBase], contract: Contract) -> None:
    record = customer(total_day_minutes=180, international_plan="Yes", area_code=415).features()
    row = frame_from_records([record], contract).iloc[0]
    assert (row["total_day_minutes"], row["international_plan"], row["area_code"]) == (180.0, 1.0, "415")


def test_the_first_three_unknown_names_are_likened_to_known_ones(customer: type[CustomerBase]) -> None:
    unknown: dict[str, Any] = {f"total_day_minute{letter}": 1 for letter in "abcd"}
    with pytest.raises(ValidationError) as error:
        customer.model_validate({**unknown, "state": "OH"})
    liked = ["total_day_minutes" in one["msg"] for one in error.value.errors(include_input=False)]
    assert liked == [True, True, True, False]
    with pytest.raises(ValidationError) as error:
        customer.model_validate(unknown, context={"suggest": False})
    assert not any("total_day_minutes" in one["msg"] for one in error.value.errors(include_input=False))
