"""What shares a commit: pieces of requests that wait in a queue, and the groups that are taken from it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from churn.store.records import PredictionRow

# How many rows of single requests share a commit.
GROUP_ROWS = 5_000
# A batch is committed in pieces of so many rows; single requests wait for one piece at most.
PIECE_ROWS = 2_000


# Called on the event loop when all rows of a request are kept, with None, or with the error that kept them from being kept.
Done = Callable[[Exception | None], None]


@dataclass(eq=False, slots=True)
class WriteRequest:
    """A request that waits until all of its pieces are written.

    Attributes
    ----------
    done : callable
        See `Done`; called once.
    pieces : int
        How many are not written yet.
    arrived : float
        `time.monotonic` when the rows were submitted.
    """

    done: Done
    pieces: int = 1
    arrived: float = field(default_factory=time.monotonic)


@dataclass(eq=False, slots=True)
class Piece:
    """Rows of one request that are committed together."""

    rows: Sequence[PredictionRow]
    request: WriteRequest


class Group:
    """Pieces that share a commit. The thread that claims it resolves its requests.

    Attributes
    ----------
    pieces : list of Piece
    begun : float
        `time.monotonic` when its writing began.
    at_store : bool
        Whether the store is asked to write it now.
    """

    __slots__ = ("_claim", "at_store", "begun", "pieces")

    def __init__(self, pieces: list[Piece], begun: float) -> None:
        self.pieces, self.begun, self.at_store = pieces, begun, False
        self._claim = threading.Lock()

    def claim(self) -> bool:
        """Claim the group; return whether the caller is the first to do so."""
        return self._claim.acquire(blocking=False)

    def rows(self) -> list[PredictionRow]:
        """Return the rows of all pieces."""
        return [row for piece in self.pieces for row in piece.rows]


class PieceQueue:
    """Pieces that wait to be written. The event loop appends and the writer takes: a deque's two ends need no lock."""

    def __init__(self) -> None:
        self._singles: deque[Piece] = deque()
        self._batches: deque[Piece] = deque()

    def __bool__(self) -> bool:
        """Return whether anything waits."""
        return bool(self._singles or self._batches)

    def append(self, rows: Sequence[PredictionRow], done: Done, arrived: float | None = None) -> None:
        """Append the rows of one request, a large batch in pieces.

        Parameters
        ----------
        rows : sequence of PredictionRow
        done : callable
            See `Done`.
        arrived : float, optional
            See `WriteRequest`; by default, now.
        """
        if len(rows) <= PIECE_ROWS:
            self._singles.append(Piece(rows, WriteRequest(done, 1, time.monotonic() if arrived is None else arrived)))
            return
        starts = range(0, len(rows), PIECE_ROWS)
        request = WriteRequest(done, len(starts))
        self._batches.extend(Piece(rows[start : start + PIECE_ROWS], request) for start in starts)

    def take(self) -> list[Piece]:
        """Take what shares the next commit: single requests up to `GROUP_ROWS` rows, and one piece of a batch."""
        taken: list[Piece] = []
        rows = 0
        while self._singles and rows < GROUP_ROWS:
            taken.append(self._singles.popleft())
            rows += len(taken[-1].rows)
        if self._batches:
            taken.append(self._batches.popleft())
        return taken

    def oldest(self) -> float | None:
        """Return when the oldest piece was submitted (`time.monotonic`); None if nothing waits."""
        arrived = []
        for pieces in (self._singles, self._batches):
            with suppress(IndexError):  # the writer has taken it meanwhile
                arrived.append(pieces[0].request.arrived)
        return min(arrived, default=None)
