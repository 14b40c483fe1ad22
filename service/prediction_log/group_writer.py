"""The thread that writes groups of predictions to the store, or to the spool while the store is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from churn.errors import RowsRefused, StoreError
from service.observability.metrics import ServiceMetrics
from service.prediction_log.group_commit import Group, Piece, PieceQueue
from service.prediction_log.sink import Destination, Sink

logger = logging.getLogger(__name__)


class GroupWriter:
    """Writes one group while the next one gathers. If the store hangs, another thread takes its place.

    Parameters
    ----------
    sink : Sink
    queue : PieceQueue
    metrics : ServiceMetrics
    on_written : callable
        Called by the writing thread with the pieces of a group and the error that kept them from being written, or None.

    Attributes
    ----------
    idle : bool
        Whether the writer waits for pieces: then the event loop may write by itself.
    current : Group or None
        What is being written.
    """

    def __init__(
        self,
        sink: Sink,
        queue: PieceQueue,
        metrics: ServiceMetrics,
        on_written: Callable[[Sequence[Piece], Exception | None], None],
    ) -> None:
        self.idle = False
        self.current: Group | None = None
        self._sink = sink
        self._queue = queue
        self._metrics = metrics
        self._on_written = on_written
        self._arrived = threading.Event()
        self._closing = False
        self._thread: threading.Thread

    def start(self) -> None:
        """Begin to write."""
        self._closing, self.idle = False, False
        self._start_thread()

    def wake(self) -> None:
        """Signal that a piece was appended to the queue."""
        if self.idle:
            self.idle = False
            self._arrived.set()

    def close(self) -> None:
        """Signal that nothing more will be appended: the writer ends when the queue is empty."""
        self._closing = True
        self._arrived.set()

    def join(self, poll_seconds: float) -> None:
        """Wait until everything is written. (Another thread may take the writer's place meanwhile, so its end is polled.)"""
        while self._thread.is_alive():
            self._thread.join(poll_seconds)

    def abandon(self, group: Group) -> None:
        """Spool a group that the store does not finish, and go on with another thread. A late success stores nothing twice."""
        if not group.claim():
            return
        logger.error("the store does not answer; predictions go to the spool")
        error: StoreError | None = None
        try:
            self._sink.spool(group.rows())
        except StoreError as full:
            error = full
        self.current = None
        self._start_thread()
        self._finish(group, error)

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            pieces = self._queue.take()
            if not pieces:
                if self._closing:
                    return
                self._arrived.clear()
                self.idle = True
                # A piece that was appended before `idle` was set has woken nobody.
                if not (self._queue or self._closing):
                    self._arrived.wait()
                self.idle = False
                continue
            self.current = group = Group(pieces, time.monotonic())
            if not self._write(group):
                return

    def _write(self, group: Group) -> bool:
        """Write a group; return False if it was abandoned meanwhile, and another thread goes on."""
        rows = group.rows()
        destination: Destination = "spool"
        error: Exception | None = None
        try:
            if not self._sink.spool_behind(rows):
                group.at_store = True
                destination = self._sink.write(rows)
        except RowsRefused as refused:
            if len(group.pieces) > 1 and group.claim():
                # The store accepts most of them: each is written alone, so that only the bad one fails.
                for piece in group.pieces:
                    self._write(Group([piece], group.begun))
                return True
            error = refused
        except Exception as bug:  # noqa: BLE001 -- the waiting requests get it, and the thread goes on for the others
            error = bug
        if not group.claim():
            return False
        self.current = None
        if error is None and destination == "store":
            self._metrics.log.written.inc(len(rows))
        self._finish(group, error)
        return True

    def _finish(self, group: Group, error: Exception | None) -> None:
        if error is not None:
            # Other errors may quote a customer's values.
            message = str(error) if isinstance(error, StoreError) else type(error).__name__
            logger.error("%d predictions were not logged, and not answered: %s", len(group.rows()), message)
        self._on_written(group.pieces, error)
