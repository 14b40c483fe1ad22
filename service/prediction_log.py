"""The prediction log: an answer is sent only after its record is committed, and many records share one commit."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from churn.errors import StoreError
from churn.records import Outcome, OutcomeReceipt, Prediction
from service.metrics import ServiceMetrics

GROUP_ROWS = 5_000
LAG_REFRESH_SECONDS = 1.0
PING_SECONDS = 5.0
# After a failed write the service calls itself not ready for so long; then traffic may come and try again. Without an end, a
# service that gets no traffic because it is not ready could never find out that the store is back.
FAILURE_COUNTS_SECONDS = 5.0
logger = logging.getLogger(__name__)


class PredictionStore(Protocol):
    """What the service needs of `churn.store.Store`. Every method raises StoreError if the store is away."""

    def write_predictions(self, batch: Sequence[Prediction], /) -> None:
        """Store all or none."""

    def write_outcomes(self, batch: Sequence[Outcome], /) -> OutcomeReceipt:
        """Store what came true."""

    def ping(self) -> None:
        """Ask for a sign of life."""

    def close(self) -> None:
        """Give the connections back."""


@dataclass(frozen=True, eq=False)
class _Entry:
    """The records of one request, which are committed together or not at all."""

    records: Sequence[Prediction]
    committed: asyncio.Future[None]
    arrived: float


class PredictionLog:
    """Group commit: while one group is being written, the next one gathers.

    One thread writes, off the event loop; a request waits for the commit that holds its records. A lone request waits for nobody.
    """

    def __init__(self, store: PredictionStore, metrics: ServiceMetrics) -> None:
        self._store = store
        self._metrics = metrics
        self._waiting: list[_Entry] = []
        self._group: list[_Entry] = []
        self._arrived = asyncio.Event()
        self._closing = True
        self._failed_at: float | None = None
        self._thread: ThreadPoolExecutor
        self._task: asyncio.Task[None]

    def start(self) -> None:
        """Begin to write. Needs a running event loop."""
        self._closing = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prediction-log")
        self._task = asyncio.create_task(self._write_groups())

    async def close(self) -> None:
        """Write what is waiting, then stop."""
        self._closing = True
        self._arrived.set()
        await self._task
        self._thread.shutdown(wait=False)

    async def write(self, records: Sequence[Prediction]) -> None:
        """Return when all records are committed.

        Raises
        ------
        StoreError
            If they are not, or the log is closed: then the answer must not be sent.
        """
        if self._closing:
            raise StoreError("the prediction log is closed")
        entry = _Entry(records, asyncio.get_running_loop().create_future(), time.monotonic())
        self._waiting.append(entry)
        self._arrived.set()
        await entry.committed

    async def check(self) -> None:
        """Raise StoreError unless records can be written now."""
        if self._closing:
            raise StoreError("the prediction log is closed")
        if self._failed_at is not None and time.monotonic() - self._failed_at < FAILURE_COUNTS_SECONDS:
            raise StoreError("the last write failed")
        # In the writer's thread: where a write hangs, so does this.
        ping = asyncio.get_running_loop().run_in_executor(self._thread, self._store.ping)
        try:
            await asyncio.wait_for(ping, PING_SECONDS)
        except TimeoutError:
            raise StoreError(f"the store did not answer within {PING_SECONDS:g} seconds") from None

    def lag_seconds(self) -> float:
        """Tell how long the oldest record that is not committed has been waiting; 0 if none is."""
        oldest = (self._group or self._waiting)[:1]
        return time.monotonic() - oldest[0].arrived if oldest else 0.0

    async def _write_groups(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting or not self._closing:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            self._group = self._take_group()
            records = [record for entry in self._group for record in entry.records]
            commit = loop.run_in_executor(self._thread, self._store.write_predictions, records)
            while not commit.done():
                await asyncio.wait({commit}, timeout=LAG_REFRESH_SECONDS)
                self._metrics.log_lag.set(self.lag_seconds())
            self._settle(len(records), commit.exception())

    def _take_group(self) -> list[_Entry]:
        """Take what is waiting, up to `GROUP_ROWS` rows (but at least one request): a big batch does not hold up small ones."""
        rows = taken = 0
        for entry in self._waiting:
            rows += len(entry.records)
            if taken and rows > GROUP_ROWS:
                break
            taken += 1
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return group

    def _settle(self, rows: int, error: BaseException | None) -> None:
        """Tell the requests of the group.

        (Here a spool on disk would take over from a store that is away: behind `service.pseudonymous_store`, as the store is.)
        """
        if error is None:
            self._failed_at = None
            self._metrics.log_written.inc(rows)
        else:
            self._failed_at = time.monotonic()
            logger.error("%d predictions were not logged, and not answered: %s", rows, type(error).__name__)
        for entry in self._group:
            if entry.committed.done():  # its client went away
                continue
            if error is None:
                entry.committed.set_result(None)
            else:
                entry.committed.set_exception(error)
        self._group = []
        self._metrics.log_lag.set(self.lag_seconds())
