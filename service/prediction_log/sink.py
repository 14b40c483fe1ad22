"""Where predictions go: to the store, or to the spool until the store is back, or else they are not answered.

While anything waits in the spool, new rows go behind it, so that the store gets every row once and in order.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import Literal

from churn.errors import RowsRefused, StoreError
from churn.store.records import PredictionRow
from service.observability.metrics import ServiceMetrics
from service.prediction_log.spool import Spool
from service.prediction_log.store_protocol import PredictionStore
from service.threads import run_in_thread

PING_SECONDS = 5.0
REPLAY_PAUSE_SHARE = 0.5
Destination = Literal["store", "spool"]
logger = logging.getLogger(__name__)


class Sink:
    """Writes rows to the store or the spool, and replays the spool to the store. Safe to use from several threads."""

    def __init__(self, store: PredictionStore, spool: Spool, metrics: ServiceMetrics) -> None:
        self._store, self._spool, self._metrics = store, spool, metrics
        self._running: dict[str, asyncio.Task[None]] = {}
        spool.on_damage = metrics.log.damaged.inc

    @property
    def destination(self) -> Destination:
        """Where rows go now."""
        return "store" if self._spool.empty else "spool"

    def write(self, rows: Sequence[PredictionRow]) -> Destination:
        """Write rows to the store or, if that fails, to the spool; return which.

        Raises
        ------
        RowsRefused
            If the store is there and will never accept them.
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

    def write_at_once(self, rows: Sequence[PredictionRow]) -> bool:
        """Write a few rows to the store if nothing is spooled and the store need not be waited for; return whether it did."""
        return self._spool.empty and self._store.write_rows_at_once(rows)

    def spool(self, rows: Sequence[PredictionRow]) -> None:
        """Write rows to the spool; StoreError if that fails."""
        self._spool.append(rows)
        self._metrics.log.spooled.set(self._spool.rows)

    def spool_behind(self, rows: Sequence[PredictionRow]) -> bool:
        """Write rows to the spool if anything waits there; return whether it does. StoreError if the spool cannot be written."""
        if self._spool.empty or not self._spool.append_behind(rows):
            return False
        self._metrics.log.spooled.set(self._spool.rows)
        return True

    def adopt(self) -> None:
        """Take over what dead workers have left in the spool."""
        try:
            if self._spool.adopt():
                self._metrics.log.spooled.set(self._spool.rows)
        except OSError as error:
            logger.error("the spool cannot be read: %s", error.strerror)

    def replay(self, stopped: Callable[[], bool]) -> None:
        """Write the spool to the store, as much as it accepts, until `stopped` returns true."""

        def write(rows: Sequence[PredictionRow]) -> None:
            if stopped():
                raise StoreError("the service stops; the rest waits for the next start")
            begun = time.monotonic()
            self._replay(rows)
            # Others write to a store that has just come back, too, and SQLite has one writer at a time. (No sleep: an error of
            # the clock would be one of the spool, whose rows are in the store by now.)
            Event().wait(max(0.0, REPLAY_PAUSE_SHARE * (time.monotonic() - begun)))

        try:
            replayed = self._spool.replay(write)
            if replayed:
                logger.warning("the store is back: it has %d predictions from the spool", replayed)
        except StoreError:
            pass  # still away, which was logged when it went
        except OSError as error:
            logger.error("the spool cannot be read: %s", error.strerror)
        finally:
            self._metrics.log.spooled.set(self._spool.rows)

    def _replay(self, rows: Sequence[PredictionRow]) -> None:
        try:
            self._store.write_rows(rows)
        except RowsRefused:
            # A row that the store never accepts must not hold up the others: find it by halving.
            if len(rows) == 1:
                self._spool.set_aside(rows)
                self._metrics.log.refused.inc()
                return
            self._replay(rows[: len(rows) // 2])
            self._replay(rows[len(rows) // 2 :])
            return
        self._metrics.log.written.inc(len(rows))
        self._metrics.log.replayed.inc(len(rows))

    async def check(self) -> Destination:
        """Return where rows could be written now; StoreError if nowhere."""
        if self._spool.empty:
            try:
                await asyncio.wait_for(asyncio.shield(self._run_once("ping", self._store.ping)), PING_SECONDS)
                return "store"
            except (StoreError, TimeoutError):
                pass
        await asyncio.shield(self._run_once("spool", self._spool.check))
        return "spool"

    def _run_once(self, name: str, check: Callable[[], None]) -> asyncio.Task[None]:
        """Return the check that is running, or begin one: all callers wait for it, and if it hangs it holds up one thread."""
        running = self._running.get(name)
        if running is None or running.done():
            running = self._running[name] = asyncio.create_task(run_in_thread(check))
            # Retrieve the error even if every caller has given up before it is raised.
            running.add_done_callback(lambda task: task.cancelled() or task.exception())
        return running

    def lag_seconds(self) -> float:
        """Return the age of the oldest row in the spool; 0 if there is none."""
        return self._spool.lag_seconds()

    def close(self) -> None:
        """Close the spool: another worker, or the next start, adopts what is in it."""
        self._spool.close()
