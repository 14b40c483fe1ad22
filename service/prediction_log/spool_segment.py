"""One file of the spool: a sequence of records, each with its length and checksum."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from churn.atomic_write import sync_folder
from churn.errors import StoreError
from churn.file_lock import try_lock
from churn.ids import new_id
from churn.store.records import PredictionRow
from service.prediction_log.spool_record import split_records

SUFFIX, NEW_SUFFIX, BAD_SUFFIX = ".spool", ".new", ".bad"
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
    on_damage : callable
        Called with the number of bytes of each damaged piece.
    """

    def __init__(self, path: Path, descriptor: int, *, own: bool) -> None:
        self.path, self.own = path, own
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self.replayed = 0
        self.on_damage: Callable[[int], None] = lambda _: None
        self._damaged: set[int] = set()
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
        """Return how many rows an adopted segment holds. What is damaged is set aside for people to look at."""
        rows, end = 0, 0
        for _, stop, group in self._records(0):
            if group is not None:
                rows += len(group)
                end = stop
        if end < self.size:
            # Most likely an append that a kill cut short, and that was never answered.
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
        """Yield begin, end and rows of each record; None for rows if the bytes are damaged, which is then set aside."""
        for begin, stop, rows in split_records(self._read, start, self.size):
            if rows is None and begin not in self._damaged:
                self._damaged.add(begin)
                self._set_aside(begin, stop)
            yield begin, stop, rows

    def _read(self, start: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, start)

    def _set_aside(self, start: int, stop: int) -> None:
        bad = self.path.with_suffix(BAD_SUFFIX)
        append_to(bad, self._read(start, stop - start))
        logger.error(
            "the spool is cut short or damaged: %d bytes at %d of %s are lost to the store, and set aside in %s",
            *(stop - start, start, self.path.name, bad),
        )
        self.on_damage(stop - start)


def append_to(file: Path, data: bytes) -> None:
    """Append to a file that is made if need be, and flush it to the disk.

    Parameters
    ----------
    file : Path
    data : bytes
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
