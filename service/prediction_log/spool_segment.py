"""One file of the spool: records with a length and a checksum."""

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


_HEADER = struct.Struct("<II")  # length and CRC-32 of what follows


logger = logging.getLogger(__name__)


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
    def take(cls, path: Path) -> _Segment | None:
        """Take a segment that nobody holds; None if somebody does, or it is gone."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            if try_lock(descriptor) and path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
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
