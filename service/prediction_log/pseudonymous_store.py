"""The store with pseudonymised customer ids: no plain id passes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from churn.customers.pseudonym import Pseudonymiser
from churn.store.contacts.not_to_contact import Why
from churn.store.contacts.opt_outs import OptOutChanges, OptOutState
from churn.store.contacts.records import Contact, ContactReceipt
from churn.store.records import Outcome, OutcomeReceipt, PredictionRow
from service.prediction_log.store_protocol import PredictionStore


class PseudonymousStore:
    """Passes everything on to `store`, with pseudonyms for customer ids in outcomes and contacts: they find
    their predictions by these.

    Predictions get theirs in `service.prediction_log.log`, before anything is written. Responses are made before that, and echo
    the id that the caller sent.
    """

    def __init__(self, store: PredictionStore, pseudonym: Pseudonymiser) -> None:
        self._store = store
        self._pseudonym = pseudonym

    def write_rows(self, rows: Sequence[PredictionRow], /) -> None:
        """See `Store.write_rows`. The log has put pseudonyms into the rows already."""
        self._store.write_rows(rows)

    def write_rows_at_once(self, rows: Sequence[PredictionRow], /) -> bool:
        """See `Store.write_rows_at_once`."""
        return self._store.write_rows_at_once(rows)

    def write_outcomes(self, batch: Sequence[Outcome], /) -> OutcomeReceipt:
        """See `Store.write_outcomes`."""
        return self._store.write_outcomes([replace(one, customer_id=self._of(one.customer_id)) for one in batch])

    def write_contacts(self, batch: Sequence[Contact], /) -> ContactReceipt:
        """See `Store.write_contacts`."""
        return self._store.write_contacts([replace(one, customer_id=self._of(one.customer_id)) for one in batch])

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
        named = {self._pseudonym(one): one for one in customer_ids}
        return {named[one]: why for one, why in self._store.not_to_contact(list(named), since).items()}

    def opt_out_changes(self, seen: OptOutState | None, /) -> OptOutChanges | None:
        """See `Store.opt_out_changes`."""
        return self._store.opt_out_changes(seen)

    def ping(self) -> None:
        """See `Store.ping`."""
        self._store.ping()

    def close(self) -> None:
        """See `Store.close`."""
        self._store.close()

    def _of(self, customer_id: str | None) -> str | None:
        return None if customer_id is None else self._pseudonym(customer_id)
