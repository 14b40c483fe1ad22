"""A bounded sample of requests that were refused, without anything personal: for who wonders why a client gets errors.

The newest of them stay, in memory and, some seconds later, in one file a worker, so that any worker can tell of all.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from churn.atomic_write import atomic_write
from churn.clock import now

if TYPE_CHECKING:
    from service.http.errors import FieldProblem

FLUSH_SECONDS = 5.0
# Of a request with thousands of problems, so many are kept.
PROBLEMS = 10
logger = logging.getLogger(__name__)


class RejectedRequests:
    """The sample of one worker.

    Parameters
    ----------
    folder : Path
    kept : int
        The newest so many of each worker; 0: none.
    known : iterable of str
        Names of fields that may be told. Any other is the caller's, who may have put anything into a name.
    """

    def __init__(self, folder: Path, kept: int, known: Iterable[str]) -> None:
        self._folder = folder
        self._file = folder / f"{os.getpid()}.jsonl"
        self._kept: deque[bytes] = deque(maxlen=kept)
        self._known = frozenset(known)
        self._changed = False
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def note(
        self,
        *,
        request_id: str,
        method: str,
        path: str,
        status: int,
        problem: str,
        errors: Sequence[FieldProblem],
        body_bytes: int | None,
        model_version: str | None,
    ) -> None:
        """Keep what is known of a refused request. Cheap: nothing is written here."""
        listed = [{"field": self._told(one.field), "problem": one.problem} for one in errors[:PROBLEMS]]
        entry = {
            "at": now().isoformat(timespec="microseconds"),
            "request_id": request_id,
            "method": method,
            "route": path,
            "status": status,
            "problem": problem,
            "problems": len(errors),
            "errors": listed,
            "body_bytes": body_bytes,
            "model_version": model_version,
        }
        self._kept.append(orjson.dumps(entry))
        self._changed = True

    def newest(self, limit: int) -> list[dict[str, Any]]:
        """Give the newest of all workers, newest first."""
        self.flush()
        lines: list[bytes] = []
        for file in self._folder.glob("*.jsonl") if self._folder.is_dir() else ():
            with suppress(OSError):  # another worker may be gone, and its file with it
                lines += file.read_bytes().splitlines()
        entries = []
        for line in lines:
            with suppress(orjson.JSONDecodeError):
                entries.append(orjson.loads(line))
        entries.sort(key=lambda entry: str(entry.get("at")))
        return entries[: -limit - 1 : -1]

    def start(self) -> None:
        """Begin to write now and then."""
        self._thread = threading.Thread(target=self._run, name="failed-requests", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what was not written, and stop."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(FLUSH_SECONDS)
        self.flush()

    def flush(self) -> None:
        """Write the sample, whole or not at all."""
        if not self._changed:
            return
        self._changed = False
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with atomic_write(self._file) as staging:
                staging.write_bytes(b"\n".join(self._kept.copy()) + b"\n")
            self._forget_old()
        except OSError as error:
            logger.warning("failed requests cannot be written down: %s", error.strerror)

    def _run(self) -> None:
        while not self._stopped.wait(FLUSH_SECONDS):
            self.flush()

    def _forget_old(self) -> None:
        """Keep the files of the last workers only: there is a new one with each start."""
        files = sorted(self._folder.glob("*.jsonl"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in files[16:]:
            file.unlink(missing_ok=True)

    def _told(self, field: str) -> str:
        parts = field.split(".")
        # A number is told where it is the position in a list; as a name it may be anybody's telephone number.
        fine = [part in self._known or (n == 1 and part.isdecimal()) for n, part in enumerate(parts)]
        return (
            field if all(fine) else ".".join(part if told else "(unknown)" for part, told in zip(parts[:4], fine, strict=False))
        )
