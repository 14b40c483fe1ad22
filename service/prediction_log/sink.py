"""Where predictions are kept: in the store, or on disk until the store is back, or else they are not answered.

While anything waits on disk, what is new goes behind it, so that the store gets everything once and in order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Literal

from churn.errors import RowsRefused, StoreError
from churn.store.records import PredictionRow
from service.observability.metrics import ServiceMetrics
from service.prediction_log.spool import Spool
from service.prediction_log.store_protocol import PredictionStore

PING_SECONDS = 5.0
Place = Literal["store", "spool"]
logger = logging.getLogger(__name__)


class Sink:
    """Puts rows into the store, or behind what waits for it; and feeds the store from there. Safe to use from several threads."""

    def __init__(self, store: PredictionStore, spool: Spool, metrics: ServiceMetrics) -> None:
        self._store, self._spool, self._metrics = store, spool, metrics
        self._ping: asyncio.Task[None] | None = None

    @property
    def place(self) -> Place:
        """Where rows are to go now."""
        return "store" if self._spool.empty else "spool"

    def keep_behind(self, rows: Sequence[PredictionRow]) -> bool:
        """Put rows behind what waits for the store; tell whether anything does. StoreError if the spool cannot be written."""
        if self._spool.empty or not self._spool.append_behind(rows):
            return False
        self._metrics.log_spooled.set(self._spool.rows)
        return True

    def keep(self, rows: Sequence[PredictionRow]) -> Place:
        """Put rows into the store, or into the spool if that fails, and tell which.

        Raises
        ------
        RowsRefused
            If the store is there and will never take them.
        StoreError
            If neither store nor spool can be written.
        """
        try:
            self._store.write_rows(rows)
            return "store"
        except RowsRefused:
            raise
        except StoreError as error:
            logger.error("the store is away; predictions go to the spool: %s", type(error).__name__)
        self.spool(rows)
        return "spool"

    def keep_at_once(self, rows: Sequence[PredictionRow]) -> bool:
        """Put a few rows into the store if that is their place and waits for nobody; tell whether they are there."""
        return self._spool.empty and self._store.write_rows_at_once(rows)

    def spool(self, rows: Sequence[PredictionRow]) -> None:
        """Put rows into the spool; StoreError if it cannot be written."""
        self._spool.append(rows)
        self._metrics.log_spooled.set(self._spool.rows)

    def adopt(self) -> None:
        """Take over what workers that are gone have left on disk."""
        try:
            if self._spool.adopt():
                self._metrics.log_spooled.set(self._spool.rows)
        except OSError as error:
            logger.error("the spool cannot be read: %s", error.strerror)

    def feed_store(self, stopped: Callable[[], bool]) -> None:
        """Give the store what waits for it, as much as it takes, until `stopped`."""

        def write(rows: Sequence[PredictionRow]) -> None:
            if stopped():
                raise StoreError("the service stops; the rest waits for the next start")
            self._replay(rows)

        try:
            fed = self._spool.feed(write)
            if fed:
                logger.warning("the store is back: it has %d predictions from the spool", fed)
        except StoreError:
            pass  # still away: it was said when it went
        except OSError as error:
            logger.error("the spool cannot be read: %s", error.strerror)
        finally:
            self._metrics.log_spooled.set(self._spool.rows)

    def _replay(self, rows: Sequence[PredictionRow]) -> None:
        try:
            self._store.write_rows(rows)
        except RowsRefused:
            # One that can never be stored must not keep the others from it.
            if len(rows) == 1:
                self._spool.set_aside(rows)
                return
            self._replay(rows[: len(rows) // 2])
            self._replay(rows[len(rows) // 2 :])
            return
        self._metrics.log_written.inc(len(rows))
        self._metrics.log_replayed.inc(len(rows))

    async def check(self) -> Place:
        """Tell where rows could be kept now; StoreError if nowhere."""
        if self._spool.empty:
            try:
                # All who ask wait for one ping: if the store hangs, it holds up one thread and not all there are.
                await asyncio.wait_for(asyncio.shield(self._pinging()), PING_SECONDS)
                return "store"
            except (StoreError, TimeoutError):
                pass
        await asyncio.to_thread(self._spool.check)
        return "spool"

    def _pinging(self) -> asyncio.Task[None]:
        if self._ping is None or self._ping.done():
            self._ping = asyncio.create_task(asyncio.to_thread(self._store.ping))
            # Whoever waited may have given up before it failed.
            self._ping.add_done_callback(lambda ping: ping.cancelled() or ping.exception())
        return self._ping

    def lag_seconds(self) -> float:
        """Tell the age of the oldest row on disk; 0 if there is none."""
        return self._spool.lag_seconds()

    def close(self) -> None:
        """Let go of what is on disk: another worker, or the next start, takes it over."""
        self._spool.close()
