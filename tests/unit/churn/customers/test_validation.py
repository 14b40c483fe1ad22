"""A table has the verdict of its customers one by one. (Over HTTP: tests/unit/service/formats/test_validation.py.)"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from churn.contract import Column, Contract
from churn.customers import validation as module
from churn.customers.columns import CustomerColumns
from churn.customers.customer import request_model
from churn.customers.validation import CustomerRules, Table

CONTRACT = Contract(
    name="small",
    columns=(
        Column(name="paid", source="Paid", kind="number", minimum=0, maximum=10),
        Column(name="plan", source="Plan", kind="flag", nullable=True),
        Column(name="state", source="State", kind="category", levels=("OH", "KS"), nullable=True),
    ),
)
STRICT = CONTRACT.model_copy(
    update={"columns": (CONTRACT.columns[0], CONTRACT.columns[1].model_copy(update={"nullable": False}))}
)
Refused = dict[int, list[str] | None]


def rules_of(contract: Contract = CONTRACT) -> CustomerRules:
    return CustomerRules(contract, request_model(contract))


def table_of(rows: list[Any], rules: CustomerRules, ids: list[Any] | None = None, **changes: Any) -> Table:
    plain = [row if isinstance(row, dict) else {} for row in rows]
    names = [name for name in rules.features if any(name in row for row in plain)]
    cells = {name: rules.features[name].from_objects([row.get(name) for row in plain]) for name in names}
    return Table(
        len(rows),
        cells,
        lambda row: rows[row] | ({} if ids is None else {"customer_id": ids[row]}) if isinstance(rows[row], dict) else rows[row],
        "rows",
        ids,
        **changes,
    )


def examine(
    rows: list[Any], ids: list[Any] | None = None, contract: Contract = CONTRACT, stop_after: int = 99, **changes: Any
) -> tuple[CustomerColumns, Refused]:
    rules, refused = rules_of(contract), Refused()

    def refuse(row: int, error: ValidationError | None) -> bool:
        refused[row] = None if error is None else [str(one["loc"][0]) if one["loc"] else "" for one in error.errors()]
        return len(refused) < stop_after

    return rules.examine(table_of(rows, rules, ids, **changes), refuse), refused


def test_valid_customers_come_back_as_columns() -> None:
    found, refused = examine([{"paid": 1.5, "plan": True}, {"paid": "2", "state": "KS"}], ["a", None])
    assert refused == {}
    np.testing.assert_array_equal(found.values["paid"], [1.5, 2.0])
    np.testing.assert_array_equal(found.values["plan"], [1.0, np.nan])
    np.testing.assert_array_equal(found.values["state"], [-1, 1])
    assert list(found.values) == ["paid", "plan", "state"]
    assert list(found.customer_ids or ()) == ["a", None]


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ({"paid": 11}, ["paid"]),
        ({"paid": "x", "state": "TX"}, ["paid", "state"]),
        ({}, [""]),
        ({"paid": None, "plan": None, "state": None}, [""]),
    ],
)
def test_a_row_that_breaks_a_rule_is_refused_with_its_fields_and_the_others_are_not(
    row: dict[str, Any], fields: list[str]
) -> None:
    good = {"paid": 1.0}
    for place in range(3):
        rows = [good, good]
        rows.insert(place, row)
        found, refused = examine(rows)
        assert refused == {place: fields}
        assert np.delete(found.values["paid"], place).tolist() == [1.0, 1.0]


def test_a_customer_with_any_one_value_is_not_empty() -> None:
    _, refused = examine([{"paid": 0}, {"plan": False}, {"state": "OH"}, {}])
    assert set(refused) == {3}


def test_what_must_not_be_missing_is_missed_in_a_column_and_without_one() -> None:
    assert STRICT.columns[1].required
    assert examine([{"paid": 1, "plan": True}, {"paid": 1, "plan": None}], contract=STRICT)[1] == {1: ["plan"]}
    assert examine([{"paid": 1}, {"paid": 2}], contract=STRICT)[1] == {0: ["plan"], 1: ["plan"]}


def test_ids_are_judged_too() -> None:
    _, refused = examine([{"paid": 1}, {"paid": 1}], ["a", "b\n\nc"])
    assert refused == {1: ["customer_id"]}
    found, refused = examine([{"paid": 1}, {"paid": 1}], [7, 8.0])
    assert (list(found.customer_ids or ()), refused) == (["7", "8"], {})


def test_a_row_that_is_no_object_or_doubtful_to_its_format_is_asked_about() -> None:
    assert examine([{"paid": 1}, [1]])[1] == {1: None}
    doubtful = np.array([False, True])
    found, refused = examine([{"paid": 1}, {"Paid": 2}], doubtful=doubtful)
    assert refused == {}
    assert found.values["paid"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("row", [{}, {"paid": 11}, {"state": "XX"}, {"paid": "much"}, {"customer_id": "a\n\nb", "paid": 1}])
def test_no_refused_row_keeps_the_table(row: dict[str, Any]) -> None:
    """Not even until the garbage collector comes, which does not look into pydantic's errors."""
    found, refused = examine([{"paid": 1}, row], ["a", row.get("customer_id", "b")])
    assert list(refused) == [1]
    column = weakref.ref(found.values["paid"])
    del found
    assert column() is None


def test_who_refuses_may_stop() -> None:
    _, refused = examine([{"paid": 11}] * 5, stop_after=2)
    assert list(refused) == [0, 1]


def test_unknown_names_are_compared_for_the_first_refused_rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SUGGESTED_ROWS", 1)
    rules, said = rules_of(), list[str]()

    def refuse(_: int, error: ValidationError | None) -> bool:
        assert error is not None
        said.append(str(error.errors()[0]["msg"]))
        return True

    rules.examine(table_of([{"pai": 1}, {"pai": 1}], rules), refuse)
    assert said == ["unknown field; did you mean `paid`?", "unknown field"]


def test_columns_that_cannot_be_written_are_copied_before_they_are_mended() -> None:
    rules = rules_of()
    cells = rules.features["paid"].from_numbers(np.array([1.0, np.nan]))
    cells.values.flags.writeable = False
    table = Table(2, {"paid": cells}, lambda row: {"paid": [1, "3"][row]}, "rows", None, np.array([False, True]))
    found = rules.examine(table, lambda _row, _error: True)
    assert found.values["paid"].tolist() == [1.0, 3.0]
    assert np.isnan(cells.values[1])
