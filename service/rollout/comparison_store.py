"""What shadow and probation write to the store and read from it, over a connection of their own, opened on first use."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from churn.store.shadow import Realized, ShadowRow
    from churn.store.store import Store

# No request waits for these calls, but a thread does.
TIMEOUT_SECONDS = 30.0


class ComparisonStore(Protocol):
    """Every method blocks, and raises StoreError if the store is away."""

    def write_shadow(self, rows: Sequence[ShadowRow], /) -> None:
        """Store the challenger's predictions."""

    def realized(self, version: str, *, since: datetime, after_outcome_seq: int, limit: int) -> list[Realized]:
        """Return the known outcomes of a version's own predictions, oldest first.

        Parameters
        ----------
        version : str
        since : datetime
            Only predictions from then on.
        after_outcome_seq : int
            Only outcomes that arrived after this one.
        limit : int
            At most so many.

        Returns
        -------
        list of Realized
        """

    def close(self) -> None:
        """Close the connections."""


class LazyComparisonStore:
    """The store at `url`, opened on first use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._store: Store | None = None
        self._opening = threading.Lock()

    def write_shadow(self, rows: Sequence[ShadowRow], /) -> None:
        """See `ComparisonStore`."""
        self._opened().write_shadow(rows)

    def realized(self, version: str, *, since: datetime, after_outcome_seq: int, limit: int) -> list[Realized]:
        """Return the known outcomes of a version's own predictions, oldest first.

        Parameters
        ----------
        version : str
        since : datetime
        after_outcome_seq, limit : int
            See `ComparisonStore.realized`.

        Returns
        -------
        list of Realized
        """
        return self._opened().realized(version, since=since, after_outcome_seq=after_outcome_seq, limit=limit)

    def close(self) -> None:
        """See `ComparisonStore`; nothing to do if it was never opened."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _opened(self) -> Store:
        from churn.store.store import Store

        with self._opening:
            if self._store is None:
                self._store = Store.open(self._url, TIMEOUT_SECONDS)
            return self._store
