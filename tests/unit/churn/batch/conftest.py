"""Small pieces, so that small files have many."""

from __future__ import annotations

import pytest

from churn.batch import pieces, plan
from churn.data import csv_chunks


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "PART_ROWS", 200)
    monkeypatch.setattr(pieces, "PIECE_ROWS", 64)
    monkeypatch.setattr(csv_chunks, "CHUNK_BYTES", 5_000)
