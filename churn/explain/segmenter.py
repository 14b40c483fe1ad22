"""Which segment each customer belongs to: contributions, then one step of `churn.segments.segments`.

One operation a customer, in the service, in files and in training alike: so nobody is told two segments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from churn.contract import Contract
from churn.customers.columns import CustomerColumns
from churn.explain.attribution import Attributor
from churn.inference.compiled import CompiledModel
from churn.segments.segments import Nearest, Segments

# Customers whose values are Python's objects at the same time: these take several times as much as columns.
SPELLED_AT_ONCE = 2_000


@dataclass(frozen=True)
class Segmenter:
    """Finds segments of one model's customers.

    Attributes
    ----------
    attributor : Attributor
    segments : Segments

    Raises
    ------
    ValueError
        If the segments are not of this model: they compare other columns.
    """

    attributor: Attributor
    segments: Segments

    @classmethod
    def of(cls, compiled: CompiledModel, segments: Segments) -> Self:
        """Make the segmenter of a compiled model.

        Parameters
        ----------
        compiled : CompiledModel
        segments : Segments

        Returns
        -------
        Segmenter

        Raises
        ------
        ValueError
            If the segments are not of this model: they compare other columns.
        """
        return cls(Attributor(compiled), segments)

    def __post_init__(self) -> None:
        if list(self.attributor.plan.model.columns) != self.segments.columns:
            raise ValueError("the segments compare other columns than the model reads")

    @cached_property
    def _nearest(self) -> Nearest:
        return Nearest(self.segments)

    @property
    def names(self) -> list[str]:
        """The names of the segments, by their numbers."""
        return self.segments.names

    def name(self, values: Sequence[Any]) -> str:
        """Name the segment of one customer; `values` as in `CompiledModel.logit`."""
        return self.segments.names[self.number(values)]

    def number(self, values: Sequence[Any]) -> int:
        """Return the number of one customer's segment; `values` as in `CompiledModel.logit`."""
        return self._nearest.of(self.attributor.attribute(values).contributions)

    def numbers(self, columns: Iterable[Sequence[Any]]) -> NDArray[np.int8]:
        """Return the numbers of many customers' segments.

        Parameters
        ----------
        columns : iterable of sequence, each of length n
            One a column that the model reads, in its order, spelled as in `CompiledModel.logit`.

        Returns
        -------
        numpy.ndarray of int8, shape (n,)
        """
        return np.fromiter((self.number(values) for values in zip(*columns, strict=True)), dtype=np.int8)

    def of_customers(self, customers: CustomerColumns, contract: Contract) -> NDArray[np.int8]:
        """Return the numbers of many customers' segments, with little memory however many they are.

        Parameters
        ----------
        customers : CustomerColumns
        contract : Contract

        Returns
        -------
        numpy.ndarray of int8, shape (n,)
        """
        columns, numbers = self.segments.columns, np.empty(len(customers), dtype=np.int8)
        for start in range(0, len(numbers), SPELLED_AT_ONCE):
            some = slice(start, start + SPELLED_AT_ONCE)
            piece = CustomerColumns({name: customers.values[name][some] for name in columns})
            numbers[some] = self.numbers(piece.plain_values(columns, contract))
        return numbers
