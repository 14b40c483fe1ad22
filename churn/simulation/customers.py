"""Customers column by column: drawn from a population, shifted, kept within the contract, and written down with losses."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from churn.contract import Contract
from churn.errors import InputError
from churn.simulation.draws import Source
from churn.simulation.marginals import Levels, Marginal, Normal, Share, Values
from churn.simulation.population import Population, relations
from churn.simulation.shift import Shift

Customers = dict[str, Values]


def draw_customers(
    contract: Contract, population: Population, rows: int, source: Source, shift: Shift
) -> tuple[Customers, Customers]:
    """Draw customers.

    Parameters
    ----------
    contract : Contract
    population : Population
        That of the contract.
    rows : int
        How many, at least 1.
    source : Source
        Of the random numbers.
    shift : Shift
        What is different from the population.

    Returns
    -------
    true, recorded : dict of numpy.ndarray, each of shape (rows,)
        Each column as it is, and as it is written down: they differ by what is lost or permuted.

    Raises
    ------
    InputError
        If a knob of the shift does not fit the contract.
    """
    shift.hold_against(contract)
    columns = _Columns(contract, population, rows, source, shift)
    for name in contract.feature_names:
        columns.value(name)
    true = columns.drawn
    recorded = {name: _lost(values, name, shift, source) for name, values in true.items()}
    if shift.mix is None:
        return true, recorded
    other_true, other_recorded = draw_customers(contract, population, rows, source, shift.mix.shift)
    others = source.of("<mix>").random(rows) < shift.mix.share
    return where(others, other_true, true), where(others, other_recorded, recorded)


class _Columns:
    """Columns that are drawn when they are first asked for, since some depend on others."""

    def __init__(self, contract: Contract, population: Population, rows: int, source: Source, shift: Shift) -> None:
        self.drawn: Customers = {}
        self._marginals, self._relations, self._bounds = population.columns, relations(contract), _bounds(contract)
        self._rows, self._source, self._shift = rows, source, shift

    def value(self, name: str) -> Values:
        """Return a column, shape (rows,)."""
        if name not in self.drawn:
            self.drawn[name] = self._draw(name)
        return self.drawn[name]

    def _draw(self, name: str) -> Values:
        marginal = self._marginals.get(name)
        if marginal is None:
            check = self._relations[name]
            values = _round(self.value(check.equals) * check.times, _decimals_within(check.tolerance))
        else:
            values = self._draw_marginal(name, marginal)
        if isinstance(marginal, Levels | Share):
            return values
        values = _moved(values, name, self._shift, self._source)
        if marginal is not None:
            values = np.round(values, marginal.decimals if isinstance(marginal, Normal) else 0)
            if marginal.only_with is not None:
                values = np.where(self.value(marginal.only_with) > 0, values, 0.0)
        # -0.0 would be a second form of zero.
        return np.clip(values, *self._bounds[name]) + 0.0

    def _draw_marginal(self, name: str, marginal: Marginal) -> Values:
        if isinstance(marginal, Share) and name in self._shift.share:
            marginal = Share(share=self._shift.share[name])
        stream = self._source.of(name)
        if isinstance(marginal, Normal) and marginal.plus:
            lift = sum((self.value(flag) * amount for flag, amount in marginal.plus.items()), np.zeros(self._rows))
            return marginal.draw(stream, self._rows, lift)
        return marginal.draw(stream, self._rows)


def where(others: NDArray[np.bool_], there: Customers, here: Customers) -> Customers:
    """Return the customers of `there` where `others` is true, else those of `here`.

    Parameters
    ----------
    others : numpy.ndarray of bool, shape (rows,)
    there, here : dict of numpy.ndarray, each of shape (rows,)

    Returns
    -------
    dict of numpy.ndarray
    """
    return {name: np.where(others, there[name], here[name]) for name in here}


def _moved(values: Values, name: str, shift: Shift, source: Source) -> Values:
    if name in shift.scale:
        values = values * shift.scale[name]
    if name in shift.move:
        values = values + shift.move[name]
    if name in shift.extra:
        chosen = source.of(f"{name}/extra").random(len(values)) < shift.extra[name].share
        values = values + chosen * shift.extra[name].by
    return values


def _lost(values: Values, name: str, shift: Shift, source: Source) -> Values:
    if name in shift.permute:
        values = source.accident(f"{name}/permute").permutation(values)
    if name in shift.missing:
        lost = source.accident(f"{name}/missing").random(len(values)) < shift.missing[name]
        values = np.where(lost, np.array(None if values.dtype == object else np.nan), values)
    return values


def _round(values: Values, decimals: int) -> Values:
    # Half up, as bills are (and as the real data's charges are). The addend is for decimals whose binary form lies just below.
    factor = 10.0**decimals
    return np.asarray(np.floor(values * factor + 0.5 + 1e-9) / factor)


def _decimals_within(tolerance: float) -> int:
    """Return the fewest decimals whose rounding stays within the tolerance: cents for 0.01."""
    return max(0, math.ceil(-math.log10(2 * tolerance)))


def _bounds(contract: Contract) -> dict[str, tuple[float, float]]:
    """Return the bounds of each number, narrowed so that the columns that follow from it keep theirs."""
    found: dict[str, tuple[float, float]] = {}
    follows = relations(contract)

    def of(name: str) -> tuple[float, float]:
        column = contract[name]
        low = -math.inf if column.minimum is None else column.minimum
        high = math.inf if column.maximum is None else column.maximum
        for check in follows.values():
            if check.equals == name and check.times:
                ends = sorted(end / check.times for end in of(check.column))
                low, high = max(low, ends[0]), min(high, ends[1])
        if column.kind == "integer":
            low, high = (math.ceil(low) if math.isfinite(low) else low), (math.floor(high) if math.isfinite(high) else high)
        if low > high:
            raise InputError(f"contract {contract.name!r}: no value of {name!r} keeps both its bounds and the checks")
        return low, high

    for column in contract.features:
        found[column.name] = (0.0, 1.0) if column.kind == "flag" else of(column.name)
    return found
