"""The prediction log: a response is sent only after its record is in the store or the spool. Many records share one commit."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from churn.errors import RowsRefused, StoreError
from churn.store.records import PredictionRow
from service.observability.metrics import ServiceMetrics
from service.prediction_log.group_commit import Done, Piece, PieceQueue
from service.prediction_log.group_writer import GroupWriter
from service.prediction_log.replayer import REPLAY_SECONDS, SpoolReplayer
from service.prediction_log.sink import Destination, Sink
from service.prediction_log.spool import Spool
from service.prediction_log.store_protocol import PredictionStore
from service.threads import run_in_thread

# A request with so many rows at most may be written on the event loop.
MAX_LOOP_ROWS = 16
# After a write on the event loop that took longer than the first, the writer thread writes everything for the second.
SLOW_WRITE_SECONDS, OFF_LOOP_SECONDS = 0.05, 1.0
# After a failed write the service is not ready for so long. Then it may get traffic and try again: without an end, a service that
# gets no traffic because it is not ready could never find out that it can write again.
NOT_READY_SECONDS = 5.0
HANG_SECONDS = 5.0

logger = logging.getLogger(__name__)


class PredictionLog:
    """Group commit: while one group is being written, the next one gathers.

    The rows that arrive in one round of the event loop are written on the loop itself if they are few and the store can take them
    without waiting: waking a thread takes longer than writing them. Everything else is written by `GroupWriter`; so is everything
    for a while after a slow write, as on a slow disk. `SpoolReplayer` brings the spool to the store.

    Parameters
    ----------
    store : PredictionStore
    spool : Spool
    metrics : ServiceMetrics
    pseudonym : callable, optional
        Returns the pseudonym of a customer id. If given, no plain id gets into the store or onto the disk.
    hang_seconds : float
        How long the store may take for a group before the group goes to the spool.
    drain_seconds : float
        How long a log that is closed goes on replaying the spool.
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
        self._drain_seconds = drain_seconds
        self._queue = PieceQueue()
        self._writer = GroupWriter(self._sink, self._queue, metrics, self._on_written)
        self._replayer = SpoolReplayer(self._sink, self._writer, hang_seconds)
        self._closing = True
        self._failed_at: float | None = None
        self._this_round: list[tuple[Sequence[PredictionRow], Done]] = []
        self._round_began = 0.0
        self._off_loop_until = 0.0
        self._loop: asyncio.AbstractEventLoop

    def start(self) -> None:
        """Begin to write. Needs a running event loop."""
        self._loop = asyncio.get_running_loop()
        self._closing = False
        self._replayer.start()
        self._writer.start()

    async def close(self) -> None:
        """Write what waits, replay the spool for `drain_seconds`, then stop. What is left waits for the next start."""
        self._closing = True
        # Before the writer learns that nothing more will come.
        self._hand_over()
        self._replayer.close()
        self._writer.close()
        await run_in_thread(self._join)
        # The event loop itself resolves the requests of the last group.
        await asyncio.sleep(0)
        self._sink.close()

    def _join(self) -> None:
        self._writer.join(REPLAY_SECONDS)
        # A replayer that still hangs in the store must not be disturbed, and the store is of no use.
        if self._replayer.stop() and self._drain_seconds:
            self._replayer.drain(self._drain_seconds)

    def submit(self, rows: Sequence[PredictionRow], done: Done) -> None:
        """Keep rows, and call `done` on the event loop when all of them are in the store or in the spool, or cannot be kept.

        Parameters
        ----------
        rows : sequence of PredictionRow
        done : callable
            Called with None, or with the error: then the response must not be sent. Never called before this method returns.

        Raises
        ------
        StoreError
            If the log is closed. `done` is not called then.
        """
        if self._closing:
            raise StoreError("the prediction log is closed")
        if self._pseudonym is not None:
            pseudonym = self._pseudonym
            rows = [row if row.customer_id is None else row._replace(customer_id=pseudonym(row.customer_id)) for row in rows]
        if len(rows) <= MAX_LOOP_ROWS:
            if not self._this_round:
                self._round_began = time.monotonic()
                self._loop.call_soon(self._write_round)
            self._this_round.append((rows, done))
            return
        self._queue.append(rows, done)
        self._writer.wake()

    async def write(self, rows: Sequence[PredictionRow]) -> None:
        """Return when all rows are in the store or in the spool; StoreError if they cannot be kept."""
        kept = asyncio.get_running_loop().create_future()
        self.submit(rows, partial(_settle, kept))
        await kept

    async def check(self) -> Destination:
        """Return where records would go now; StoreError if they can go nowhere."""
        if self._closing:
            raise StoreError("the prediction log is closed")
        if self._failed_at is not None and time.monotonic() - self._failed_at < NOT_READY_SECONDS:
            raise StoreError("the last write failed")
        return await self._sink.check()

    def lag_seconds(self) -> float:
        """Return the age of the oldest record that is not in the store; 0 if all are."""
        group = self._writer.current
        waiting = [group.pieces[0].request.arrived] if group else []
        if self._this_round:
            waiting.append(self._round_began)
        if (oldest := self._queue.oldest()) is not None:
            waiting.append(oldest)
        return max(time.monotonic() - min(waiting) if waiting else 0.0, self._sink.lag_seconds())

    def _write_round(self) -> None:
        """Write what this round of the event loop has gathered, or hand it over to the writer."""
        gathered = self._this_round
        started = time.monotonic()
        if gathered and self._writer.idle and started >= self._off_loop_until:
            rows = [row for some, _ in gathered for row in some]
            try:
                written = self._sink.write_at_once(rows)
            except Exception as bug:  # noqa: BLE001 -- the writer tries again, and tells; a round that does not end stops the log
                logger.error("a write on the event loop failed: %s", type(bug).__name__)
                written = False
            if written:
                self._metrics.log.written.inc(len(rows))
                if time.monotonic() - started > SLOW_WRITE_SECONDS:
                    self._off_loop_until = time.monotonic() + OFF_LOOP_SECONDS
                self._this_round = []
                self._note_result(None)
                for _, done in gathered:
                    _call(done, None)
                return
        self._hand_over()

    def _hand_over(self) -> None:
        for rows, done in self._this_round:
            self._queue.append(rows, done, self._round_began)
        self._this_round = []
        self._writer.wake()

    def _on_written(self, pieces: Sequence[Piece], error: Exception | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._resolve, pieces, error)

    def _resolve(self, pieces: Sequence[Piece], error: Exception | None) -> None:
        """Call back the requests of a group, on the event loop."""
        self._note_result(error)
        for piece in pieces:
            request = piece.request
            request.pieces -= 1
            # Of a batch, the first piece that failed has called back already, and counts as the last.
            if request.pieces < 0 or (error is None and request.pieces):
                continue
            request.pieces = 0
            _call(request.done, error)

    def _note_result(self, error: Exception | None) -> None:
        if not isinstance(error, RowsRefused):
            self._failed_at = None if error is None else time.monotonic()


def _call(done: Done, error: Exception | None) -> None:
    try:
        done(error)
    except Exception:
        # The others of the group wait behind it, and their rows are kept.
        logger.exception("an answer could not be sent")


def _settle(kept: asyncio.Future[None], error: Exception | None) -> None:
    if kept.done():  # its client went away
        return
    if error is None:
        kept.set_result(None)
    else:
        kept.set_exception(error)
