"""Lock beside a SQLite file: flock on a file of its own, which says who holds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO

import orjson

from churn.clock import now
from churn.errors import StoreError
from churn.file_lock import try_lock
from churn.store.locks.description import describe_holder


class SqliteLock:
    """Lock on the file at `path`."""

    def __init__(self, path: Path, holder: str) -> None:
        self._path = path
        self._holder = holder
        self._file: IO[bytes] | None = None

    def try_acquire(self) -> bool:
        """See `churn.store.locks.lock.Lock`."""
        if self._file is not None:
            return True
        with _store_error():
            file = self._path.open("a+b")
            if not try_lock(file):
                file.close()
                return False
            self._file = file
            file.truncate(0)
            file.write(orjson.dumps({"holder": self._holder, "since": now()}))
            file.flush()
        return True

    def holder(self) -> str:
        """See `churn.store.locks.lock.Lock`."""
        # What a killed holder wrote is still in the file, so the lock is tried, for a moment, to see whether anybody holds it.
        with _store_error(), suppress(FileNotFoundError), self._path.open("rb") as file:
            if not try_lock(file, shared=True):
                try:
                    found = orjson.loads(file.read())
                    return describe_holder(found["holder"], datetime.fromisoformat(found["since"]))
                except (ValueError, LookupError, TypeError):
                    return "another process"
        return ""

    def release(self) -> None:
        """See `churn.store.locks.lock.Lock`."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


@contextmanager
def _store_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"no lock beside the store: {error}") from error
