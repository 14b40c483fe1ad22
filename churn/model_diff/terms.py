"""The terms of two compiled models side by side: which both have, which only one, and how far weights moved."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

from churn.contract import Contract
from churn.inference.compiled import CompiledModel
from churn.inference.terms import Condition, Ramp


@dataclass(frozen=True)
class TermChange:
    """One term, and what it can add to the log-odds in each model; None in the model that lacks it.

    Attributes
    ----------
    term : str
        In words; bounds to four digits.
    first, second : float or None
        Of a rule its weight; of a clipped number the difference between its ends, or per unit where an end is open.
    """

    term: str
    first: float | None
    second: float | None

    @property
    def size(self) -> float:
        """Return how far the weight moved: all of it, if one model lacks the term."""
        return abs((self.second or 0.0) - (self.first or 0.0))


def compare_terms(first: CompiledModel, second: CompiledModel, contract: Contract) -> list[TermChange]:
    """Return the terms of both models, those that moved most first.

    Parameters
    ----------
    first, second : CompiledModel
    contract : Contract
        Names the values of flags.

    Returns
    -------
    list of TermChange
    """
    old, new = (weights_by_term(model, contract) for model in (first, second))
    changes = [TermChange(term, old.get(term), new.get(term)) for term in {**old, **new}]
    return sorted(changes, key=lambda change: (-change.size, change.term))


def weights_by_term(model: CompiledModel, contract: Contract) -> dict[str, float]:
    """Return what each term can add to the log-odds, by its text; terms of one text are added up.

    Parameters
    ----------
    model : CompiledModel
    contract : Contract

    Returns
    -------
    dict of str to float
    """
    found: dict[str, float] = {}
    names = [f"{name}(missing)" if name.endswith(" = ") else name for name in model.input_names]
    for ramp in model.ramps:
        text, weight = _ramp(names[ramp.input], ramp)
        found[text] = found.get(text, 0.0) + weight
    for rule in model.rules:
        text = " and ".join(_condition(names[c.input], c, contract) for c in rule.conditions) or "always"
        found[text] = found.get(text, 0.0) + rule.weight
    return found


def _ramp(name: str, ramp: Ramp) -> tuple[str, float]:
    if ramp.low == ramp.high:
        return f"{name} is missing", ramp.weight * (ramp.missing - ramp.low)
    if isfinite(ramp.low) and isfinite(ramp.high):
        if (ramp.low, ramp.high) == (0.0, 1.0):
            return name, ramp.weight
        return f"{name} from {ramp.low:.4g} to {ramp.high:.4g}", ramp.weight * (ramp.high - ramp.low)
    sides = [f"from {ramp.low:.4g}"] * isfinite(ramp.low) + [f"up to {ramp.high:.4g}"] * isfinite(ramp.high)
    return " ".join([name, *sides, "(per unit)"]), ramp.weight


def _condition(name: str, condition: Condition, contract: Contract) -> str:
    _, low, high = condition
    column = {c.name: c for c in contract.features}.get(name)
    if column is not None and column.kind == "flag" and (low, high) != (-inf, inf):
        return f"{name} = {column.true_level if low >= 0 else column.false_level}"
    if column is None and " = " in name:
        return name if low >= 0 else f"not {name}"
    if low == -inf:
        return f"{name} <= {high:.4g}"
    return f"{name} > {low:.4g}" if high == inf else f"{low:.4g} < {name} <= {high:.4g}"
