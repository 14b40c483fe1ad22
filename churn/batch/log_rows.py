"""What `churn score --log` stores: a row for each customer that was answered, as the service logs a batch."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn.batch.answers import Judged
from churn.batch.model import Scorer
from churn.batch.ordered import in_order
from churn.batch.part import open_pieces
from churn.batch.plan import Plan, Terms
from churn.customers.columns import CustomerColumns
from churn.ids import numbered_ids
from churn.store.records import TIME_FORMAT, PredictionRow

# Rows of one commit: SQLite has one writer at a time, and single requests wait for one commit at most.
CHUNK_ROWS = 2_000
MAX_ROWS = 2**32


@dataclass(frozen=True)
class RowMaker:
    """Makes the rows of a run: the same ones again, whoever makes them.

    Attributes
    ----------
    scorer : Scorer
    digest : bytes
        Of what is scored by which model: the ids hold some of its bits.
    requested_at : datetime
        Of all rows.
    pseudonym : callable or None
        Turns customers' ids into what is stored.
    """

    scorer: Scorer
    digest: bytes
    requested_at: datetime
    pseudonym: Callable[[str], str] | None = None

    def ids(self, numbers: Any) -> list[str]:
        """Give the prediction ids of rows by their numbers, which count the rows of the whole input from 0."""
        return numbered_ids(int(self.requested_at.timestamp() * 1000), self.digest, numbers)

    def number(self, prediction_id: str) -> int:
        """Give the number of a row by its id."""
        return int(prediction_id[-8:], 16)

    def rows(self, chunk: Chunk) -> list[PredictionRow]:
        """Make the rows of a chunk."""
        model, named = self.scorer.model, self._named(chunk)
        churn = chunk.probabilities >= model.threshold
        stored = named if self.pseudonym is None else [None if one is None else self.pseudonym(one) for one in named]
        columns = (
            self.ids(chunk.numbers.tolist()),
            stored,
            repeat(self.requested_at.strftime(TIME_FORMAT)),
            repeat(model.version),
            chunk.probabilities.tolist(),
            repeat(model.threshold),
            churn.tolist(),
            chunk.customers.feature_texts(model.contract),
            model.control.among(named, churn).tolist(),
        )
        return list(map(PredictionRow._make, zip(*columns, strict=False)))

    def _named(self, chunk: Chunk) -> list[str | None]:
        if chunk.customer_ids is None:
            return [None] * len(chunk.numbers)
        return [None if one is None else str(one) for one in chunk.customer_ids.to_pylist()]


@dataclass(frozen=True)
class Chunk:
    """Customers that follow each other, with their numbers and answers."""

    numbers: NDArray[np.int64]
    customers: CustomerColumns
    customer_ids: Any
    probabilities: NDArray[np.float64]


def chunks(scorer: Scorer, plan: Plan, terms: Terms, threads: int, skip: int) -> Generator[Chunk]:
    """Read the input again, and answer it again, in the order of its rows.

    Parameters
    ----------
    scorer : Scorer
    plan : Plan
    terms : Terms
    threads : int
        Threads that read.
    skip : int
        So many rows of the input are left out.

    Yields
    ------
    Chunk
        Of at most `CHUNK_ROWS` customers.

    Raises
    ------
    InputError
        If the input is not what it was, or not readable.
    """
    before = 0
    for part in plan.parts:
        if part.groups is not None and before + part.rows <= skip:
            before += part.rows
            continue
        with (
            open_pieces(scorer, part, terms) as (answering, pieces),
            closing(in_order(answering.judge, pieces, threads)) as judged,
        ):
            for one in judged:
                yield from _cut(scorer, one, before, skip)
                before += one.rows


def _cut(scorer: Scorer, judged: Judged, before: int, skip: int) -> Iterator[Chunk]:
    numbers = before + (np.arange(judged.rows) if judged.kept is None else np.flatnonzero(judged.kept))
    first = int(np.searchsorted(numbers, skip))
    if first == len(numbers):
        return
    probabilities = scorer.probabilities(judged.customers)
    for start in range(first, len(numbers), CHUNK_ROWS):
        some = slice(start, start + CHUNK_ROWS)
        customers = CustomerColumns({name: values[some] for name, values in judged.customers.values.items()})
        yield Chunk(numbers[some], customers, None if judged.ids is None else judged.ids[some], probabilities[some])
