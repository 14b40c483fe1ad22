"""The spool: predictions that were answered while the store was away, on disk until the store has them.

A segment is a file of records; a record is the rows of one group commit with their length and checksum. Each worker appends to a
segment of its own, which it locks; the lock ends with the process, and then another worker adopts the segment.
Records are replayed to the store in order, and a segment is removed when the store has all of it. After a crash in between it is
replayed from the start, which changes nothing: the store knows each prediction by its id.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from churn.errors import StoreError
from churn.store.records import PredictionRow
from service.prediction_log.spool_record import encode_record, requested_at
from service.prediction_log.spool_segment import BAD_SUFFIX, SUFFIX, Segment, append_to

SEGMENT_BYTES = 64 * 2**20
REPLAY_ROWS = 2_000
logger = logging.getLogger(__name__)


class Spool:
    """The segments of one worker: its own, and those of dead workers that it adopted. Safe to use from several threads."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._segments: list[Segment] = []
        self.rows = 0
        self.on_damage: Callable[[int], None] = lambda _: None
        # By the clock that nobody sets: when the clock of the day is set back, what waits goes on growing old.
        self._oldest: float | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing waits for the store."""
        return not self._segments

    def lag_seconds(self) -> float:
        """Return the age of the oldest row that waits, in seconds; 0 if none does."""
        oldest = self._oldest
        return 0.0 if oldest is None else time.monotonic() - oldest

    def check(self) -> None:
        """Raise StoreError unless rows could be appended now."""
        with self._lock:
            self._make_room(1)
            if not os.access(self._folder, os.W_OK):
                raise StoreError("the spool's folder cannot be written")

    def append(self, rows: Sequence[PredictionRow]) -> None:
        """Append rows. They survive this process when this returns.

        Raises
        ------
        StoreError
            If the spool is full or the disk does not take them. Then none of them is kept.
        """
        with self._lock:
            self._append(rows)

    def append_behind(self, rows: Sequence[PredictionRow]) -> bool:
        """Append rows if anything waits for the store; return whether it does.

        One step under the lock: otherwise rows could arrive just after the last ones were replayed, and begin a new spool for
        ever.
        """
        with self._lock:
            if not self._segments:
                return False
            self._append(rows)
        return True

    def _append(self, rows: Sequence[PredictionRow]) -> None:
        record = encode_record(rows)
        self._make_room(len(record))
        last = self._segments[-1] if self._segments else None
        if last is None or not last.own or last.size + len(record) > SEGMENT_BYTES:
            last = Segment.create(self._folder)
            last.on_damage = self.on_damage
            self._segments.append(last)
        last.append(record)
        self.rows += len(rows)
        if self._oldest is None:
            self._oldest = time.monotonic()

    def adopt(self) -> int:
        """Take over the segments of dead workers; return how many rows they hold. Those of live workers are left alone."""
        found = 0
        held = {segment.path for segment in self._segments}
        paths = sorted(self._folder.glob(f"*{SUFFIX}")) if self._folder.is_dir() else []
        for path in paths:
            if path in held or (segment := Segment.lock(path)) is None:
                continue
            segment.on_damage = self.on_damage
            try:
                rows = segment.recover()
            except OSError:
                segment.close()
                raise
            with self._lock:
                # Before what this worker spooled itself: it is older.
                place = next((n for n, other in enumerate(self._segments) if other.own), len(self._segments))
                self._segments.insert(place, segment)
                self.rows += rows
                since = _monotonic(segment.created_at)
                self._oldest = since if self._oldest is None else min(self._oldest, since)
            found += rows
            logger.warning("adopted %d spooled predictions of a dead worker", rows)
        return found

    def replay(self, write: Callable[[Sequence[PredictionRow]], None]) -> int:
        """Write all that waits to the store, in order; return how many rows that were.

        Parameters
        ----------
        write : callable
            Stores rows, all or none. If it raises StoreError, the rest goes on waiting and the error is passed on.
        """
        replayed = 0
        while self._segments:
            segment = self._segments[0]
            for rows in segment.batches(REPLAY_ROWS):
                write(rows)
                replayed += len(rows)
                with self._lock:
                    self.rows = max(0, self.rows - len(rows))
                    self._oldest = _monotonic(requested_at(rows[-1]))
            with self._lock:
                # What was appended meanwhile is replayed in another round.
                if segment.replayed == segment.size:
                    segment.remove()
                    self._segments.remove(segment)
                    if not self._segments:
                        self.rows, self._oldest = 0, None
        return replayed

    def set_aside(self, rows: Sequence[PredictionRow]) -> None:
        """Keep rows that the store never accepts in a file of their own, for people to look at."""
        bad = self._folder / f"refused{BAD_SUFFIX}"
        append_to(bad, encode_record(rows))
        logger.error("the store refuses %d predictions: they are set aside in %s", len(rows), bad)

    def close(self) -> None:
        """Unlock the segments: another worker, or the next start, adopts them."""
        with self._lock:
            for segment in self._segments:
                segment.close()
            self._segments = []

    def _make_room(self, needed: int) -> None:
        used = sum(segment.size for segment in self._segments)
        if used + needed > self._max_bytes:
            raise StoreError(f"the spool is full ({used} bytes)")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError(f"the spool's folder cannot be made: {error.strerror}") from error


def _monotonic(moment: float) -> float:
    """Return a moment of the day's clock, in seconds since 1970, by the monotonic clock; the present for one that is to come."""
    return time.monotonic() - max(0.0, time.time() - moment)
