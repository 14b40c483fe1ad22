"""Generated customers for the parity check: everything that the contract allows, its edges above all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn.contract import Column, Contract
from churn.customers.cell_rule import MISSING_LEVEL
from churn.customers.columns import CustomerColumns
from churn.inference.compiled import CompiledModel
from churn.inference.terms import Condition

PLACES = (0.0, 0.02, 0.1, 0.5, 1.0)
# Numbers without bounds in the contract are drawn from this range, and a small share of them from far outside.
WIDE = 1_000.0
FAR, FAR_SHARE = 1e9, 0.02
MISSING_SHARE, EDGE_SHARE = 0.15, 0.4


def plain_customers(contract: Contract) -> list[list[Any]]:
    """Return customers with low to high values, every level, flags both ways, and each feature missing where it may be.

    Returns
    -------
    list of list
        One value per feature in the contract's order: float, bool, str, or None where missing.
    """
    rows = [[_value(column, place) for column in contract.features] for place in PLACES]
    middle = rows[len(rows) // 2]
    for place, column in enumerate(contract.features):
        if may_be_missing(column) and len(contract.features) > 1:
            rows.append([*middle[:place], None, *middle[place + 1 :]])
        rows += [[*middle[:place], level, *middle[place + 1 :]] for level in column.levels]
    return rows


def drawn_customers(contract: Contract, rows: int, seed: int, knots: Mapping[str, Sequence[float]]) -> list[list[Any]]:
    """Draw customers at random.

    Parameters
    ----------
    contract : Contract
    rows, seed : int
    knots : mapping of str to sequence of float
        Feature to the values at which its weight changes. These and the adjacent floats are drawn often.

    Returns
    -------
    list of list
        As in `plain_customers`; each has at least one value.
    """
    rng = np.random.default_rng(seed)
    columns = [_drawn(column, rows, knots.get(column.name, ()), rng) for column in contract.features]
    return [list(row) for row in zip(*columns, strict=True) if any(value is not None for value in row)]


def edge_customers(compiled: CompiledModel | None, contract: Contract) -> list[list[Any]]:
    """Return customers on the edges of each rule: its conditions hold, and one number is a bound or an adjacent float.

    Parameters
    ----------
    compiled : CompiledModel or None
        Without one there are no rules, and no customers.
    contract : Contract

    Returns
    -------
    list of list
        As in `plain_customers`.
    """
    if compiled is None:
        return []
    names, rows = contract.feature_names, []
    for rule in compiled.rules:
        inside = _within(rule.conditions, compiled, contract)
        rows.append(inside)
        for at, low, high in rule.conditions:
            if at < len(compiled.numbers):
                place = names.index(compiled.numbers[at])
                column = contract.features[place]
                for bound in filter(math.isfinite, (low, high)):
                    for value in (bound, math.nextafter(bound, -math.inf), math.nextafter(bound, math.inf)):
                        edge = value > 0.5 if column.kind == "flag" else _allowed(column, value)
                        rows.append([*inside[:place], edge, *inside[place + 1 :]])
    return rows


def _within(conditions: Sequence[Condition], compiled: CompiledModel, contract: Contract) -> list[Any]:
    """Return a customer for whom all conditions of a rule hold, as far as the contract allows."""
    names, numbers, sums = contract.feature_names, compiled.numbers, list(compiled.sums.values())
    values = [_value(column, PLACES[len(PLACES) // 2]) for column in contract.features]
    fixed_numbers: set[str] = set()
    # Sums come last: they are made up by the numbers that no other condition asks for.
    for at, low, high in sorted(conditions, key=lambda one: len(numbers) <= one.input < len(numbers) + len(sums)):
        if at < len(numbers):
            values[names.index(numbers[at])] = _between(contract[numbers[at]], low, high)
            fixed_numbers.add(numbers[at])
        elif at >= len(numbers) + len(sums):
            category, _, level = compiled.input_names[at].partition(" = ")
            others = [other for other in contract[category].levels if other != level]
            if level == MISSING_LEVEL and low >= 0:
                values[names.index(category)] = None if contract[category].nullable else others[0]
            else:
                values[names.index(category)] = level if low >= 0 or not others else others[0]
        else:
            parts = sums[at - len(numbers)]
            free = [names.index(part) for part in parts if part not in fixed_numbers]
            fixed = sum(values[names.index(part)] for part in parts if part in fixed_numbers)
            usual = sum(values[place] for place in free)
            wanted = _inside(low, high, below=high / 2, above=low * 1.1)
            for place in free:
                values[place] = _allowed(contract.features[place], values[place] * (wanted - fixed) / usual if usual else 0.0)
    return values


def _between(column: Column, low: float, high: float) -> Any:
    """Return a value above `low` and up to `high`."""
    if column.kind == "flag":
        return low >= 0
    if column.kind == "integer":
        return _allowed(column, math.floor(high) if high < math.inf else math.floor(low) + 1)
    return _allowed(column, _inside(low, high, below=high, above=math.nextafter(low, math.inf)))


def _inside(low: float, high: float, *, below: float, above: float) -> float:
    """Return the middle of two bounds; `below` or `above` where there is only an upper or a lower one."""
    return below if low == -math.inf else above if high == math.inf else (low + high) / 2


def knots_of(compiled: CompiledModel | None) -> dict[str, list[float]]:
    """Return the values at which the terms of a model change, by the number that they read."""
    found: dict[str, set[float]] = {}
    if compiled is not None:
        bounds = [(ramp.input, ramp.low, ramp.high) for ramp in compiled.ramps]
        bounds += [(c.input, c.low, c.high) for rule in compiled.rules for c in rule.conditions]
        for at, low, high in bounds:
            if at < len(compiled.numbers):
                found.setdefault(compiled.numbers[at], set()).update(filter(math.isfinite, (low, high)))
    return {name: sorted(values) for name, values in found.items()}


def may_be_missing(column: Column) -> bool:
    """Return whether a request may leave a feature out. Numbers may always be missing: that is the imputer's work."""
    return column.nullable or column.kind in ("number", "integer")


def as_columns(customers: Sequence[Sequence[Any]], contract: Contract) -> CustomerColumns:
    """Return customers as columns.

    Parameters
    ----------
    customers : sequence of sequence
        As in `plain_customers`.
    contract : Contract

    Returns
    -------
    CustomerColumns
    """
    values: dict[str, NDArray[Any]] = {}
    for place, column in enumerate(contract.features):
        given = [customer[place] for customer in customers]
        if column.is_numeric:
            values[column.name] = np.array([np.nan if one is None else one for one in given], dtype=np.float64)
        else:
            codes: dict[str | None, int] = {level: code for code, level in enumerate(column.levels)}
            values[column.name] = np.array([codes.get(one, -1) for one in given], dtype=np.int32)
    return CustomerColumns(values)


def _value(column: Column, place: float) -> Any:
    if column.kind == "category":
        return column.levels[int(place * (len(column.levels) - 1))]
    if column.kind == "flag":
        return place >= 0.1
    low, high = _bounds(column)
    return _allowed(column, low + place * (high - low))


def _bounds(column: Column) -> tuple[float, float]:
    low = column.minimum if column.minimum is not None else min(-WIDE, column.maximum or 0.0)
    high = column.maximum if column.maximum is not None else max(low, 0.0) + WIDE
    return low, max(high, low)


def _allowed(column: Column, value: float) -> float:
    low = -math.inf if column.minimum is None else column.minimum
    high = math.inf if column.maximum is None else column.maximum
    if column.kind == "integer":
        value, low, high = round(value), math.ceil(low) if low > -math.inf else low, math.floor(high) if high < math.inf else high
    return float(min(max(value, low), high))


def _drawn(column: Column, rows: int, knots: Sequence[float], rng: np.random.Generator) -> list[Any]:
    missing = rng.random(rows) < (MISSING_SHARE if may_be_missing(column) else 0.0)
    if column.kind == "category":
        # All levels are drawn alike: of a long list, rare ones would hardly occur.
        values: list[Any] = [column.levels[at] for at in rng.integers(0, len(column.levels), rows).tolist()]
    elif column.kind == "flag":
        values = (rng.random(rows) < 0.5).tolist()
    else:
        values = [_allowed(column, value) for value in _numbers(column, rows, knots, rng)]
    return [None if gone else value for value, gone in zip(values, missing.tolist(), strict=True)]


def _numbers(column: Column, rows: int, knots: Sequence[float], rng: np.random.Generator) -> list[float]:
    low, high = _bounds(column)
    edges = [low, high, 0.0, -0.0]
    for knot in knots:
        edges += [knot, math.nextafter(knot, -math.inf), math.nextafter(knot, math.inf), math.floor(knot), math.ceil(knot)]
    drawn = rng.uniform(low, high, rows)
    at_edge = rng.random(rows) < EDGE_SHARE
    drawn[at_edge] = rng.choice(edges, int(at_edge.sum()))
    # `_allowed` clips it where the contract has bounds.
    far = rng.random(rows) < FAR_SHARE
    drawn[far] = rng.choice([-FAR, FAR], int(far.sum()))
    values: list[float] = drawn.tolist()
    return values
