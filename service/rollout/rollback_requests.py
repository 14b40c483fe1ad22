"""An order to roll back: obeyed at once by every worker of this home, and kept until the registry has been told.

It is a file beside the models, so that it outlives a restart and reaches workers even while the registry is away.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import orjson

from churn.atomic_write import PRIVATE, atomic_write

FILE = "rollback.json"


@dataclass(frozen=True)
class RollbackRequest:
    """Leave one version for another.

    Attributes
    ----------
    leaving, version : str
        The version that is not to serve, and the one that takes over.
    run_id : str
        Of `version`.
    actor, reason : str
        For the record.
    """

    leaving: str
    version: str
    run_id: str
    actor: str
    reason: str


class RollbackRequests(Protocol):
    """Where the order that stands is kept. At most one does."""

    def read(self) -> RollbackRequest | None:
        """Give the order that stands, if any."""

    def write(self, request: RollbackRequest, /) -> None:
        """Give an order. OSError if it cannot be kept."""

    def clear(self) -> None:
        """Take the order back, or note that it was carried out."""


class MemoryRollbackRequests:
    """RollbackRequests of one process."""

    def __init__(self) -> None:
        self._request: RollbackRequest | None = None

    def read(self) -> RollbackRequest | None:
        """See `RollbackRequests`."""
        return self._request

    def write(self, request: RollbackRequest, /) -> None:
        """See `RollbackRequests`."""
        self._request = request

    def clear(self) -> None:
        """See `RollbackRequests`."""
        self._request = None


class FileRollbackRequests:
    """RollbackRequests that all workers of one home share."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def read(self) -> RollbackRequest | None:
        """See `RollbackRequests`. A file that is none of ours is no order."""
        try:
            return RollbackRequest(**orjson.loads(self._file.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, request: RollbackRequest, /) -> None:
        """See `RollbackRequests`."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self._file, mode=PRIVATE) as staging:
            staging.write_bytes(orjson.dumps(asdict(request)))

    def clear(self) -> None:
        """See `RollbackRequests`."""
        self._file.unlink(missing_ok=True)
