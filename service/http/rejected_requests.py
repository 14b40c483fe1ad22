"""A bounded sample of rejected requests, without personal data, to find out why a client gets errors.

The newest ones are kept in memory and, within seconds, in one file per worker, so that any worker can show those of all.
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
# How many problems of one request are kept.
MAX_PROBLEMS = 10
logger = logging.getLogger(__name__)


class RejectedRequests:
    """The rejected requests of one worker.

    Parameters
    ----------
    folder : Path
    kept : int
        How many of each worker, the newest ones; 0: none.
    known : iterable of str
        Field names that may be shown. Any other name is the caller's own text, and may hold personal data.
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
        """Keep a rejected request. It is cheap: the file is written later.

        Parameters
        ----------
        request_id, method, path : str
            The route's template, not the path that was asked for.
        status : int
        problem : str
            Which kind.
        errors : sequence of FieldProblem
        body_bytes : int or None
            The declared length of the body.
        model_version : str or None
            The version in service.
        """
        listed = [{"field": self._shown(one.field), "problem": one.problem} for one in errors[:MAX_PROBLEMS]]
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
        """Return the newest ones of all workers, newest first."""
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
        """Begin to write the file regularly."""
        self._thread = threading.Thread(target=self._run, name="rejected-requests", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write the file and stop."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(FLUSH_SECONDS)
        self.flush()

    def flush(self) -> None:
        """Write the file, whole or not at all, if anything has changed."""
        if not self._changed:
            return
        self._changed = False
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with atomic_write(self._file) as staging:
                staging.write_bytes(b"\n".join(self._kept.copy()) + b"\n")
            self._forget_old()
        except OSError as error:
            logger.warning("rejected requests cannot be written: %s", error.strerror)

    def _run(self) -> None:
        while not self._stopped.wait(FLUSH_SECONDS):
            self.flush()

    def _forget_old(self) -> None:
        """Delete the files of old workers: every start makes a new one."""
        files = sorted(self._folder.glob("*.jsonl"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in files[16:]:
            file.unlink(missing_ok=True)

    def _shown(self, field: str) -> str:
        parts = field.split(".")
        # A number is shown where it is a position in a list; as a name it may be somebody's telephone number.
        known = [part in self._known or (n == 1 and part.isdecimal()) for n, part in enumerate(parts)]
        return (
            field
            if all(known)
            else ".".join(part if is_known else "(unknown)" for part, is_known in zip(parts[:4], known, strict=False))
        )
