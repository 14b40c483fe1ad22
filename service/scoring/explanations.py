"""Why, in words: how each column of a customer moved the log-odds of leaving (`churn.explain.attribution` says by how much).

What does not depend on the customer (names, units, what is typical, what a rule asks for) is put into words once a model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor, inf, isfinite
from typing import Any, Self

from churn.contract import Column, Contract
from churn.explain.attribution import Attribution, Attributor
from churn.inference.compiled import CompiledModel, Condition

EFFECTS = {True: "raises the risk", False: "lowers the risk"}
NO_EFFECT = "makes no difference"
# What a number that may be any size did to the log-odds has to be spelled as JSON, which knows no infinity.
LARGEST = 1.7976931348623157e308


class Explainer:
    """Explains the answers of one model."""

    def __init__(self, attributor: Attributor, contract: Contract) -> None:
        plan = attributor.plan
        model = plan.model
        self._attributor = attributor
        self._weights = [*(ramp.weight for ramp in model.ramps), *(rule.weight for rule in model.rules)]
        self._term_columns = plan.term_columns
        self._columns = model.columns
        self._tell = [_teller(contract[name], model.typical[name]) for name in model.columns]
        # A charge that was not said is told by its minutes: by place, the places of what may follow from it.
        self._followers = [tuple(at for at, origin, _ in plan.follows if origin == place) for place in range(len(model.columns))]
        inputs = list(zip(model.input_names, model.input_columns, strict=True))
        places = {name: frozenset({place}) for place, name in enumerate(model.columns)}
        self._asked: list[list[tuple[frozenset[int], str]]] = [[] for _ in model.ramps]
        for rule in model.rules:
            said = []
            for condition in rule.conditions:
                name, read = inputs[condition.input]
                said.append((frozenset().union(*(places[one] for one in read)), say_condition(name, condition, contract)))
            self._asked.append(said)

    @classmethod
    def of(cls, compiled: CompiledModel, contract: Contract) -> Self:
        """Make the explainer of a compiled model."""
        return cls(Attributor(compiled), contract)

    def reasons_for(self, values: Sequence[Any], strongest: int) -> tuple[float, list[dict[str, Any]]]:
        """Give the base value and the strongest contributions, with words.

        Parameters
        ----------
        values : sequence
            As in `CompiledModel.logit`, flags as booleans.
        strongest : int
            How many columns at most, strongest first; equally strong ones in the contract's order.

        Returns
        -------
        float
            The log-odds of the typical customer. With the contributions of all columns it adds up to the logit.
        list of dict
            feature, value (as given), contribution (log-odds) and text: ready to be spelled as JSON.
        """
        attribution = self._attributor.attribute(values)
        contributions = attribution.contributions
        # Equal shares differ in their last digits; the order of the columns decides between them.
        ranked = sorted([(-round(abs(share), 9), at) for at, share in enumerate(contributions) if share])[:strongest]
        chosen = [at for _, at in ranked]
        if len(chosen) < min(strongest, len(contributions)):
            chosen += [at for at, share in enumerate(contributions) if not share][: strongest - len(chosen)]
        return attribution.base, [self._reason(at, attribution, values) for at in chosen]

    def _reason(self, at: int, attribution: Attribution, values: Sequence[Any]) -> dict[str, Any]:
        value, contribution = values[at], attribution.contributions[at]
        text = f"{self._tell[at](value)}: {EFFECTS[contribution > 0] if contribution else NO_EFFECT}"
        if contribution and (others := self._together_with(at, attribution, values)):
            text = f"{text} ({others})"
        if not isfinite(contribution):
            contribution = LARGEST if contribution > 0 else -LARGEST
        return {"feature": self._columns[at], "value": value, "contribution": contribution, "text": text}

    def _together_with(self, at: int, attribution: Attribution, values: Sequence[Any]) -> str:
        """Say what else was asked of the customer by the rule through which the column counted most; empty if nothing."""
        speaks_for = {at, *(place for place in self._followers[at] if values[place] is None)}
        sign = 1.0 if attribution.contributions[at] > 0 else -1.0
        most, strongest = 0.0, -1
        for term, gain in attribution.term_gains.items():
            gained = sign * gain
            if gained > most and not self._term_columns[term].isdisjoint(speaks_for):
                most, strongest = gained, term
        if strongest < 0 or not self._asked[strongest]:
            return ""
        # What is asked of a column alone is told by its value; a sum that it is part of is told.
        told = [said for read, said in self._asked[strongest] if not read <= speaks_for]
        if not told:
            return ""
        # A rule's weight and what it gained have one sign where it holds; else the customer is out of a rule others are in.
        holds = attribution.term_gains[strongest] * self._weights[strongest] > 0
        return f"{'with' if holds else 'not among those with'} {' and '.join(told)}"


def say_condition(name: str, condition: Condition, contract: Contract) -> str:
    """Put what a rule asks of an input into words; `name` as in `CompiledModel.input_names`."""
    _, low, high = condition
    category, is_level, level = name.partition(" = ")
    if is_level:
        return f"{_spoken(category)} {'other than ' if low == -inf else ''}{level}"
    if name in contract.sums:
        return f"{_spoken(name)} {_bounds(low, high, contract.sums[name].unit)}"
    column = contract[name]
    if column.kind == "flag":
        return f"{_spoken(name)} {column.false_level if low == -inf else column.true_level}"
    whole = column.kind == "integer"
    if whole:  # bounds lie between two whole numbers
        low, high = (low if low == -inf else floor(low) + 1), (high if high == inf else floor(high))
        if low == high:
            return f"{_spoken(name)} of {low:g}"
    unit = None if name.endswith(column.unit or "") else column.unit
    return f"{_spoken(name)} {_bounds(low, high, unit, whole=whole)}"


def _bounds(low: float, high: float, unit: str | None, *, whole: bool = False) -> str:
    said = f" {unit}" if unit else ""
    if low == -inf:
        return f"of at most {high:.4g}{said}"
    if high == inf:
        return f"{'of at least' if whole else 'above'} {low:.4g}{said}"
    return f"between {low:.4g} and {high:.4g}{said}"


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _teller(column: Column, typical: Any) -> Callable[[Any], str]:
    """Make what says a column's value, and how it compares with the typical one."""
    name = _spoken(column.name)
    if column.kind == "flag":
        flags = {True: f"{name} is {column.true_level}", False: f"{name} is {column.false_level}"}
        unknown = f"{name} is not known, counted as {column.true_level if typical else column.false_level}"
        return lambda value: unknown if value is None else flags[bool(value)]
    if column.kind == "category":
        unknown = f"{name} is not known, counted as {typical}"
        return lambda value: unknown if value is None else f"{name} is {value}"
    # "4 customer service calls calls" says it twice.
    unit = f" {column.unit}" if column.unit and not name.endswith(column.unit) else ""
    unknown = f"{name} is not known, counted as {typical:.4g}{unit}"
    usual = f"the typical {typical:.4g}"

    def tell(value: float | None) -> str:
        if value is None:
            return unknown
        side = "above" if value > typical else "below" if value < typical else "at"
        return f"{name} of {value:g}{unit} is {side} {usual}"

    return tell
