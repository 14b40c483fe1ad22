"""Score many customers with a compiled model: column by column, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from churn.inference.compiled import CompiledModel
from churn.inference.terms import Condition, Ramp

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
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
    found, spare = np.empty(rows), np.empty(min(rows, BLOCK))
    for start in range(0, rows, BLOCK):
        block = {name: columns[name][start : start + BLOCK] for name in model.columns}
        here = found[start : start + BLOCK]
        _add_terms(model, block, here, spare[: len(here)])
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
    return to_probabilities(logits(model, columns))


def to_probabilities(logits: Floats) -> Floats:
    """Turn log-odds into probabilities, in place, and return them."""
    spare = np.empty(min(len(logits), BLOCK))
    for start in range(0, len(logits), BLOCK):
        block = logits[start : start + BLOCK]
        _expit(block, spare[: len(block)])
    return logits


def clipped_inputs(model: CompiledModel, block: dict[str, NDArray[Any]]) -> Floats:
    """Return the value of each ramp for a block of customers, before its weight.

    Parameters
    ----------
    model : CompiledModel
    block : dict of str to array, each of shape (n,)
        As in `logits`.

    Returns
    -------
    numpy.ndarray of float64, shape (n_ramps, n)
    """
    inputs = _Inputs(model, block)
    values = np.empty((len(model.ramps), len(block[model.columns[0]])))
    for ramp, row in zip(model.ramps, values, strict=True):
        _clip(inputs, ramp, row)
    return values


def _expit(logits: Floats, spare: Floats) -> None:
    """Turn log-odds into probabilities, in place, as `churn.inference.compiled.expit` does: exp of a large number overflows."""
    small = np.abs(logits, out=spare)
    np.exp(np.negative(small, out=small), out=small)
    # exp(-|x|) is at most 1, so this is 1 where x >= 0: a choice without branches, of which the processor would guess half wrong.
    np.maximum(small, logits >= 0, out=logits)
    small += 1.0
    logits /= small


def _add_terms(model: CompiledModel, block: dict[str, NDArray[Any]], logits: Floats, spare: Floats) -> None:
    inputs = _Inputs(model, block)
    logits[:] = model.intercept
    for ramp in model.ramps:
        _clip(inputs, ramp, spare)
        logits += np.multiply(spare, ramp.weight, out=spare)
    held: dict[Condition, Flags] = {}
    for rule in model.rules:
        holds: Flags | None = None
        for condition in rule.conditions:
            if condition not in held:
                held[condition] = _holds(inputs[condition.input], condition)
            holds = held[condition] if holds is None else holds & held[condition]
        if holds is None:
            logits += rule.weight
        else:
            logits += np.multiply(holds, rule.weight, out=spare)


def _clip(inputs: _Inputs, ramp: Ramp, out: Floats) -> None:
    np.clip(inputs[ramp.input], ramp.low, ramp.high, out=out)
    if (missing := inputs.missing(ramp.input)) is not None:
        out[missing] = ramp.missing


class _Inputs:
    """The inputs of a block of customers, each computed on first use."""

    def __init__(self, model: CompiledModel, block: dict[str, NDArray[Any]]) -> None:
        self._model, self._block = model, block
        self._made: dict[int, NDArray[Any]] = {}
        self._known: dict[str, tuple[Floats, NDArray[np.intp] | None]] = {}
        self._levels = [(column, level) for column, known in model.levels.items() for level in known]
        self._sums = list(model.sums.values())

    def __getitem__(self, at: int) -> NDArray[Any]:
        if at not in self._made:
            self._made[at] = self._make(at)
        return self._made[at]

    def missing(self, at: int) -> NDArray[np.intp] | None:
        """Return the rows where a number is missing (and no related one is known); None if it is missing nowhere."""
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
        return is_level | (codes < 0) if self._model.instead_of(column) == level else is_level

    def _number(self, name: str) -> tuple[Floats, NDArray[np.intp] | None]:
        if name not in self._known:
            self._known[name] = self._completed(name)
        return self._known[name]

    def _completed(self, name: str) -> tuple[Floats, NDArray[np.intp] | None]:
        """Fill missing values from a related number, else with what is typical; return them and the rows still missing."""
        values = self._block[name]
        # A few rows are mended one by one: to choose in all of them takes ten times as long as to look for them.
        missing = np.flatnonzero(np.isnan(values))
        if not missing.size:
            return values, None
        values = values.copy()
        if name in self._model.relations:
            other, factor = self._model.relations[name]
            with np.errstate(over="ignore"):
                values[missing] = self._block[other][missing] * factor
            missing = missing[np.isnan(values[missing])]
        values[missing] = cast("float", self._model.typical[name])
        return values, missing


def _holds(values: NDArray[Any], condition: Condition) -> Flags:
    if condition.low == -inf:
        return values <= condition.high
    above = values > condition.low
    return above if condition.high == inf else above & (values <= condition.high)
