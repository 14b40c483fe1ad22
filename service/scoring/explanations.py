"""Reasons in words: how each column of a customer moved the log-odds of leaving (`churn.explain.attribution` says by how much).

What does not depend on the customer (names, units, typical values, the rules' conditions) is put into words once per model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import floor, inf, isfinite
from typing import Any, Self

from churn.contract import Column, Contract
from churn.explain.attribution import Attributor, Pattern
from churn.inference.compiled import CompiledModel
from churn.inference.terms import Condition

RAISES, LOWERS, NO_EFFECT = "raises the risk", "lowers the risk", "makes no difference"
# Contributions beyond this are cut off: JSON has no infinity.
MAX_CONTRIBUTION = 1.7976931348623157e308
# Contributions are compared by so many parts of one.
ALIKE = 1e9
# What is said of so many patterns of a model is kept: some kilobytes each.
MAX_PATTERNS = 1024
# A column's position, name, contribution, the function that puts its value into words, and what it does.
Said = tuple[int, str, float, Callable[[Any, str], str], str]


class Explainer:
    """Explains the predictions of one model that is a sum of terms."""

    approximate = False

    def __init__(self, attributor: Attributor, contract: Contract) -> None:
        plan = attributor.plan
        model = plan.model
        self._attributor = attributor
        self._base = plan.base
        # Rules make few patterns of all customers: what they have in common is put into words once.
        self._said_of: dict[Pattern, list[Said]] = {}
        self._weights = [*(ramp.weight for ramp in model.ramps), *(rule.weight for rule in model.rules)]
        self._term_columns = plan.term_columns
        self._columns = model.columns
        self._describe = [value_sentence(contract[name], model.typical[name]) for name in model.columns]
        # A missing charge follows from its minutes: for each column, the columns that may follow from it.
        self._followers = [tuple(at for at, origin, _ in plan.follows if origin == place) for place in range(len(model.columns))]
        inputs = list(zip(model.input_names, model.input_columns, strict=True))
        places = {name: frozenset({place}) for place, name in enumerate(model.columns)}
        self._conditions: list[list[tuple[frozenset[int], str]]] = [[] for _ in model.ramps]
        for rule in model.rules:
            texts = []
            for condition in rule.conditions:
                name, read = inputs[condition.input]
                texts.append((frozenset().union(*(places[one] for one in read)), describe_condition(name, condition, contract)))
            self._conditions.append(texts)
        # For each term and each of its columns: what is said where the rule holds, and where it does not.
        self._said = [
            {at: self._others(term, frozenset({at})) for at in columns} for term, columns in enumerate(plan.term_columns)
        ]

    @classmethod
    def of(cls, compiled: CompiledModel, contract: Contract) -> Self:
        """Return the explainer of a compiled model.

        Parameters
        ----------
        compiled : CompiledModel
        contract : Contract

        Returns
        -------
        Explainer
        """
        return cls(Attributor(compiled), contract)

    def reasons_for(self, values: Sequence[Any], strongest: int) -> tuple[float, list[dict[str, Any]]]:
        """Return the base value and the strongest contributions, in words.

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
            feature, value (as given), contribution (log-odds) and text: ready to be encoded as JSON.
        """
        pattern = self._attributor.pattern(values)
        said = self._said_of.get(pattern) if pattern else None
        if said is None:
            said = self._say(values)
            if pattern:
                if len(self._said_of) >= MAX_PATTERNS:
                    self._said_of.clear()
                self._said_of[pattern] = said
        return self._base, [
            {"feature": name, "value": (value := values[at]), "contribution": contribution, "text": describe(value, effect)}
            for at, name, contribution, describe, effect in said[:strongest]
        ]

    def _say(self, values: Sequence[Any]) -> list[Said]:
        """Return what is said of each column: those that count, strongest first, then the others in their order."""
        _, contributions, gains, has_gaps = self._attributor.attribute(values)
        columns, describe = self._columns, self._describe
        said: list[Said] = []
        for at in strongest_first(contributions):
            contribution = contributions[at]
            raises = contribution > 0
            speaks_for: Collection[int] = (at,)
            if has_gaps:
                speaks_for = {at, *(place for place in self._followers[at] if values[place] is None)}
            effect = (RAISES if raises else LOWERS) + self._together_with(at, speaks_for, raises, gains)
            if not isfinite(contribution):
                contribution = MAX_CONTRIBUTION if raises else -MAX_CONTRIBUTION
            said.append((at, columns[at], contribution, describe[at], effect))
        unmoved = [at for at, contribution in enumerate(contributions) if not contribution]
        return said + [(at, columns[at], contributions[at], describe[at], NO_EFFECT) for at in unmoved]

    def _together_with(self, at: int, speaks_for: Collection[int], raises: bool, gains: dict[int, float]) -> str:
        """Return the other conditions of the rule through which the column counted most; empty if there are none."""
        alone, said = len(speaks_for) == 1, self._said
        most, strongest = 0.0, -1
        for term, gain in gains.items():
            gained = gain if raises else -gain
            if gained > most and (at in said[term] if alone else not self._term_columns[term].isdisjoint(speaks_for)):
                most, strongest = gained, term
        if strongest < 0:
            return ""
        # Weight and gain have the same sign where the rule holds; otherwise it holds for others and not for this customer.
        holds, fails = said[strongest][at] if alone else self._others(strongest, frozenset(speaks_for))
        return holds if gains[strongest] * self._weights[strongest] > 0 else fails

    def _others(self, term: int, speaks_for: frozenset[int]) -> tuple[str, str]:
        """Return the conditions of a rule on other columns as they are said where the rule holds, and where it does not."""
        # A condition on these columns alone is left out, as their values are in the text already.
        others = " and ".join([text for read, text in self._conditions[term] if not read <= speaks_for])
        return (f" (with {others})", f" (not among those with {others})") if others else ("", "")


def strongest_first(contributions: Sequence[float]) -> list[int]:
    """Return the columns that count, strongest first; equally strong ones in their order."""
    counting = [at for at, contribution in enumerate(contributions) if contribution]
    if len(counting) > 1:
        # Equal shares differ in their last digits; the order of the columns decides between them.
        try:
            # (`round` to so many digits takes three times as long.)
            counting = [at for _, at in sorted([(-int(abs(contributions[at]) * ALIKE + 0.5), at) for at in counting])]
        except OverflowError:
            counting = [at for _, at in sorted([(-abs(contributions[at]), at) for at in counting])]
    return counting


def describe_condition(name: str, condition: Condition, contract: Contract) -> str:
    """Return a rule's condition in words.

    Parameters
    ----------
    name : str
        The input, as in `CompiledModel.input_names`.
    condition : Condition
    contract : Contract

    Returns
    -------
    str
    """
    _, low, high = condition
    category, is_level, level = name.partition(" = ")
    if is_level:
        return f"{_words(category)} {'other than ' if low == -inf else ''}{level}"
    if name in contract.sums:
        return f"{_words(name)} {_bounds(low, high, contract.sums[name].unit)}"
    column = contract[name]
    if column.kind == "flag":
        return f"{_words(name)} {column.false_level if low == -inf else column.true_level}"
    whole = column.kind == "integer"
    if whole:  # bounds lie between two whole numbers
        low, high = (low if low == -inf else floor(low) + 1), (high if high == inf else floor(high))
        if low == high:
            return f"{_words(name)} of {low:g}"
    unit = None if name.endswith(column.unit or "") else column.unit
    return f"{_words(name)} {_bounds(low, high, unit, whole=whole)}"


def _bounds(low: float, high: float, unit: str | None, *, whole: bool = False) -> str:
    of_unit = f" {unit}" if unit else ""
    if low == -inf:
        return f"of at most {high:.4g}{of_unit}"
    if high == inf:
        return f"{'of at least' if whole else 'above'} {low:.4g}{of_unit}"
    return f"between {low:.4g} and {high:.4g}{of_unit}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def value_sentence(column: Column, typical: Any) -> Callable[[Any, str], str]:
    """Return a function that puts a value of a column, how it compares with the typical one, and its effect in a sentence.

    Parameters
    ----------
    column : Column
    typical : object
        The value that stands for a missing one.

    Returns
    -------
    callable
        Of a value (None: missing) and of what it does.
    """
    name = _words(column.name)
    if column.kind == "flag":
        flags = {True: f"{name} is {column.true_level}: ", False: f"{name} is {column.false_level}: "}
        unknown = f"{name} is not known, counted as {column.true_level if typical else column.false_level}: "
        return lambda value, effect: (unknown if value is None else flags[bool(value)]) + effect
    if column.kind == "category":
        unknown = f"{name} is not known, counted as {typical}: "
        return lambda value, effect: unknown + effect if value is None else f"{name} is {value}: {effect}"
    # Not "4 customer service calls calls".
    unit = f" {column.unit}" if column.unit and not name.endswith(column.unit) else ""
    unknown = f"{name} is not known, counted as {typical:.4g}{unit}: "
    above, below, at = (f"{unit} is {side} the typical {typical:.4g}: " for side in ("above", "below", "at"))
    start = f"{name} of "

    def describe(value: float | None, effect: str) -> str:
        if value is None:
            return unknown + effect
        return f"{start}{value:g}{above if value > typical else below if value < typical else at}{effect}"

    return describe
