"""Our service without its log, to tell the log's share: answers are made and counted, but no record of them is made or kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from churn.config.settings import load_settings
from churn.store.contacts.not_to_contact import Why
from churn.store.contacts.opt_outs import OptOutChanges, OptOutState
from churn.store.contacts.records import Contact, ContactReceipt
from churn.store.records import Outcome, OutcomeReceipt, PredictionRow
from service.app import ServiceApp, create_app
from service.scoring.scored_batch import ScoredBatch


class NoStore:
    """A store that keeps nothing."""

    def write_rows(self, rows: Sequence[PredictionRow], /) -> None:
        """Keep nothing."""

    def write_rows_at_once(self, _rows: Sequence[PredictionRow], /) -> bool:
        """Keep nothing, at once."""
        return True

    def write_outcomes(self, _batch: Sequence[Outcome], /) -> OutcomeReceipt:
        """Keep nothing."""
        return OutcomeReceipt()

    def write_contacts(self, _batch: Sequence[Contact], /) -> ContactReceipt:
        """Store nothing."""
        return ContactReceipt()

    def not_to_contact(self, _customer_ids: Sequence[str], _since: datetime, /) -> dict[str, Why]:
        """Know nobody."""
        return {}

    def opt_out_changes(self, _seen: OptOutState | None, /) -> OptOutChanges | None:
        """Know nobody who wants no contacts."""
        return None

    def ping(self) -> None:
        """Be there."""

    def close(self) -> None:
        """Have nothing to close."""


def app() -> ServiceApp:
    """Make the app: as the service has it, but for the records."""
    ScoredBatch.rows = lambda *_: []  # type: ignore[method-assign]
    return create_app(load_settings(), store=NoStore())
