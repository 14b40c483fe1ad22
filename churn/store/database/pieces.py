"""Write long lists in pieces, each a transaction: others have their turn at SQLite's only write lock between them.

What is written in pieces must say the same when it is written again: a list that was cut off is sent once more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import sqlalchemy as sa

from churn.store.database.engine import translated

# Some ten milliseconds of writing: who waits for SQLite's lock asks for it after 1, 2, 5, 10, 15, 20, 25, … milliseconds.
PIECE_ROWS = 500
# So long as it took others may write: whoever waits would find the lock taken each time if it were given back for a moment. Not
# longer than the longest of those waits.
PAUSE_SHARE, MAX_PAUSE_SECONDS = 1.0, 0.1
T = TypeVar("T")
R = TypeVar("R")


def in_pieces(
    engine: sa.Engine, items: Sequence[T], write: Callable[[sa.Connection, Sequence[T]], R], size: int = PIECE_ROWS
) -> Iterator[R]:
    """Write a list, one transaction a piece, and yield what `write` returns.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    items : sequence
        An empty one is no piece.
    write : callable
        Writes a piece within a transaction.
    size : int
        Items of a piece.

    Yields
    ------
    object

    Raises
    ------
    StoreError
        If a piece fails; those before it stay.
    """
    for start in range(0, len(items), size):
        begun = time.monotonic()
        with translated(), engine.begin() as connection:
            done = write(connection, items[start : start + size])
        yield done
        if start + size < len(items):
            give_turn(engine, time.monotonic() - begun)


def give_turn(engine: sa.Engine, seconds: float) -> None:
    """Let others write, where there is one writer at a time.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    seconds : float
        How long they had to wait.
    """
    if engine.dialect.name == "sqlite":
        time.sleep(min(PAUSE_SHARE * seconds, MAX_PAUSE_SECONDS))
