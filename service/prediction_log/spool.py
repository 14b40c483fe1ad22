"""The spool: predictions that were answered while the store was away, on disk until the store has them.

A segment is a file of records, each of them the rows of one group commit behind its length and checksum. Each worker appends to a
segment of its own, which it holds by a lock; the lock ends with the process, and then any other worker takes the segment over.
The store is fed in the order of the records. A segment is removed when the store has it all; whoever dies in between feeds it
again from the start, which changes nothing, as the store knows each prediction by its id.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from churn.errors import StoreError
from churn.store.records import PredictionRow
from service.prediction_log.spool_segment import BAD_SUFFIX, SUFFIX, _append, _moment, _record, _Segment, logger

SEGMENT_BYTES = 64 * 2**20
FEED_ROWS = 5_000


class Spool:
    """The segments of one worker: its own, and those of dead workers that it took over. Safe to use from several threads."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._segments: list[_Segment] = []
        self.rows = 0
        self._oldest: float | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing waits for the store."""
        return not self._segments

    def lag_seconds(self) -> float:
        """Tell the age of the oldest row that waits; 0 if none does."""
        oldest = self._oldest
        return 0.0 if oldest is None else max(0.0, time.time() - oldest)

    def check(self) -> None:
        """Raise StoreError unless rows could be appended now."""
        with self._lock:
            self._make_room(1)
            if not os.access(self._folder, os.W_OK):
                raise StoreError("the spool's folder cannot be written")

    def append(self, rows: Sequence[PredictionRow]) -> None:
        """Put rows behind all others. They survive this process when this returns.

        Raises
        ------
        StoreError
            If the spool is full or the disk does not take them. Nothing of them is kept.
        """
        with self._lock:
            self._append(rows)

    def append_behind(self, rows: Sequence[PredictionRow]) -> bool:
        """Do as `append` does if anything waits for the store; tell whether it does.

        Without this, some rows would always come a moment after the last ones had gone to the store, and begin a new spool.
        """
        with self._lock:
            if not self._segments:
                return False
            self._append(rows)
        return True

    def _append(self, rows: Sequence[PredictionRow]) -> None:
        record = _record(rows)
        self._make_room(len(record))
        last = self._segments[-1] if self._segments else None
        if last is None or not last.own or last.size + len(record) > SEGMENT_BYTES:
            last = _Segment.make(self._folder)
            self._segments.append(last)
        last.append(record)
        self.rows += len(rows)
        if self._oldest is None:
            self._oldest = time.time()

    def adopt(self) -> int:
        """Take over the segments of workers that are gone; tell how many rows they hold. Foreign and live ones are left alone."""
        found = 0
        held = {segment.path for segment in self._segments}
        paths = sorted(self._folder.glob(f"*{SUFFIX}")) if self._folder.is_dir() else []
        for path in paths:
            if path in held or (segment := _Segment.take(path)) is None:
                continue
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
                self._oldest = min(filter(None, (self._oldest, segment.born)), default=None)
            found += rows
            logger.warning("took over %d predictions of a worker that is gone", rows)
        return found

    def feed(self, write: Callable[[Sequence[PredictionRow]], None]) -> int:
        """Give the store all that waits, in order; tell how many rows it has taken.

        Parameters
        ----------
        write : callable
            Stores rows, all or none, and raises StoreError if it cannot: then what is left waits on, and the error goes on.
        """
        fed = 0
        while self._segments:
            segment = self._segments[0]
            for rows in segment.batches(FEED_ROWS):
                write(rows)
                fed += len(rows)
                with self._lock:
                    self.rows = max(0, self.rows - len(rows))
                    self._oldest = _moment(rows[-1])
            with self._lock:
                # What was appended in the meantime is fed in another round.
                if segment.fed == segment.size:
                    segment.remove()
                    self._segments.remove(segment)
                    if not self._segments:
                        self.rows, self._oldest = 0, None
        return fed

    def set_aside(self, rows: Sequence[PredictionRow]) -> None:
        """Keep rows that the store will never take, for people to look at."""
        bad = self._folder / f"refused{BAD_SUFFIX}"
        _append(bad, _record(rows))
        logger.error("the store refuses %d predictions: they are set aside in %s", len(rows), bad)

    def close(self) -> None:
        """Let go of the segments: another worker, or the next start, takes them over."""
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
