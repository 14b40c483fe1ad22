"""A store that may be away when the service starts: it is opened on first use, and every use tries again until it is there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from churn.errors import StoreError
from churn.store.contacts.not_to_contact import Why
from churn.store.contacts.opt_outs import OptOutChanges, OptOutState
from churn.store.contacts.records import Contact, ContactReceipt
from churn.store.records import Outcome, OutcomeReceipt, PredictionRow
from churn.store.store import Store
from service.prediction_log.store_protocol import PredictionStore


class LazyStore:
    """Opens `url` (and migrates it) when it is first needed. Until that succeeds, every method raises StoreError."""

    def __init__(self, url: str, open_store: Callable[[str], PredictionStore] = Store.open) -> None:
        self._url = url
        self._open_store = open_store
        self._store: PredictionStore | None = None
        self._opening = threading.Lock()

    def _opened(self) -> PredictionStore:
        if self._store is None:
            with self._opening:
                if self._store is None:
                    try:
                        self._store = self._open_store(self._url)
                    except OSError as error:  # the folder of an SQLite file cannot be made
                        raise StoreError(f"the store's folder cannot be made: {error.strerror}") from error
        return self._store

    def write_rows(self, rows: Sequence[PredictionRow], /) -> None:
        """See `Store.write_rows`."""
        self._opened().write_rows(rows)

    def write_rows_at_once(self, rows: Sequence[PredictionRow], /) -> bool:
        """See `Store.write_rows_at_once`."""
        return self._store is not None and self._store.write_rows_at_once(rows)

    def write_outcomes(self, batch: Sequence[Outcome], /) -> OutcomeReceipt:
        """See `Store.write_outcomes`."""
        return self._opened().write_outcomes(batch)

    def write_contacts(self, batch: Sequence[Contact], /) -> ContactReceipt:
        """See `Store.write_contacts`."""
        return self._opened().write_contacts(batch)

    def not_to_contact(self, customer_ids: Sequence[str], since: datetime, /) -> dict[str, Why]:
        """See `Store.not_to_contact`.

        Parameters
        ----------
        customer_ids : sequence of str
        since : datetime

        Returns
        -------
        dict of str to str
        """
        return self._opened().not_to_contact(customer_ids, since)

    def opt_out_changes(self, seen: OptOutState | None, /) -> OptOutChanges | None:
        """See `Store.opt_out_changes`."""
        return self._opened().opt_out_changes(seen)

    def ping(self) -> None:
        """See `Store.ping`."""
        self._opened().ping()

    def close(self) -> None:
        """See `Store.close`; nothing to do if it was never opened."""
        if self._store is not None:
            self._store.close()
            self._store = None
