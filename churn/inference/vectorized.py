"""A compiled model over many customers at once: column by column, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from churn.inference.compiled import CompiledModel, Condition

Floats = NDArray[np.float64]
# Rows that are worked on at a time: what they need stays in the processor's cache.
BLOCK = 16_384


def logits_of(model: CompiledModel, columns: Mapping[str, NDArray[Any]]) -> Floats:
    """Give the log-odds, shape (n,); see `CompiledModel.logits`."""
    rows = len(columns[model.columns[0]])
    logits = np.empty(rows)
    for start in range(0, rows, BLOCK):
        block = {name: columns[name][start : start + BLOCK] for name in model.columns}
        _sum_up(model, block, logits[start : start + BLOCK])
    return logits


def _sum_up(model: CompiledModel, block: dict[str, NDArray[Any]], logits: Floats) -> None:
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
    """The inputs of a block of customers, each made when it is first asked for."""

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
        """Tell where a number is missing (and follows from no other); None if it is nowhere."""
        return self._number(self._model.numbers[at])[1] if at < len(self._model.numbers) else None

    def _make(self, at: int) -> NDArray[Any]:
        numbers = self._model.numbers
        if at < len(numbers):
            return self._number(numbers[at])[0]
        at -= len(numbers)
        if at < len(self._sums):
            # In this order, as one customer's sum is made: a condition may lie on its last digit.
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
