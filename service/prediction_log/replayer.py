"""The thread that replays the spool to the store when it is back, and notices when the store hangs."""

from __future__ import annotations

import logging
import threading
import time

from service.prediction_log.group_writer import GroupWriter
from service.prediction_log.sink import PING_SECONDS, Sink

# How often a hanging write is looked for, and a store that was away tried again.
REPLAY_SECONDS = 0.5
# How often the segments of dead workers are looked for.
ADOPT_SECONDS = 10.0
logger = logging.getLogger(__name__)


class SpoolReplayer:
    """Replays the spool, adopts the segments of dead workers, and abandons a write that hangs.

    Parameters
    ----------
    sink : Sink
    writer : GroupWriter
    hang_seconds : float
        How long the store may take for a group before the group goes to the spool.
    """

    def __init__(self, sink: Sink, writer: GroupWriter, hang_seconds: float) -> None:
        self._sink = sink
        self._writer = writer
        self._hang_seconds = hang_seconds
        self._closing = False
        self._stopped = threading.Event()
        self._thread: threading.Thread

    def start(self) -> None:
        """Adopt what earlier workers left, which is older than anything new, and begin to replay."""
        self._closing = False
        self._stopped.clear()
        self._sink.adopt()
        self._thread = threading.Thread(target=self._run, name="spool-replayer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop replaying. Hanging writes are still abandoned until `stop`."""
        self._closing = True

    def stop(self) -> bool:
        """End the thread; return whether it ended. One that hangs in the store does not."""
        self._stopped.set()
        self._thread.join(PING_SECONDS)
        return not self._thread.is_alive()

    def drain(self, seconds: float) -> None:
        """Replay for the last time, for so many seconds at most: this disk may be read again late, or never."""
        deadline = time.monotonic() + seconds
        self._sink.adopt()
        while self._sink.destination == "spool" and time.monotonic() < deadline:
            self._sink.replay(lambda: time.monotonic() > deadline)
            if self._sink.destination == "spool":
                time.sleep(min(REPLAY_SECONDS, max(0.0, deadline - time.monotonic())))

    def _run(self) -> None:
        adopted = time.monotonic()
        while not self._stopped.wait(REPLAY_SECONDS):
            group = self._writer.current
            if group is not None and group.at_store and time.monotonic() - group.begun > REPLAY_SECONDS:
                # While the store is slow nothing is replayed: a thread that hangs there could not abandon a group.
                if time.monotonic() - group.begun > self._hang_seconds:
                    self._writer.abandon(group)
                continue
            try:
                if time.monotonic() - adopted > ADOPT_SECONDS:
                    adopted = time.monotonic()
                    self._sink.adopt()
                if self._sink.destination == "spool":
                    self._sink.replay(lambda: self._closing)
            except Exception:
                # If the thread ended here, nothing would be replayed any more, unnoticed until the spool is full.
                logger.exception("the spool is not replayed")
