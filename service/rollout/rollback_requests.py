"""A pending request to roll back: every worker of this home applies it, and it is kept until the registry knows it.

It is a file beside the models, so that it survives a restart and reaches the other workers while the registry is away.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import orjson

from churn.atomic_write import PRIVATE, atomic_write, sync_folder
from churn.lifecycle.rollback_request import RollbackRequest

FILE = "rollback.json"


class RollbackRequests(Protocol):
    """Where the pending request is kept; there is at most one."""

    def read(self) -> RollbackRequest | None:
        """Return the pending request, if any."""

    def write(self, request: RollbackRequest, /) -> None:
        """Keep a request. OSError if that fails."""

    def clear(self) -> None:
        """Drop the request."""


class FileRollbackRequests:
    """The pending request of all workers of one home, in a file."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def read(self) -> RollbackRequest | None:
        """See `RollbackRequests`. A file that holds anything else is no request."""
        try:
            # One of a version of ours that knew no ids has none.
            return RollbackRequest(**{"request_id": "", **orjson.loads(self._file.read_bytes())})
        except (OSError, ValueError, TypeError):
            return None

    def write(self, request: RollbackRequest, /) -> None:
        """See `RollbackRequests`."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self._file, mode=PRIVATE) as staging:
            staging.write_bytes(orjson.dumps(asdict(request)))

    def clear(self) -> None:
        """See `RollbackRequests`."""
        try:
            self._file.unlink()
        except FileNotFoundError:
            return
        # After a power cut a request that came back would roll back what was promoted again since.
        sync_folder(self._file.parent)
