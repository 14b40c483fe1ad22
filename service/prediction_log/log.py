"""The prediction log: an answer is sent only after its record is kept, and many records share one commit."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from churn.errors import RowsRefused, StoreError
from churn.store.records import PredictionRow
from service.observability.metrics import ServiceMetrics
from service.prediction_log.group_commit import _Group, _Piece, _Request
from service.prediction_log.sink import PING_SECONDS, Place, Sink
from service.prediction_log.spool import Spool
from service.prediction_log.store_protocol import PredictionStore

GROUP_ROWS = 5_000
# Of a batch, so many rows are written between two groups of single requests, which therefore wait for so many at most.
PIECE_ROWS = 2_000
# So many rows of a request may be written on the event loop.
SMALL_BATCH_ROWS = 16
# A write on the event loop that takes longer than the first makes all go through the writer for the second.
LONG_SECONDS, PATIENT_SECONDS = 0.05, 1.0
# After a failed write the service calls itself not ready for so long; then traffic may come and try again. Without an end, a
# service that gets no traffic because it is not ready could never find out that it can write again.
FAILURE_COUNTS_SECONDS = 5.0
# How often a write that hangs is looked for, a store that was away tried again, and dead workers' segments looked for.
REPLAY_SECONDS = 0.5
HANG_SECONDS = 5.0
ADOPT_SECONDS = 10.0
logger = logging.getLogger(__name__)


class PredictionLog:
    """Group commit: while one group is being written, the next one gathers.

    A few records go to the store right on the event loop, once in each of its rounds, if that waits for nobody: to hand them to a
    thread and to be woken by it takes longer than to write them. All else is written by a thread, which wakes the loop once a
    group; so is everything for a while when a write took long, as on a slow disk. A second thread feeds the store from the spool,
    and looks after the first: if the store hangs, so does the thread that writes to it, and another one takes its place.

    Parameters
    ----------
    store : PredictionStore
    spool : Spool
    metrics : ServiceMetrics
    pseudonym : callable, optional
        Makes a pseudonym of a customer's id. Nothing else than pseudonyms gets to the store or on the disk then.
    hang_seconds : float
        How long the store may take for a group before it goes to the spool.
    drain_seconds : float
        How long a log that is closed goes on giving the store what waits on disk.
    """

    def __init__(
        self,
        store: PredictionStore,
        spool: Spool,
        metrics: ServiceMetrics,
        pseudonym: Callable[[str], str] | None = None,
        *,
        hang_seconds: float = HANG_SECONDS,
        drain_seconds: float = 0.0,
    ) -> None:
        self._sink, self._metrics, self._pseudonym = Sink(store, spool, metrics), metrics, pseudonym
        self._hang_seconds, self._drain_seconds = hang_seconds, drain_seconds
        # Appended to by the event loop, taken from by the writer: a deque's two ends need no lock.
        self._singles: deque[_Piece] = deque()
        self._bulk: deque[_Piece] = deque()
        self._writing: _Group | None = None
        self._claims = threading.Lock()
        self._idle = False
        self._arrived = threading.Event()
        self._closing = True
        self._stopped = threading.Event()
        self._failed_at: float | None = None
        self._fresh: list[_Piece] = []
        self._patient_until = 0.0
        self._loop: asyncio.AbstractEventLoop
        self._writer: threading.Thread
        self._feeder: threading.Thread

    def start(self) -> None:
        """Begin to write. Needs a running event loop."""
        self._loop = asyncio.get_running_loop()
        self._closing, self._idle = False, False
        self._stopped.clear()
        # Before anything new is written: what an earlier worker left behind is older.
        self._sink.adopt()
        self._start_writer()
        self._feeder = threading.Thread(target=self._look_after, name="spool-feeder", daemon=True)
        self._feeder.start()

    def _start_writer(self) -> None:
        self._writer = threading.Thread(target=self._write_groups, name="prediction-log", daemon=True)
        self._writer.start()

    async def close(self) -> None:
        """Keep what is waiting, drain the spool if told so, then stop. What is left there waits for the next start."""
        self._closing = True
        # Before the writer sees that nothing more will come.
        self._hand_over()
        self._arrived.set()
        await asyncio.to_thread(self._join)
        # The last group's requests are told by the event loop itself.
        await asyncio.sleep(0)
        self._sink.close()

    def _join(self) -> None:
        # Another writer may take its place while it is waited for.
        while self._writer.is_alive():
            self._writer.join(REPLAY_SECONDS)
        self._stopped.set()
        self._feeder.join(PING_SECONDS)
        # A feeder that still hangs in the store would be disturbed, and the store is of no use.
        if self._drain_seconds and not self._feeder.is_alive():
            self._drain()

    def _drain(self) -> None:
        """Feed the store for the last time: this disk may be asked for again late, or never."""
        deadline = time.monotonic() + self._drain_seconds
        self._sink.adopt()
        while self._sink.place == "spool" and time.monotonic() < deadline:
            self._sink.feed_store(lambda: time.monotonic() > deadline)
            if self._sink.place == "spool":
                time.sleep(min(REPLAY_SECONDS, max(0.0, deadline - time.monotonic())))

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
        if len(rows) <= SMALL_BATCH_ROWS:
            if not self._fresh:
                self._loop.call_soon(self._write_at_once)
            self._fresh.append(_Piece(rows, _Request(kept, 1, time.monotonic())))
            return kept
        if len(rows) <= PIECE_ROWS:
            self._singles.append(_Piece(rows, _Request(kept, 1, time.monotonic())))
        else:
            starts = range(0, len(rows), PIECE_ROWS)
            request = _Request(kept, len(starts), time.monotonic())
            self._bulk.extend(_Piece(rows[start : start + PIECE_ROWS], request) for start in starts)
        self._wake_writer()
        return kept

    def _wake_writer(self) -> None:
        if self._idle:
            self._idle = False
            self._arrived.set()

    def _write_at_once(self) -> None:
        """Write what gathered in this round of the loop, or hand it to the writer."""
        group = self._fresh
        started = time.monotonic()
        if group and self._idle and started >= self._patient_until:
            rows = [row for piece in group for row in piece.rows]
            if self._sink.keep_at_once(rows):
                self._metrics.log_written.inc(len(rows))
                if time.monotonic() - started > LONG_SECONDS:
                    self._patient_until = time.monotonic() + PATIENT_SECONDS
                self._fresh = []
                self._resolve(group, None)
                return
        self._hand_over()

    def _hand_over(self) -> None:
        self._singles.extend(self._fresh)
        self._fresh = []
        self._wake_writer()

    async def write(self, rows: Sequence[PredictionRow]) -> None:
        """Return when all rows are kept; see `submit`."""
        await self.submit(rows)

    async def check(self) -> Place:
        """Tell where records go now; StoreError if nowhere."""
        if self._closing:
            raise StoreError("the prediction log is closed")
        if self._failed_at is not None and time.monotonic() - self._failed_at < FAILURE_COUNTS_SECONDS:
            raise StoreError("the last write failed")
        return await self._sink.check()

    def lag_seconds(self) -> float:
        """Tell the age of the oldest record that is not in the store; 0 if all are."""
        group = self._writing
        waiting = [group.pieces[0].request.arrived] if group else []
        for pieces in (self._fresh, self._singles, self._bulk):
            with suppress(IndexError):  # the writer took it
                waiting.append(pieces[0].request.arrived)
        return max(time.monotonic() - min(waiting) if waiting else 0.0, self._sink.lag_seconds())

    def _write_groups(self) -> None:
        while True:
            pieces = self._take_pieces()
            if not pieces:
                if self._closing:
                    return
                self._arrived.clear()
                self._idle = True
                # What came before `idle` was set did not wake anybody.
                if not (self._singles or self._bulk or self._closing):
                    self._arrived.wait()
                self._idle = False
                continue
            self._writing = group = _Group(pieces, time.monotonic())
            if not self._write(group):
                return

    def _write(self, group: _Group) -> bool:
        """Keep a group and tell its requests; False if that took so long that others have done it, and another thread goes on."""
        rows = group.rows()
        place: Place = "spool"
        error: Exception | None = None
        try:
            if not self._sink.keep_behind(rows):
                group.at_store = True
                place = self._sink.keep(rows)
        except RowsRefused as refused:
            if len(group.pieces) > 1 and self._claim(group):
                # The store has nothing against most of them: each is written alone, so that the error is only its own.
                for piece in group.pieces:
                    self._write(_Group([piece], group.begun))
                return True
            error = refused
        except Exception as bug:  # noqa: BLE001 -- it is the requests' error, who wait for it; the thread goes on for the others
            error = bug
        if not self._claim(group):
            return False
        self._writing = None
        if error is None and place == "store":
            self._metrics.log_written.inc(len(rows))
        self._tell(group, error)
        return True

    def _claim(self, group: _Group) -> bool:
        with self._claims:
            mine, group.claimed = not group.claimed, True
        return mine

    def _tell(self, group: _Group, error: Exception | None) -> None:
        if error is not None:
            logger.error("%d predictions were not logged, and not answered: %s", len(group.rows()), _said(error))
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._resolve, group.pieces, error)

    def _take_pieces(self) -> list[_Piece]:
        """Take what is waiting, up to `GROUP_ROWS` rows, and of a batch one piece."""
        taken: list[_Piece] = []
        rows = 0
        while self._singles and rows < GROUP_ROWS:
            taken.append(self._singles.popleft())
            rows += len(taken[-1].rows)
        if self._bulk:
            taken.append(self._bulk.popleft())
        return taken

    def _resolve(self, group: Sequence[_Piece], error: Exception | None) -> None:
        """Tell the requests of a group."""
        if not isinstance(error, RowsRefused):
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

    def _look_after(self) -> None:
        adopted = time.monotonic()
        while not self._stopped.wait(REPLAY_SECONDS):
            group = self._writing
            if group is not None and group.at_store and time.monotonic() - group.begun > REPLAY_SECONDS:
                # Nothing else is begun with a store that is slow: whoever hangs there could not look after anybody.
                if time.monotonic() - group.begun > self._hang_seconds:
                    self._take_over(group)
                continue
            try:
                if time.monotonic() - adopted > ADOPT_SECONDS:
                    adopted = time.monotonic()
                    self._sink.adopt()
                if self._sink.place == "spool":
                    self._sink.feed_store(lambda: self._closing)
            except Exception:
                # A thread that ended here would end all replay, and nobody would know until the spool is full.
                logger.exception("the spool is not fed")

    def _take_over(self, group: _Group) -> None:
        """Spool the rows that a writer waits with; if its write succeeds after all, nothing is in the store twice."""
        if not self._claim(group):
            return
        logger.error("the store does not answer; predictions go to the spool")
        error: StoreError | None = None
        try:
            self._sink.spool(group.rows())
        except StoreError as full:
            error = full
        self._writing = None
        self._start_writer()
        self._tell(group, error)


def _said(error: Exception) -> str:
    """Give what may be logged of an error: a message of our own, or the kind of any other."""
    return str(error) if isinstance(error, StoreError) else type(error).__name__
