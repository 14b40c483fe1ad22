"""One file of the spool: a sequence of records, each with its length and checksum."""

from __future__ import annotations

import errno
import logging
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import orjson

from churn.atomic_write import sync_folder
from churn.errors import StoreError
from churn.file_lock import try_lock
from churn.ids import new_id
from churn.store.records import TIME_FORMAT, PredictionRow

SUFFIX, NEW_SUFFIX, BAD_SUFFIX = ".spool", ".new", ".bad"
HEADER = struct.Struct("<II")  # length and CRC-32 of what follows
logger = logging.getLogger(__name__)


class Segment:
    """One file, locked by this process as long as it is open.

    Attributes
    ----------
    path : Path
    own : bool
        Whether this worker made it; if not, it was adopted.
    size, replayed : int
        Bytes in the file, and bytes of it that the store has.
    created_at : float
        Seconds since 1970.
    """

    def __init__(self, path: Path, descriptor: int, *, own: bool) -> None:
        self.path, self.own = path, own
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self.replayed = 0
        self.created_at: float = os.fstat(descriptor).st_mtime

    @classmethod
    def create(cls, folder: Path) -> Segment:
        """Create and lock a segment; StoreError if the disk does not allow it."""
        # Names sort by time. The file gets its name after its lock: otherwise another worker could adopt it.
        path = folder / f"{new_id()}{SUFFIX}"
        unnamed = path.with_suffix(NEW_SUFFIX)
        try:
            descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                if not try_lock(descriptor):
                    raise BlockingIOError(errno.EWOULDBLOCK, "another process holds the new file")
                unnamed.rename(path)
                sync_folder(folder)
            except OSError:
                os.close(descriptor)
                raise
        except OSError as error:
            raise StoreError(f"the spool cannot be written: {error.strerror}") from error
        return cls(path, descriptor, own=True)

    @classmethod
    def lock(cls, path: Path) -> Segment | None:
        """Lock a segment that no process holds; None if one does, or if it is gone."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            if try_lock(descriptor) and path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return cls(path, descriptor, own=False)
        except OSError:
            pass
        # Another process holds it, or has just removed it.
        os.close(descriptor)
        return None

    def append(self, record: bytes) -> None:
        """Append a record. It survives this process when this returns; StoreError if the disk does not take it."""
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
        """Return how many rows an adopted segment holds. Damaged records are set aside for people to look at."""
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
        """Yield what has not been replayed, in order, at most `rows` rows (or one record) at a time.

        A batch counts as replayed when the next one is asked for.
        """
        waiting: list[PredictionRow] = []
        stop = self.replayed
        for _, end, group in self._records(self.replayed):
            if group is not None:
                if waiting and len(waiting) + len(group) > rows:
                    yield waiting
                    self.replayed, waiting = stop, []
                waiting += group
            stop = end
        if waiting:
            yield waiting
        self.replayed = stop

    def remove(self) -> None:
        """Delete the file, then unlock it."""
        with suppress(OSError):
            self.path.unlink()
        self.close()

    def close(self) -> None:
        """Unlock the file."""
        os.close(self._descriptor)

    def _records(self, start: int) -> Iterator[tuple[int, int, list[PredictionRow] | None]]:
        """Yield begin, end and rows of each complete record; None for rows if the record is damaged."""
        size = self.size
        while start + HEADER.size <= size:
            length, checksum = HEADER.unpack(os.pread(self._descriptor, HEADER.size, start))
            stop = start + HEADER.size + length
            if stop > size:
                return
            payload = os.pread(self._descriptor, length, start + HEADER.size)
            yield start, stop, decode_rows(payload) if zlib.crc32(payload) == checksum else None
            start = stop

    def _set_aside(self, start: int, stop: int) -> None:
        bad = self.path.with_suffix(BAD_SUFFIX)
        append_to(bad, os.pread(self._descriptor, stop - start, start))
        logger.error("a record of the spool is cut short or damaged: %d bytes are set aside in %s", stop - start, bad)


def append_to(file: Path, data: bytes) -> None:
    """Append to a file that is made if need be, and flush it to the disk.

    Parameters
    ----------
    file : Path
    data : bytes
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, data)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def encode_record(rows: Sequence[PredictionRow]) -> bytes:
    """Return the rows of one commit as a record."""
    payload = orjson.dumps([tuple(row) for row in rows])
    return HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def decode_rows(payload: bytes) -> list[PredictionRow] | None:
    """Return the rows of a record's payload; None if it holds anything else, such as the rows of another version."""
    try:
        rows = [PredictionRow(*row) for row in orjson.loads(payload)]
        requested_at(rows[-1])
    except (ValueError, TypeError, LookupError):
        return None
    return rows


def requested_at(row: PredictionRow) -> float:
    """Return when a prediction was requested, in seconds since 1970."""
    return datetime.strptime(row.requested_at, TIME_FORMAT).replace(tzinfo=UTC).timestamp()
