from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from churn.contract import Column, Contract, load_contract
from churn.customers.columns import CustomerColumns
from service.formats import validation as columns_module
from service.formats.arrow_columns import check_schema, from_table
from service.formats.records import from_columns, from_records, from_rows
from service.formats.validation import ColumnRules
from service.http.errors import RequestProblem, TooLarge, Unprocessable
from service.schemas.native import RequestModels
from tests.texts import CHARACTERS

MIXED = Contract(
    name="mixed",
    columns=(
        Column(name="spent", source="Spent", kind="number"),
        Column(name="share", source="Share", kind="number", minimum=-1, maximum=1, nullable=True),
        Column(name="calls", source="Calls", kind="integer", minimum=0),
        Column(name="plan", source="Plan", kind="flag", true_level="Ja", false_level="Nein"),
        Column(name="zone", source="Zone", kind="category", levels=("1", "07", "N/A", "ß"), nullable=True),
        Column(name="region", source="Region", kind="category", levels=("N", "S")),
    ),
)
CUSTOMER = RequestModels.from_contract(MIXED, 100).customer
RULES = ColumnRules(MIXED, CUSTOMER)
TELECOM = load_contract()
TELECOM_RULES = ColumnRules(TELECOM, RequestModels.from_contract(TELECOM, 100).customer)

odd_numbers = [
    0,
    1,
    -0.0,
    1.0,
    1.5,
    -1,
    7,
    7.0,
    1e308,
    1e-300,
    2**53 + 1,
    2**63,
    1e9 + 0.5,
    1000000.0005,
    float("inf"),
    float("nan"),
]
odd_texts = ["", "1", "12", "N", "ja", "JA", "jA", "Nein", "true", "N/A", "07", "ß", "ss", "\x00", "\U0001f600"]
odd = st.sampled_from([None, True, False, [], {}, [1], *odd_numbers, *odd_texts])
plain = {
    "spent": st.floats(allow_nan=False) | st.integers(-(2**63), 2**64 - 1),
    "share": st.floats(-1, 1) | st.none(),
    "calls": st.integers(0, 10**6) | st.floats(0, 10),
    "plan": st.sampled_from([True, False, 0, 1, "Ja", "nein", "JA"]),
    "zone": st.sampled_from(["1", "07", 1, "N/A", None]),
    "region": st.sampled_from(["N", "S"]),
    "customer_id": st.text(CHARACTERS, max_size=3)
    | st.none()
    | st.sampled_from(["c-1", "x" * 128, "x" * 129, "a\nb", "a\x00b", 17]),
}
records = st.fixed_dictionaries({}, optional={name: values | odd for name, values in plain.items()})
good = st.fixed_dictionaries(
    {"plan": plain["plan"], "region": plain["region"]}, optional={"share": plain["share"], "zone": plain["zone"]}
)
foreign = st.dictionaries(st.sampled_from(["shoe_size", "", "spent "]), odd, max_size=1)


def verdict(record: Any) -> dict[str, Any] | list[tuple[str, str]]:
    """The request model's: the features, or what is wrong."""
    try:
        customer = CUSTOMER.model_validate(record)
    except ValidationError as error:
        return [("".join(f".{part}" for part in e["loc"]), e["msg"].removeprefix("Value error, ")) for e in error.errors()]
    return {**customer.features(), "customer_id": customer.customer_id}


def read(customers: CustomerColumns, row: int, contract: Contract) -> dict[str, Any]:
    ids = customers.customer_ids
    return {**orjson.loads(customers.feature_texts(contract)[row]), "customer_id": None if ids is None else ids[row]}


def problems(error: RequestProblem) -> list[tuple[str, str]]:
    return [(problem.field, problem.problem) for problem in error.errors]


def attempt(read_them: Callable[[], CustomerColumns]) -> CustomerColumns | list[tuple[str, str]]:
    try:
        return read_them()
    except Unprocessable as error:
        return problems(error)


@given(st.lists(st.builds(dict.__or__, records, foreign) | good, min_size=1, max_size=6))
@example([{"plan": True, "region": "N", "calls": 1, "spent": float("nan")}])
@example([{"calls": 1000000000.5, "plan": 1, "region": "N"}])
@example([{"plan": True, "region": "N", "spent": 1}, {"plan": True, "region": "N"}, {}])
@example([{"customer_id": "c"}, {"plan": "JA", "region": "N"}])
@settings(max_examples=200)
def test_every_customer_has_the_request_models_verdict(customers: list[dict[str, Any]]) -> None:
    expected = [verdict(customer) for customer in customers]
    wrong = [(row, one) for row, one in enumerate(expected) if isinstance(one, list)]
    if wrong:
        with pytest.raises(Unprocessable) as error:
            from_records(customers, RULES, "customers", 100)
        assert problems(error.value) == [(f"customers.{row}{field}", problem) for row, one in wrong for field, problem in one]
        return
    got = from_records(customers, RULES, "customers", 100)
    for row, one in enumerate(expected):
        assert read(got, row, MIXED) == pytest.approx(one)


@given(st.lists(good, min_size=1, max_size=6))
def test_rows_and_columns_are_read_as_records_are(customers: list[dict[str, Any]]) -> None:
    names = ["plan", "region", "share", "zone"]
    whole = [{name: one.get(name) for name in names} for one in customers]
    by_record = from_records(whole, RULES, "x", 100)
    by_row = from_rows([list(one.values()) for one in whole], names, RULES, "x", 100)
    by_column = from_columns({name: [one[name] for one in whole] for name in names}, RULES, "x", 100)
    for other in (by_row, by_column):
        for name, values in by_record.values.items():
            np.testing.assert_array_equal(values, other.values[name])


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "account_length": st.none() | st.integers(-2, 10_003),
                "total_day_minutes": st.none() | st.floats(-1, 44641),
                "international_plan": st.none() | st.sampled_from(["yes", "No", "maybe"]),
                "area_code": st.none() | st.sampled_from([408, 415, 416]),
                "state": st.none() | st.sampled_from(["OH", "KS", "oh", ""]),
                "customer_id": st.none() | st.text("ab\n", max_size=2),
            }
        ),
        min_size=1,
        max_size=5,
    )
)
def test_arrow_columns_have_the_same_verdict_as_json(customers: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(customers)
    check_schema(table.schema, TELECOM_RULES)
    expected = attempt(lambda: from_records(customers, TELECOM_RULES, "rows", 100))
    if isinstance(expected, list):
        assert attempt(lambda: from_table(table, TELECOM_RULES, 2**24)) == expected
        return
    got = from_table(table, TELECOM_RULES, 2**24)
    assert list(got.values) == TELECOM.feature_names
    for name, values in expected.values.items():
        np.testing.assert_array_equal(values, got.values[name])
        assert values.dtype == got.values[name].dtype
    assert list(got.customer_ids or []) == list(expected.customer_ids or [])


def test_more_rows_than_allowed_are_told_before_they_are_read() -> None:
    for read_them in (
        lambda: from_records([{"plan": "?"}] * 4, RULES, "x", 3),
        lambda: from_rows([["?"]] * 4, ["plan"], RULES, "x", 3),
        lambda: from_columns({"plan": ["?"] * 4}, RULES, "x", 3),
    ):
        with pytest.raises(TooLarge):
            read_them()


@pytest.mark.parametrize(
    ("data", "names", "field"),
    [
        ([[1, 2]], ["plan"], "x.0"),
        ([[1], [1, 2]], ["plan"], "x.1"),
        ([[1], 5], ["plan"], "x.1"),
        ([[1]], ["plan", "plan"], "x.plan"),
        ([[1]], ["shoe_size"], "x.shoe_size"),
        ([[1]], [5], "x.5"),
        ([[1]], [["plan"]], "x.['plan']"),
        ([], ["plan"], "body"),
        ({}, ["plan"], "x"),
        ([[]], [], "x.0.plan"),
    ],
)
def test_tables_that_are_none_are_named(data: Any, names: list[Any], field: str) -> None:
    with pytest.raises(Unprocessable) as error:
        from_rows(data, names, RULES, "x", 100)
    assert field in [problem.field for problem in error.value.errors]


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(Unprocessable) as error:
        from_columns({"plan": [1], "region": ["N", "S"]}, RULES, "x", 100)
    assert "same number" in error.value.errors[0].problem


def test_the_first_hundred_problems_are_listed_and_all_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unprocessable) as error:
        from_records([{"state": "?"}] * 150, TELECOM_RULES, "customers", 1000)
    assert str(error.value) == "150 problems found; the first 100 are listed."
    assert len(error.value.errors) == 100
    monkeypatch.setattr(columns_module, "MAX_COUNTED_PROBLEMS", 120)
    with pytest.raises(Unprocessable, match="More than 120 problems found"):
        from_records([{"state": "?"}] * 150, TELECOM_RULES, "customers", 1000)


def test_the_first_unknown_columns_are_likened_to_known_ones_and_all_are_named() -> None:
    names = [f"total_day_minute{letter}" for letter in "abcd"]
    with pytest.raises(Unprocessable) as error:
        from_columns({"plan": [1], "total_day_minutes": [1.0], **{name: [1.0] for name in names}}, TELECOM_RULES, "x", 100)
    like, unlike = "unknown field; did you mean `total_day_minutes`?", "unknown field"
    said = problems(error.value)
    assert said[1:] == [*((f"x.{name}", like) for name in names[:2]), *((f"x.{name}", unlike) for name in names[2:])]
    assert said[0][0] == "x.plan"


def test_a_required_column_that_is_absent_is_named_for_each_customer() -> None:
    with pytest.raises(Unprocessable) as error:
        from_columns({"plan": [True, False]}, RULES, "x", 100)
    assert problems(error.value) == [("x.0.region", "must not be missing"), ("x.1.region", "must not be missing")]
