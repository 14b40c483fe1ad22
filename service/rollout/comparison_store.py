"""What shadow and probation write to the store and read from it, over a connection of their own, opened on first use."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from churn.clock import now
from churn.store.records import NO_LIMIT

if TYPE_CHECKING:
    from churn.store.maturity import Maturity
    from churn.store.shadow import Realized, ShadowRow
    from churn.store.store import Store

# No request waits for these calls, but a thread does.
TIMEOUT_SECONDS = 30.0
# How long an estimate of the maturity holds, and whether leavers alone are told.
MATURITY_SECONDS = 60.0


class ComparisonStore(Protocol):
    """Every method blocks, and raises StoreError if the store is away."""

    def write_shadow(self, rows: Sequence[ShadowRow], /) -> None:
        """Store the challenger's predictions."""

    def realized(
        self, version: str, *, since: datetime, after_outcome_seq: int, mature_until: datetime, limit: int
    ) -> list[Realized]:
        """Return the known outcomes of a version's own mature predictions, oldest predictions first.

        Parameters
        ----------
        version : str
        since : datetime
            Only predictions from then on.
        after_outcome_seq : int
            Only outcomes that arrived after this one, and those of predictions that were not mature before.
        mature_until : datetime
            When the youngest of the predictions that were mature before was requested.
        limit : int
            At most so many.

        Returns
        -------
        list of Realized
            Of customers who were not acted on, with weights.
        """

    def close(self) -> None:
        """Close the connections."""


class LazyComparisonStore:
    """The store at `url`, opened on first use.

    Parameters
    ----------
    url : str
    label_maturity_seconds : float or None
        As of the settings; None: found from the outcomes known so far, once a minute.
    control_share : float
        As of the settings: of whom, once customers are contacted, the control group stands for how many.
    contact_effect : timedelta
        How long a contact may change what a customer does.
    """

    def __init__(self, url: str, label_maturity_seconds: float | None, control_share: float, contact_effect: timedelta) -> None:
        self._url = url
        self._control_share, self._contact_effect = control_share, contact_effect
        self._maturity_setting = label_maturity_seconds
        self._maturity: tuple[float, Maturity] | None = None
        self._leavers_only: dict[tuple[str, datetime], bool] = {}
        self._store: Store | None = None
        self._opening = threading.Lock()

    def write_shadow(self, rows: Sequence[ShadowRow], /) -> None:
        """See `ComparisonStore`."""
        self._opened().write_shadow(rows)

    def realized(
        self, version: str, *, since: datetime, after_outcome_seq: int, mature_until: datetime, limit: int
    ) -> list[Realized]:
        """Return the known outcomes of a version's own mature predictions, oldest predictions first.

        Parameters
        ----------
        version : str
        since : datetime
        after_outcome_seq : int
        mature_until : datetime
        limit : int
            See `ComparisonStore.realized`.

        Returns
        -------
        list of Realized
            None while they seem to be told of those who left only (`churn.store.cohort`): a model with lower probabilities
            would look worse than it is. They wait.
        """
        store, until = self._opened(), self._mature_until()
        if until < since or self._told_of_leavers(version, since, until):
            return []
        mature = (mature_until, until)
        return store.realized(
            version,
            since=since,
            after_outcome_seq=after_outcome_seq,
            mature=mature,
            limit=limit,
            contact_effect=self._contact_effect,
            control_share=self._control_share,
        )

    def close(self) -> None:
        """See `ComparisonStore`; nothing to do if it was never opened."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _mature_until(self) -> datetime:
        from churn.store.maturity import label_maturity

        if self._maturity is None or time.monotonic() - self._maturity[0] > MATURITY_SECONDS:
            self._maturity = time.monotonic(), label_maturity(self._opened(), self._maturity_setting, now())
            self._leavers_only.clear()
        return self._maturity[1].until(now())

    def _told_of_leavers(self, version: str, since: datetime, until: datetime) -> bool:
        if until >= NO_LIMIT:
            return False  # outcomes count at once, and nobody waits for a whole cohort
        if (version, since) not in self._leavers_only:
            self._leavers_only[version, since] = self._opened().seems_of_leavers(version, (since, until))
        return self._leavers_only[version, since]

    def _opened(self) -> Store:
        from churn.store.store import Store

        with self._opening:
            if self._store is None:
                self._store = Store.open(self._url, TIMEOUT_SECONDS)
            return self._store
