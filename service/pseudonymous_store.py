"""The store as the service sees it when identifiers are pseudonymised: behind this, no plain identifier exists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from churn.pseudonym import Pseudonymiser
from churn.records import Outcome, OutcomeReceipt, Prediction
from service.prediction_log import PredictionStore


class PseudonymousStore:
    """Passes everything on to `store`, with pseudonyms for customer ids; outcomes find their predictions by the same pseudonym.

    Whatever keeps records on disk belongs behind this. Answers are made before it, and echo the id that the caller sent.
    """

    def __init__(self, store: PredictionStore, pseudonym: Pseudonymiser) -> None:
        self._store = store
        self._pseudonym = pseudonym

    def write_predictions(self, batch: Sequence[Prediction], /) -> None:
        """See `Store.write_predictions`."""
        self._store.write_predictions([replace(one, customer_id=self._of(one.customer_id)) for one in batch])

    def write_outcomes(self, batch: Sequence[Outcome], /) -> OutcomeReceipt:
        """See `Store.write_outcomes`."""
        return self._store.write_outcomes([replace(one, customer_id=self._of(one.customer_id)) for one in batch])

    def ping(self) -> None:
        """See `Store.ping`."""
        self._store.ping()

    def close(self) -> None:
        """See `Store.close`."""
        self._store.close()

    def _of(self, customer_id: str | None) -> str | None:
        return None if customer_id is None else self._pseudonym(customer_id)
