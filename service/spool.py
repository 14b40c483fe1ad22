"""The spool: predictions that were answered while the store was away, on disk until the store has them.

A segment is a file of records, each of them the rows of one group commit behind its length and checksum. Each worker appends to a
segment of its own, which it holds by a lock; the lock ends with the process, and then any other worker takes the segment over.
The store is fed in the order of the records. A segment is removed when the store has it all; whoever dies in between feeds it
again from the start, which changes nothing, as the store knows each prediction by its id.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import orjson

from churn.errors import StoreError
from churn.ids import new_id
from churn.store.records import TIME_FORMAT, PredictionRow

SUFFIX, NEW_SUFFIX, BAD_SUFFIX = ".spool", ".new", ".bad"
_HEADER = struct.Struct("<II")  # length and CRC-32 of what follows
SEGMENT_BYTES = 64 * 2**20
FEED_ROWS = 5_000
logger = logging.getLogger(__name__)


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


class _Segment:
    """One file, held by a lock as long as it is open."""

    def __init__(self, path: Path, descriptor: int, *, own: bool) -> None:
        self.path, self.own = path, own
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self.fed = 0
        self.born: float = os.fstat(descriptor).st_mtime

    @classmethod
    def make(cls, folder: Path) -> _Segment:
        # Named by time, so that names sort as they were made. The name comes after the lock: without one it would be taken over.
        path = folder / f"{new_id()}{SUFFIX}"
        unnamed = path.with_suffix(NEW_SUFFIX)
        try:
            descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                unnamed.rename(path)
                _keep_names(folder)
            except OSError:
                os.close(descriptor)
                raise
        except OSError as error:
            raise StoreError(f"the spool cannot be written: {error.strerror}") from error
        return cls(path, descriptor, own=True)

    @classmethod
    def take(cls, path: Path) -> _Segment | None:
        """Take a segment that nobody holds; None if somebody does, or it is gone."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return cls(path, descriptor, own=False)
        except OSError:
            pass
        # Held by another, or removed by whoever held it a moment ago.
        os.close(descriptor)
        return None

    def append(self, record: bytes) -> None:
        try:
            written = os.pwrite(self._descriptor, record, self.size)
            if written != len(record):
                raise OSError(28, "No space left on device")
            os.fdatasync(self._descriptor)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise StoreError(f"the spool cannot be written: {error.strerror}") from error
        self.size += len(record)

    def recover(self) -> int:
        """Count the rows of a segment that was taken over. What is no whole record is set aside, for people to look at."""
        rows = end = 0
        for start, stop, group in self._records(0):
            if group is None:
                self._set_aside(start, stop)
            else:
                rows += len(group)
            end = stop
        if end < self.size:
            # Most likely an append that a kill cut short, and that was never answered. A damaged length would look the same.
            self._set_aside(end, self.size)
            os.ftruncate(self._descriptor, end)
            self.size = end
        return rows

    def batches(self, rows: int) -> Iterator[list[PredictionRow]]:
        """Give what has not been fed, in order, so many rows (or one record) at a time; each counts as fed when it was taken."""
        waiting: list[PredictionRow] = []
        stop = self.fed
        for _, end, group in self._records(self.fed):
            if group is not None:
                if waiting and len(waiting) + len(group) > rows:
                    yield waiting
                    self.fed, waiting = stop, []
                waiting += group
            stop = end
        if waiting:
            yield waiting
        self.fed = stop

    def remove(self) -> None:
        """Remove the file, then let go of it."""
        with suppress(OSError):
            self.path.unlink()
        self.close()

    def close(self) -> None:
        os.close(self._descriptor)

    def _records(self, start: int) -> Iterator[tuple[int, int, list[PredictionRow] | None]]:
        """Give begin, end and rows of each whole record; no rows where the checksum does not fit, or what it holds is none."""
        size = self.size
        while start + _HEADER.size <= size:
            length, checksum = _HEADER.unpack(os.pread(self._descriptor, _HEADER.size, start))
            stop = start + _HEADER.size + length
            if stop > size:
                return
            payload = os.pread(self._descriptor, length, start + _HEADER.size)
            yield start, stop, _rows(payload) if zlib.crc32(payload) == checksum else None
            start = stop

    def _set_aside(self, start: int, stop: int) -> None:
        bad = self.path.with_suffix(BAD_SUFFIX)
        _append(bad, os.pread(self._descriptor, stop - start, start))
        logger.error("a record of the spool is cut short or damaged: %d bytes are set aside in %s", stop - start, bad)


def _keep_names(folder: Path) -> None:
    """Let the names in a folder survive a power cut, as `fdatasync` does for what is in the files."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _append(file: Path, data: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, data)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _record(rows: Sequence[PredictionRow]) -> bytes:
    payload = orjson.dumps([tuple(row) for row in rows])
    return _HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def _rows(payload: bytes) -> list[PredictionRow] | None:
    """Read the rows of a record; None if it holds something else, such as what another version of this program wrote."""
    try:
        rows = [PredictionRow(*row) for row in orjson.loads(payload)]
        _moment(rows[-1])
    except (ValueError, TypeError, LookupError):
        return None
    return rows


def _moment(row: PredictionRow) -> float:
    return datetime.strptime(row.requested_at, TIME_FORMAT).replace(tzinfo=UTC).timestamp()
