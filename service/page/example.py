"""An example customer for the form: the typical one with a few changes, so that there is something to explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from churn.contract import Column, Contract

if TYPE_CHECKING:
    from churn.inference.kinds import Compiled

MAX_CHANGES = 3
FACTORS, STEPS = (0.5, 1.5), (-3, 3)


def example_customer(model: Compiled, contract: Contract) -> dict[str, Any]:
    """Change the typical customer, one column after another, until the prediction crosses even odds, or nearly does.

    Parameters
    ----------
    model : CompiledModel or CompiledNetwork
    contract : Contract

    Returns
    -------
    dict
        One value per column of the model that has a typical one, within the contract's bounds; flags as booleans.
    """
    customer = {name: _allowed(contract[name], value) for name, value in model.typical.items() if value is not None}

    def logit(one: dict[str, Any]) -> float:
        return model.logit([one.get(name) for name in model.columns])

    side = -1.0 if logit(customer) > 0 else 1.0

    def distance(one: dict[str, Any]) -> float:
        return side * logit(one)

    changed: set[str] = set()
    while distance(customer) <= 0 and len(changed) < MAX_CHANGES:
        tried = [
            {**customer, **_followers(model, contract, name, value), name: value}
            for name in customer
            if name not in changed
            for value in _others(contract[name], customer[name])
        ]
        # Just beyond even odds if possible: in a nearly certain prediction little is weighed up.
        beyond = [one for one in tried if distance(one) > 0]
        best = min(beyond, key=distance) if beyond else max(tried, key=distance, default=customer)
        if distance(best) <= distance(customer):
            break
        changed |= {name for name in best if best[name] != customer[name]}
        customer = best
    return customer


def _others(column: Column, value: Any) -> list[Any]:
    if column.kind == "flag":
        return [not value]
    if column.kind == "category":
        return [level for level in column.levels if level != value]
    changed = [value * factor for factor in FACTORS] if abs(value) > max(STEPS) else [value + step for step in STEPS]
    return [other for one in changed if (other := _allowed(column, one)) != value]


def _allowed(column: Column, value: Any) -> Any:
    if column.kind == "flag":
        return bool(value)
    if column.kind == "category":
        return value
    rounded = float(round(value)) if column.kind == "integer" else round(value, 2)
    above = rounded if column.minimum is None else max(rounded, column.minimum)
    return above if column.maximum is None else min(above, column.maximum)


def _followers(model: Compiled, contract: Contract, name: str, value: Any) -> dict[str, Any]:
    """Return the numbers that follow from this one: a charge from its minutes."""
    return {
        other: _allowed(contract[other], value * factor) for other, (origin, factor) in model.relations.items() if origin == name
    }
