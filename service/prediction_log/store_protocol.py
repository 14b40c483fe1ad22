"""What the prediction log needs of a store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from churn.store.contacts.not_to_contact import Why
from churn.store.contacts.opt_outs import OptOutChanges, OptOutState
from churn.store.contacts.records import Contact, ContactReceipt
from churn.store.records import Outcome, OutcomeReceipt, PredictionRow


class PredictionStore(Protocol):
    """What the service needs of `churn.store.store.Store`. Every method raises StoreError if the store is away."""

    def write_rows(self, rows: Sequence[PredictionRow], /) -> None:
        """Store all rows or none; rows that are there already stay as they are. RowsRefused if some of them break its rules."""

    def write_rows_at_once(self, rows: Sequence[PredictionRow], /) -> bool:
        """Store a few rows if the store need not be waited for; return whether they are stored. For the event loop only."""

    def write_outcomes(self, batch: Sequence[Outcome], /) -> OutcomeReceipt:
        """Store outcomes."""

    def write_contacts(self, batch: Sequence[Contact], /) -> ContactReceipt:
        """Store contacts."""

    def not_to_contact(self, customer_ids: Sequence[str], since: datetime, /) -> dict[str, Why]:
        """Return which of these customers must not be contacted, and why.

        Parameters
        ----------
        customer_ids : sequence of str
        since : datetime
            Who was contacted since then is left alone.

        Returns
        -------
        dict of str to str
        """

    def opt_out_changes(self, seen: OptOutState | None, /) -> OptOutChanges | None:
        """Return what customers said about contacts since `seen`, or None."""

    def ping(self) -> None:
        """Return if the store answers."""

    def close(self) -> None:
        """Close the connections."""
