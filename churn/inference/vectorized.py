"""Score many customers with a compiled model: column by column, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from churn.inference.compiled import CompiledModel
from churn.inference.terms import Condition

Floats = NDArray[np.float64]
# Rows of a block: what they need stays in the processor's cache.
BLOCK = 16_384


def logits(model: CompiledModel, columns: Mapping[str, NDArray[Any]]) -> Floats:
    """Return many customers' log-odds of churn.

    Parameters
    ----------
    model : CompiledModel
    columns : mapping of str to array, each of shape (n,)
        Numbers and flags as float64 with NaN where missing; categories as integers, the position of the level in the contract's
        list, -1 where missing. Columns that the model does not read are ignored.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
    """
    rows = len(columns[model.columns[0]])
    found = np.empty(rows)
    for start in range(0, rows, BLOCK):
        block = {name: columns[name][start : start + BLOCK] for name in model.columns}
        _add_terms(model, block, found[start : start + BLOCK])
    return found


def probabilities(model: CompiledModel, columns: Mapping[str, NDArray[Any]]) -> Floats:
    """Return many customers' probabilities of churn.

    Parameters
    ----------
    model : CompiledModel
    columns : mapping of str to array, each of shape (n,)
        As in `logits`.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        In [0, 1].
    """
    found = logits(model, columns)
    # As in `expit`: exp of a positive number may overflow.
    small = np.exp(-np.abs(found))
    return np.where(found >= 0, 1.0, small) / (1.0 + small)


def _add_terms(model: CompiledModel, block: dict[str, NDArray[Any]], logits: Floats) -> None:
    inputs = _Inputs(model, block)
    logits[:] = model.intercept
    for ramp in model.ramps:
        part = np.clip(inputs[ramp.input], ramp.low, ramp.high)
        if (missing := inputs.missing(ramp.input)) is not None:
            part[missing] = ramp.missing
        part *= ramp.weight
        logits += part
    held: dict[Condition, NDArray[np.bool_]] = {}
    for rule in model.rules:
        holds: NDArray[np.bool_] | None = None
        for condition in rule.conditions:
            if condition not in held:
                held[condition] = _holds(inputs[condition.input], condition)
            holds = held[condition] if holds is None else holds & held[condition]
        logits += rule.weight if holds is None else holds * rule.weight


class _Inputs:
    """The inputs of a block of customers, each computed on first use."""

    def __init__(self, model: CompiledModel, block: dict[str, NDArray[Any]]) -> None:
        self._model, self._block = model, block
        self._made: dict[int, NDArray[Any]] = {}
        self._known: dict[str, tuple[Floats, NDArray[np.bool_] | None]] = {}
        self._levels = [(column, level) for column, known in model.levels.items() for level in known]
        self._sums = list(model.sums.values())

    def __getitem__(self, at: int) -> NDArray[Any]:
        if at not in self._made:
            self._made[at] = self._make(at)
        return self._made[at]

    def missing(self, at: int) -> NDArray[np.bool_] | None:
        """Return where a number is missing (and no related one is known); None if it is missing nowhere."""
        return self._number(self._model.numbers[at])[1] if at < len(self._model.numbers) else None

    def _make(self, at: int) -> NDArray[Any]:
        numbers = self._model.numbers
        if at < len(numbers):
            return self._number(numbers[at])[0]
        at -= len(numbers)
        if at < len(self._sums):
            # In the order of `CompiledModel.logit`: a condition may lie on the sum's last digit.
            total = self._number(self._sums[at][0])[0].copy()
            with np.errstate(over="ignore"):
                for name in self._sums[at][1:]:
                    total += self._number(name)[0]
            return total
        column, level = self._levels[at - len(self._sums)]
        levels, codes = self._model.category_levels[column], self._block[column]
        is_level = codes == levels.index(level) if level in levels else np.zeros(len(codes), np.bool_)
        return is_level | (codes < 0) if self._model.typical[column] == level else is_level

    def _number(self, name: str) -> tuple[Floats, NDArray[np.bool_] | None]:
        if name not in self._known:
            values = self._block[name]
            missing = np.isnan(values)
            if not missing.any():
                self._known[name] = values, None
            else:
                if name in self._model.relations:
                    other, factor = self._model.relations[name]
                    with np.errstate(over="ignore"):
                        values = np.where(missing, self._block[other] * factor, values)
                    missing = np.isnan(values)
                self._known[name] = np.where(missing, cast("float", self._model.typical[name]), values), missing
        return self._known[name]


def _holds(values: NDArray[Any], condition: Condition) -> NDArray[np.bool_]:
    if condition.low == -inf:
        return values <= condition.high
    above = values > condition.low
    return above if condition.high == inf else above & (values <= condition.high)
