"""Why, in words: how each column of a customer moved the log-odds of leaving (`churn.attribution` says by how much)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from churn.attribution import Attribution, Attributor
from churn.contract import Column, Contract
from churn.model import Model
from churn.rules import Rule
from service.schemas import Reason


class Explainer:
    """Explains the answers of one model."""

    def __init__(self, attributor: Attributor, contract: Contract) -> None:
        self._attributor = attributor
        self._contract = contract
        self._columns = [contract[name] for name in attributor.columns]

    @classmethod
    def of(cls, model: Model, contract: Contract) -> Explainer | None:
        """Make the explainer of `model`, or None if its answers cannot be taken apart."""
        attributor = Attributor.of(model.pipeline, model.info.features)
        return None if attributor is None else cls(attributor, contract)

    def explain(self, customer: pd.DataFrame) -> Attribution:
        """Take one customer's log-odds apart.

        Parameters
        ----------
        customer : pandas.DataFrame, shape (1, at least the model's features)
            As in `churn.frame`.
        """
        return self._attributor.attribute(customer)

    def reasons(self, attribution: Attribution, features: dict[str, Any], strongest: int) -> list[Reason]:
        """Put the strongest contributions into words, strongest first."""
        # Equal shares differ in their last digits; the contract's order decides between them.
        order = np.argsort(-np.abs(attribution.contributions).round(9), kind="stable")[:strongest]
        return [self._reason(self._columns[i], attribution, float(attribution.contributions[i]), features) for i in order]

    def _reason(self, column: Column, attribution: Attribution, contribution: float, features: dict[str, Any]) -> Reason:
        value = features[column.name]
        effect = "raises the risk" if contribution > 0 else "lowers the risk" if contribution < 0 else "makes no difference"
        others = self._together_with(self._speaks_for(column, features), attribution, contribution)
        text = f"{_tell(column, value, self._attributor.typical[column.name])}: {effect}{f' ({others})' if others else ''}"
        return Reason(feature=column.name, value=value, contribution=contribution, text=text)

    def _speaks_for(self, column: Column, features: dict[str, Any]) -> set[str]:
        """Name the column and those that were not said but follow from it: a charge from its minutes."""
        model = self._attributor.features
        relations = {} if model is None else model.inputs.relations
        unsaid = {name for name, (origin, _) in relations.items() if origin == column.name and features[name] is None}
        return {column.name, *unsaid}

    def _together_with(self, columns: set[str], attribution: Attribution, contribution: float) -> str:
        """Say what else was asked of the customer by the rule through which the columns counted most; empty if nothing."""
        features = self._attributor.features
        if features is None:
            return ""
        terms, inputs = features.terms, features.inputs
        gains = attribution.term_gains * np.sign(contribution)
        mine = [i for i, names in enumerate(self._attributor.term_columns) if columns & set(names) and gains[i] > 0]
        strongest = max(mine, key=lambda i: gains[i], default=None)
        if strongest is None or strongest < len(terms.ramps):
            return ""
        # What is asked of a column alone is told by its value; a sum that it is part of is told.
        rule: Rule = terms.rules[strongest - len(terms.ramps)]
        told = [self._condition(inputs.names[i], *bounds) for i, bounds in rule if not set(inputs.sources[i]) <= columns]
        # A rule's weight and what it gained have one sign where it holds; else the customer is out of a rule others are in.
        holds = attribution.term_gains[strongest] * self._attributor.weights[strongest] > 0
        return f"{'with' if holds else 'not among those with'} {' and '.join(told)}" if told else ""

    def _condition(self, name: str, low: float, high: float) -> str:
        category, is_level, level = name.partition(" = ")
        if is_level:
            return f"{_spoken(category)} {'other than ' if low == -np.inf else ''}{level}"
        known = {column.name: column for column in self._columns}
        if (column := known.get(name)) is None:
            return (
                f"{_spoken(name)} {_bounds(low, high, self._contract.sums[name].unit if name in self._contract.sums else None)}"
            )
        if column.kind == "flag":
            return f"{_spoken(name)} {column.false_level if low == -np.inf else column.true_level}"
        if column.kind == "integer":  # bounds lie between two whole numbers
            low, high = np.floor(low) + 1, np.floor(high)
            if low == high:
                return f"{_spoken(name)} of {low:g}"
        unit = None if name.endswith(column.unit or "") else column.unit
        return f"{_spoken(name)} {_bounds(low, high, unit, whole=column.kind == 'integer')}"


def _bounds(low: float, high: float, unit: str | None, *, whole: bool = False) -> str:
    said = f" {unit}" if unit else ""
    if low == -np.inf:
        return f"of at most {high:.4g}{said}"
    if high == np.inf:
        return f"{'of at least' if whole else 'above'} {low:.4g}{said}"
    return f"between {low:.4g} and {high:.4g}{said}"


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _tell(column: Column, value: Any, typical: Any) -> str:
    name = _spoken(column.name)
    # "4 customer service calls calls" says it twice.
    unit = f" {column.unit}" if column.unit and not name.endswith(column.unit) else ""
    if column.kind in ("flag", "category"):
        said = value
        if column.kind == "flag":
            said, typical = (column.true_level if flag else column.false_level for flag in (value, typical))
        return f"{name} is not known, counted as {typical}" if value is None else f"{name} is {said}"
    if value is None:
        return f"{name} is not known, counted as {typical:.4g}{unit}"
    side = "above" if value > typical else "below" if value < typical else "at"
    return f"{name} of {value:g}{unit} is {side} the typical {typical:.4g}"
