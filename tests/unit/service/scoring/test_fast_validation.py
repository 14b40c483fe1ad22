from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from churn.contract import Column, Contract, load_contract
from service.schemas.native import RequestModels
from service.scoring.fast_validation import Checked, FastValidator
from tests.texts import CHARACTERS
from tests.unit.service.fakes import CUSTOMER

CONTRACT = load_contract()
CHECK = FastValidator(CONTRACT)
MODEL = RequestModels.from_contract(CONTRACT, 10).customer


def read(customer: Any) -> Checked | None:
    return CHECK.read(json.dumps(customer).encode())


def test_a_plain_customer_is_read() -> None:
    checked = read({**CUSTOMER, "area_code": 415, "voice_mail_plan": True, "customer_id": "c-1"})
    assert checked is not None
    known = dict(zip(CONTRACT.feature_names, checked.values, strict=True))
    assert {name: value for name, value in known.items() if value is not None} == {
        "state": "OH",
        "area_code": "415",
        "international_plan": True,
        "voice_mail_plan": True,
        "total_day_minutes": 265.1,
        "customer_service_calls": 4.0,
    }
    assert type(known["customer_service_calls"]) is float
    assert checked.customer_id == "c-1"


def value_of(column: Column) -> st.SearchStrategy[Any]:
    likely: st.SearchStrategy[Any] = st.integers(0, 300) | st.floats(0, 300)
    if column.kind == "flag":
        likely = st.sampled_from(["Yes", "no", "NO", "yES", True, False, 0, 1, 1.0, "true"])
    if column.kind == "category":
        likely = st.sampled_from([*column.levels[:3], 415, 415.0, "unknown"])
    texts, lists = st.text(CHARACTERS, max_size=3), st.lists(st.none(), max_size=1)
    odd = st.none() | st.booleans() | st.floats() | st.integers() | texts | lists
    return st.one_of(likely, likely, likely, odd)


# A third of the customers have nothing odd in them.
customers = st.fixed_dictionaries({}, optional={column.name: value_of(column) for column in CONTRACT.features})
ids = st.none() | st.text(CHARACTERS, max_size=4) | st.sampled_from(["a:b", 'a"b', "é", "\x00", "x" * 128, "x" * 129])


@given(customers, st.fixed_dictionaries({}, optional={"customer_id": ids, "shoe_size": st.integers()}))
def test_what_is_accepted_is_what_the_request_model_makes_of_it(customer: dict[str, Any], more: dict[str, Any]) -> None:
    body = json.dumps(customer | more).encode()
    checked = CHECK.read(body)
    if checked is not None:
        wanted = MODEL.model_validate_json(body)
        assert checked == (list(wanted.features().values()), wanted.customer_id)
        assert list(map(type, checked.values)) == list(map(type, wanted.features().values()))


@given(customers)
def test_plain_valid_customers_do_not_take_the_long_way(customer: dict[str, Any]) -> None:
    body = json.dumps(customer).encode()
    try:
        MODEL.model_validate_json(body)
    except ValidationError:
        return
    assert CHECK.read(body) is not None or "yES" in customer.values()


@pytest.mark.parametrize(
    "body",
    [
        b'{"total_day_minutes": 1, "total_day_minutes": 2}',
        b'{"total_day_minutes" : 1, "total_day_minutes" : 2}',
        b'{"total_day_minutes": 1, "total_day_\\u006dinutes": 2}',
        b'{"total_day_minutes": NaN}',
        b'{"total_day_minutes": Infinity}',
        b'{"total_day_minutes": 1e400}',
        b'{"total_day_minutes": "1"}',
        b'{"total_day_minutes": -1}',
        b'{"total_day_calls": 1.5}',
        b'{"total_day_minutes": 1, "shoe_size": 2}',
        b'{"customer_id": "c"}',
        b'{"total_day_minutes": null}',
        b'{"total_day_minutes": 1, "customer_id": "a:b"}',
        b'{"total_day_minutes": 1, "customer_id": "a\\u0000"}',
        b"[]",
        b"{}",
        b"",
        b"\xff",
        b'{"total_day_minutes": 1',
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_not_certain_is_left_to_the_request_model(body: bytes) -> None:
    assert CHECK.read(body) is None


def test_columns_that_may_not_be_missing_are_asked_for() -> None:
    strict = Contract(
        name="strict",
        columns=(
            Column(name="plan", source="Plan", kind="category", levels=("a",)),
            Column(name="age", source="Age", kind="number"),
        ),
    )
    check = FastValidator(strict)
    assert check.read(b'{"plan": "a"}') == (["a", None], None)
    assert check.read(b'{"age": 1}') is None
    assert check.read(b'{"age": 1, "plan": null}') is None
