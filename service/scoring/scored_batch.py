"""Predictions of one model for many customers, and their records in the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from churn.campaigns.control_group import ACTIONS, Action
from churn.contract import Contract
from churn.customers.columns import CustomerColumns
from churn.store.records import PredictionRow

_ACTIONS = np.array(ACTIONS, dtype=object)


@dataclass(frozen=True)
class BatchSegments:
    """The segments of a batch's customers: numbers of `names`."""

    numbers: NDArray[np.int8]
    names: Sequence[str]

    def of(self, some: slice) -> list[str]:
        """Name the segments of some customers."""
        return [self.names[number] for number in self.numbers[some].tolist()]


@dataclass(frozen=True)
class ScoredBatch:
    """Predictions of one model for many customers, in their order; `segments` only if they were asked for.

    Of those who are answered as churn, `opted_out` says who wants no contacts; None: nobody does.
    """

    customers: CustomerColumns
    prediction_ids: Sequence[str]
    probabilities: NDArray[np.float64]
    churn: NDArray[np.bool_]
    model_version: str
    threshold: float
    requested_at: str
    held_out: NDArray[np.bool_]
    opted_out: NDArray[np.bool_] | None = None
    segments: BatchSegments | None = None

    @property
    def customer_ids(self) -> Sequence[str | None]:
        """The customers' ids; None where there is none."""
        named = self.customers.customer_ids
        return [None] * len(self.prediction_ids) if named is None else named

    def actions(self, some: slice = slice(None)) -> list[Action]:
        """Return what is to be done with these customers, see `service.scoring.served_model.action_of`."""
        found: list[Action] = _ACTIONS[self.action_codes(some)].tolist()
        return found

    def action_codes(self, some: slice) -> NDArray[np.int8]:
        """Return what is to be done with these customers, as positions in `ACTIONS`."""
        codes = self.churn[some].astype(np.int8) + self.held_out[some].astype(np.int8)
        if self.opted_out is not None:
            codes[self.opted_out[some]] = 0
        return codes

    def rows(self, contract: Contract, start: int = 0, end: int | None = None) -> list[PredictionRow]:
        """Return records for the log.

        Parameters
        ----------
        contract : Contract
        start, end : int, optional
            Of which predictions; by default of all.

        Returns
        -------
        list of PredictionRow
        """
        some = slice(start, end)
        columns = (
            self.prediction_ids[some],
            self.customer_ids[some],
            repeat(self.requested_at),
            repeat(self.model_version),
            self.probabilities[some].tolist(),
            repeat(self.threshold),
            self.churn[some].tolist(),
            self.customers.feature_texts(contract, start, end),
            self.held_out[some].tolist(),
        )
        # `map` and `zip` build the rows without a Python step for each, in half the time.
        return list(map(PredictionRow._make, zip(*columns, strict=False)))
