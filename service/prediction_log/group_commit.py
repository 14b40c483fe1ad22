"""Requests that are written together in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from churn.store.records import PredictionRow


@dataclass(eq=False, slots=True)
class _Request:
    """What one request waits for."""

    kept: asyncio.Future[None]
    pieces: int
    arrived: float


@dataclass(eq=False, slots=True)
class _Piece:
    """Rows of one request that are committed together."""

    rows: Sequence[PredictionRow]
    request: _Request


@dataclass(eq=False, slots=True)
class _Group:
    """Pieces that share a commit. Whoever claims it tells its requests: who wrote it, or who gave up waiting for that."""

    pieces: list[_Piece]
    begun: float
    at_store: bool = False
    claimed: bool = False

    def rows(self) -> list[PredictionRow]:
        return [row for piece in self.pieces for row in piece.rows]
