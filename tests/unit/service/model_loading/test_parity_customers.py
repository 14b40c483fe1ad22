"""The customers of the parity check: what the contract allows, at each of its edges, and inside each rule's conditions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from churn.contract import Column, Contract
from service.model_loading.parity_customers import (
    FAR,
    _allowed,
    _between,
    _bounds,
    _inside,
    as_columns,
    drawn_customers,
    edge_customers,
    knots_of,
    may_be_missing,
    plain_customers,
)

INF = math.inf


def column(kind: str, **more: Any) -> Column:
    levels = {"levels": ["a", "b", "c"]} if kind == "category" else {}
    return Column.model_validate({"name": "x", "source": "X", "kind": kind, **levels, **more})


NUMBER, WHOLE, FLAG, LEVELS = column("number"), column("integer"), column("flag"), column("category")


@pytest.mark.parametrize(
    ("of", "low", "high", "value"),
    [
        (NUMBER, 1.0, 3.0, 2.0),
        (NUMBER, -INF, 3.0, 3.0),
        (NUMBER, 1.0, INF, math.nextafter(1.0, INF)),
        (WHOLE, 1.0, 3.5, 3.0),
        (WHOLE, 1.5, INF, 2.0),
        (WHOLE, 1.0, INF, 2.0),
        (FLAG, 0.5, INF, True),
        (FLAG, 0.0, INF, True),
        (FLAG, -INF, 0.5, False),
        (column("number", minimum=5), -INF, 3.0, 5.0),
        (column("number", maximum=2), 3.0, INF, 2.0),
    ],
)
def test_a_value_lies_above_the_lower_bound_and_up_to_the_upper_one(of: Column, low: float, high: float, value: Any) -> None:
    assert _between(of, low, high) == value
    if of.kind in ("number", "integer") and of.minimum is None and of.maximum is None:
        assert low < _between(of, low, high) <= high


def test_of_two_bounds_the_middle_is_taken() -> None:
    assert _inside(2, 4, below=7, above=8) == 3
    assert _inside(-INF, 4, below=7, above=8) == 7
    assert _inside(2, INF, below=7, above=8) == 8


@pytest.mark.parametrize(
    ("of", "value", "allowed"),
    [
        (NUMBER, 1.25, 1.25),
        (column("number", minimum=1, maximum=2), 0.5, 1.0),
        (column("number", minimum=1, maximum=2), 2.5, 2.0),
        (WHOLE, 1.6, 2.0),
        (column("integer", minimum=0.5, maximum=2.5), -1, 1.0),
        (column("integer", minimum=0.5, maximum=2.5), 9, 2.0),
    ],
)
def test_a_value_is_one_that_the_contract_allows(of: Column, value: float, allowed: float) -> None:
    assert _allowed(of, value) == allowed


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({}, (-1000.0, 1000.0)),
        ({"minimum": 5}, (5.0, 1005.0)),
        ({"minimum": -5}, (-5.0, 1000.0)),
        ({"maximum": 5}, (-1000.0, 5.0)),
        ({"maximum": -5000}, (-5000.0, -5000.0)),
        ({"minimum": 1, "maximum": 2}, (1.0, 2.0)),
    ],
)
def test_a_number_without_bounds_has_wide_ones(bounds: dict[str, float], expected: tuple[float, float]) -> None:
    assert _bounds(column("number", **bounds)) == expected


@pytest.mark.parametrize(
    ("kind", "nullable", "missing"),
    [("number", False, True), ("integer", False, True), ("flag", False, False), ("flag", True, True), ("category", False, False)],
)
def test_a_number_may_be_missing_and_what_is_nullable(kind: str, nullable: bool, missing: bool) -> None:
    assert may_be_missing(column(kind, nullable=nullable)) is missing


def contract_of(**kinds: str) -> Contract:
    columns = []
    for name, kind in kinds.items():
        levels = {"levels": ["a", "b", "c"]} if kind == "category" else {}
        bounds = {"minimum": 0, "maximum": 100} if kind in ("number", "integer") else {}
        columns.append({"name": name, "source": name.upper(), "kind": kind, **levels, **bounds})
    return Contract.model_validate({"name": "small", "columns": columns})


SMALL = contract_of(minutes="number", calls="integer", plan="flag", state="category")


def test_plain_customers_go_from_low_to_high_through_every_level_and_gap() -> None:
    found = plain_customers(SMALL)
    assert found[:5] == [
        [0.0, 0.0, False, "a"],
        [2.0, 2.0, False, "a"],
        [10.0, 10.0, True, "a"],
        [50.0, 50.0, True, "b"],
        [100.0, 100.0, True, "c"],
    ]
    middle = found[2]
    assert found[5:] == [[None, *middle[1:]], [middle[0], None, *middle[2:]], *([*middle[:3], level] for level in "abc")]
    # The only feature is never missing: nobody is described by nothing.
    assert plain_customers(contract_of(minutes="number")) == [[0.0], [2.0], [10.0], [50.0], [100.0]]


def test_drawn_customers_meet_edges_gaps_levels_and_what_is_far_outside() -> None:
    wide = Contract.model_validate({"name": "wide", "columns": [
        {"name": "a", "source": "A", "kind": "number"},
        {"name": "state", "source": "S", "kind": "category", "levels": ["x", "y"], "nullable": True},
        {"name": "plan", "source": "P", "kind": "flag"},
    ]})  # fmt: skip
    rows = drawn_customers(wide, 4_000, 1, {"a": [7.5]})
    assert rows == drawn_customers(wide, 4_000, 1, {"a": [7.5]}) != drawn_customers(wide, 4_000, 2, {"a": [7.5]})
    numbers = [row[0] for row in rows]
    for edge in (7.5, math.nextafter(7.5, -INF), math.nextafter(7.5, INF), 7.0, 8.0, 0.0, -1000.0, 1000.0, FAR, -FAR):
        assert numbers.count(edge) > 10, edge
    assert sum(value in (FAR, -FAR) for value in numbers) / len(rows) == pytest.approx(0.02 * 0.85, abs=0.008)
    assert numbers.count(None) / len(rows) == pytest.approx(0.15, abs=0.03)
    ordinary = [value for value in numbers if value is not None and abs(value) <= 1000]
    assert np.median(ordinary) == pytest.approx(7.5, abs=60)
    states = [row[1] for row in rows]
    assert states.count(None) / len(rows) == pytest.approx(0.15, abs=0.03)
    assert states.count("x") == pytest.approx(states.count("y"), rel=0.15)
    plans = [row[2] for row in rows]
    assert (plans.count(None), set(map(type, plans))) == (0, {bool})
    assert plans.count(True) / len(rows) == pytest.approx(0.5, abs=0.04)
    alone = Contract.model_validate({"name": "n", "columns": [{"name": "a", "source": "A", "kind": "number"}]})
    assert all(row != [None] for row in drawn_customers(alone, 200, 1, {}))


def test_columns_hold_numbers_gaps_and_codes_of_levels() -> None:
    found = as_columns([[1.5, 2.0, True, "c"], [None, None, None, None]], SMALL).values
    np.testing.assert_array_equal(found["minutes"], [1.5, np.nan])
    np.testing.assert_array_equal(found["plan"], [1.0, np.nan])
    np.testing.assert_array_equal(found["state"], [2, -1])
    assert (found["minutes"].dtype, found["state"].dtype) == (np.float64, np.int32)


def test_without_a_compiled_model_there_are_no_edges() -> None:
    assert edge_customers(None, SMALL) == []
    assert knots_of(None) == {}
