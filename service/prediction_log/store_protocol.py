"""What the prediction log needs of a store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from churn.store.records import Outcome, OutcomeReceipt, PredictionRow


class PredictionStore(Protocol):
    """What the service needs of `churn.store.store.Store`. Every method raises StoreError if the store is away."""

    def write_rows(self, rows: Sequence[PredictionRow], /) -> None:
        """Store all or none; rows that are there already stay as they are. RowsRefused if some of them break its rules."""

    def write_rows_at_once(self, rows: Sequence[PredictionRow], /) -> bool:
        """Store a few rows if that waits for nobody; tell whether they are stored. Called by the event loop only."""

    def write_outcomes(self, batch: Sequence[Outcome], /) -> OutcomeReceipt:
        """Store what came true."""

    def ping(self) -> None:
        """Ask for a sign of life."""

    def close(self) -> None:
        """Give the connections back."""
