"""An invented customer to fill the form with: the typical one, changed in a few places so that there is something to explain."""

from __future__ import annotations

from typing import Any

from churn.contract import Column, Contract
from churn.inference.compiled import CompiledModel

MAX_CHANGES = 3
FACTORS, STEPS = (0.5, 1.5), (-3, 3)


def example_customer(model: CompiledModel, contract: Contract) -> dict[str, Any]:
    """Change the typical customer, one column after another, until the answer is on the other side of even odds, or nearly.

    Returns
    -------
    dict
        A value a column of the model that is known: what the contract allows, flags as booleans.
    """
    customer = {name: _allowed(contract[name], value) for name, value in model.typical.items() if value is not None}

    def logit(one: dict[str, Any]) -> float:
        return model.logit([one.get(name) for name in model.columns])

    side = -1.0 if logit(customer) > 0 else 1.0

    def far(one: dict[str, Any]) -> float:
        return side * logit(one)

    changed: set[str] = set()
    while far(customer) <= 0 and len(changed) < MAX_CHANGES:
        tried = [
            {**customer, **_followers(model, contract, name, value), name: value}
            for name in customer
            if name not in changed
            for value in _others(contract[name], customer[name])
        ]
        # Just beyond even odds if that can be had: what is nearly certain has little to weigh up.
        beyond = [one for one in tried if far(one) > 0]
        best = min(beyond, key=far) if beyond else max(tried, key=far, default=customer)
        if far(best) <= far(customer):
            break
        changed |= {name for name in best if best[name] != customer[name]}
        customer = best
    return customer


def _others(column: Column, value: Any) -> list[Any]:
    if column.kind == "flag":
        return [not value]
    if column.kind == "category":
        return [level for level in column.levels if level != value]
    far = [value * factor for factor in FACTORS] if abs(value) > max(STEPS) else [value + step for step in STEPS]
    return [other for one in far if (other := _allowed(column, one)) != value]


def _allowed(column: Column, value: Any) -> Any:
    if column.kind == "flag":
        return bool(value)
    if column.kind == "category":
        return value
    rounded = float(round(value)) if column.kind == "integer" else round(value, 2)
    above = rounded if column.minimum is None else max(rounded, column.minimum)
    return above if column.maximum is None else min(above, column.maximum)


def _followers(model: CompiledModel, contract: Contract, name: str, value: Any) -> dict[str, Any]:
    """Give the numbers that go with this one: a charge with its minutes."""
    return {
        other: _allowed(contract[other], value * factor) for other, (origin, factor) in model.relations.items() if origin == name
    }
