"""The prediction log: an answer is sent only after its record is kept, and many records share one commit.

Records go to the store. If it cannot take them they go to the spool on disk, and so does all that comes after them until the
store has caught up: it gets everything once and in order. If neither can be written, nothing is answered.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

from churn.errors import StoreError
from churn.records import Outcome, OutcomeReceipt, PredictionRow
from service.metrics import ServiceMetrics
from service.spool import Spool

GROUP_ROWS = 5_000
# Of a batch, so many rows are written between two groups of single requests, which therefore wait for so many at most.
PIECE_ROWS = 2_000
PING_SECONDS = 5.0
# After a failed write the service calls itself not ready for so long; then traffic may come and try again. Without an end, a
# service that gets no traffic because it is not ready could never find out that it can write again.
FAILURE_COUNTS_SECONDS = 5.0
# How often a store that was away is tried again, and dead workers' segments are looked for.
REPLAY_SECONDS = 0.5
ADOPT_SECONDS = 10.0
Place = Literal["store", "spool"]
logger = logging.getLogger(__name__)


class PredictionStore(Protocol):
    """What the service needs of `churn.store.Store`. Every method raises StoreError if the store is away."""

    def write_rows(self, rows: Sequence[PredictionRow], /) -> None:
        """Store all or none; rows that are there already stay as they are."""

    def write_outcomes(self, batch: Sequence[Outcome], /) -> OutcomeReceipt:
        """Store what came true."""

    def ping(self) -> None:
        """Ask for a sign of life."""

    def close(self) -> None:
        """Give the connections back."""


@dataclass(eq=False, slots=True)
class _Request:
    """What one request waits for."""

    kept: asyncio.Future[None]
    pieces: int
    arrived: float


@dataclass(eq=False, slots=True)
class _Piece:
    """Rows of one request that are committed together."""

    rows: Sequence[PredictionRow]
    request: _Request


class PredictionLog:
    """Group commit: while one group is being written, the next one gathers.

    One thread writes, off the event loop, and wakes it once a group; a second one feeds the store from the spool. A lone request
    waits for nobody.

    Parameters
    ----------
    store : PredictionStore
    spool : Spool
    metrics : ServiceMetrics
    pseudonym : callable, optional
        Makes a pseudonym of a customer's id. Nothing else than pseudonyms gets to the store or on the disk then.
    """

    def __init__(
        self, store: PredictionStore, spool: Spool, metrics: ServiceMetrics, pseudonym: Callable[[str], str] | None = None
    ) -> None:
        self._store, self._spool, self._metrics, self._pseudonym = store, spool, metrics, pseudonym
        # Appended to by the event loop, taken from by the writer: a deque's two ends need no lock.
        self._singles: deque[_Piece] = deque()
        self._bulk: deque[_Piece] = deque()
        self._writing: list[_Piece] = []
        self._idle = False
        self._arrived = threading.Event()
        self._closing = True
        self._stopped = threading.Event()
        self._failed_at: float | None = None
        self._loop: asyncio.AbstractEventLoop
        self._writer: threading.Thread
        self._feeder: threading.Thread

    def start(self) -> None:
        """Begin to write. Needs a running event loop."""
        self._loop = asyncio.get_running_loop()
        self._closing, self._idle = False, False
        self._stopped.clear()
        # Before anything new is written: what an earlier worker left behind is older.
        self._adopt()
        self._writer = threading.Thread(target=self._write_groups, name="prediction-log", daemon=True)
        self._feeder = threading.Thread(target=self._feed_store, name="spool-feeder", daemon=True)
        self._writer.start()
        self._feeder.start()

    async def close(self) -> None:
        """Keep what is waiting, then stop. What is in the spool stays there, for the next start."""
        self._closing = True
        self._stopped.set()
        self._arrived.set()
        await asyncio.to_thread(self._join)
        # The last group's requests are told by the event loop itself.
        await asyncio.sleep(0)
        self._spool.close()

    def _join(self) -> None:
        self._writer.join()
        self._feeder.join(PING_SECONDS)

    def submit(self, rows: Sequence[PredictionRow]) -> asyncio.Future[None]:
        """Give what is done when all rows are kept, in the store or in the spool.

        Raises
        ------
        StoreError
            At once if the log is closed; by the future if the rows cannot be kept: then the answer must not be sent.
        """
        if self._closing:
            raise StoreError("the prediction log is closed")
        if self._pseudonym is not None:
            pseudonym = self._pseudonym
            rows = [row if row.customer_id is None else row._replace(customer_id=pseudonym(row.customer_id)) for row in rows]
        kept = self._loop.create_future()
        if len(rows) <= PIECE_ROWS:
            self._singles.append(_Piece(rows, _Request(kept, 1, time.monotonic())))
        else:
            starts = range(0, len(rows), PIECE_ROWS)
            request = _Request(kept, len(starts), time.monotonic())
            self._bulk.extend(_Piece(rows[start : start + PIECE_ROWS], request) for start in starts)
        if self._idle:
            self._idle = False
            self._arrived.set()
        return kept

    async def write(self, rows: Sequence[PredictionRow]) -> None:
        """Return when all rows are kept; see `submit`."""
        await self.submit(rows)

    async def check(self) -> Place:
        """Tell where records go now; StoreError if nowhere."""
        if self._closing:
            raise StoreError("the prediction log is closed")
        if self._failed_at is not None and time.monotonic() - self._failed_at < FAILURE_COUNTS_SECONDS:
            raise StoreError("the last write failed")
        if not self._spool.empty:
            await asyncio.to_thread(self._spool.check)
            return "spool"
        try:
            await asyncio.wait_for(asyncio.to_thread(self._store.ping), PING_SECONDS)
        except (StoreError, TimeoutError):
            await asyncio.to_thread(self._spool.check)
            return "spool"
        return "store"

    def lag_seconds(self) -> float:
        """Tell the age of the oldest record that is not in the store; 0 if all are."""
        pieces = [*self._writing[:1], *list(self._singles)[:1], *list(self._bulk)[:1]]
        waiting = max((time.monotonic() - piece.request.arrived for piece in pieces), default=0.0)
        return max(waiting, self._spool.lag_seconds())

    def _write_groups(self) -> None:
        while True:
            group = self._take_group()
            if not group:
                if self._closing:
                    return
                self._arrived.clear()
                self._idle = True
                # What came before `idle` was set did not wake anybody.
                if not (self._singles or self._bulk or self._closing):
                    self._arrived.wait()
                self._idle = False
                continue
            self._writing = group
            error: Exception | None
            try:
                error = self._keep([row for piece in group for row in piece.rows])
            except Exception as bug:  # noqa: BLE001 -- it is the requests' error, who wait for it; the thread goes on for the others
                error = bug
            self._writing = []
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._settle, group, error)

    def _take_group(self) -> list[_Piece]:
        """Take what is waiting, up to `GROUP_ROWS` rows, and of a batch one piece."""
        group: list[_Piece] = []
        rows = 0
        while self._singles and rows < GROUP_ROWS:
            group.append(self._singles.popleft())
            rows += len(group[-1].rows)
        if self._bulk:
            group.append(self._bulk.popleft())
        return group

    def _keep(self, rows: Sequence[PredictionRow]) -> StoreError | None:
        """Put rows into the store, or behind what waits for it."""
        try:
            if self._spool.empty:
                try:
                    self._store.write_rows(rows)
                    self._metrics.log_written.inc(len(rows))
                    return None
                except StoreError as error:
                    logger.error("the store is away; predictions go to the spool: %s", type(error).__name__)
            self._spool.append(rows)
            self._metrics.log_spooled.set(self._spool.rows)
            return None
        except StoreError as error:
            logger.error("%d predictions were not logged, and not answered: %s", len(rows), error)
            return error

    def _settle(self, group: Sequence[_Piece], error: Exception | None) -> None:
        """Tell the requests of a group."""
        self._failed_at = None if error is None else time.monotonic()
        for piece in group:
            request = piece.request
            request.pieces -= 1
            if request.kept.done():  # its client went away, or another piece failed
                continue
            if error is not None:
                request.kept.set_exception(error)
            elif request.pieces == 0:
                request.kept.set_result(None)

    def _feed_store(self) -> None:
        adopted = time.monotonic()
        while not self._stopped.wait(REPLAY_SECONDS):
            if time.monotonic() - adopted > ADOPT_SECONDS:
                adopted = time.monotonic()
                self._adopt()
            if self._spool.empty:
                continue
            try:
                fed = self._spool.feed(self._replay)
                logger.warning("the store is back: it has %d predictions from the spool", fed)
            except StoreError:
                continue  # still away: it was said when it went
            finally:
                self._metrics.log_spooled.set(self._spool.rows)

    def _replay(self, rows: Sequence[PredictionRow]) -> None:
        self._store.write_rows(rows)
        self._metrics.log_written.inc(len(rows))
        self._metrics.log_replayed.inc(len(rows))
        if self._stopped.is_set():
            raise StoreError("the service stops; the rest waits for the next start")

    def _adopt(self) -> None:
        try:
            if self._spool.adopt():
                self._metrics.log_spooled.set(self._spool.rows)
        except OSError as error:
            logger.error("the spool cannot be read: %s", error.strerror)
