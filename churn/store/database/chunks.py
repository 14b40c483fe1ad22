"""Long lists of values, in chunks that fit into a statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

# SQLite takes at most 32,766 parameters in a statement; PostgreSQL 65,535.
CHUNK = 4_000
T = TypeVar("T")


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield values in chunks of at most 4,000, in order."""
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))
