"""From validated customers to answers: score, log, then count, in this order. All routes and protocols that predict come here."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson

from churn.customers.columns import CustomerColumns
from churn.store.records import PredictionRow
from service.observability.tracing import part
from service.request_context import CURRENT
from service.scoring.served_model import ScoredBatch, ServedModel, answer
from service.state import ServiceState

# Fewer rows are scored on the event loop: to hand them to a thread would take as long.
SMALL_BATCH_ROWS = 200


async def answer_one(state: ServiceState, values: Sequence[Any], customer_id: str | None, reasons: int | None) -> bytes:
    """Answer one customer, as JSON. Its record is in the log when this returns.

    Parameters
    ----------
    state : ServiceState
    values : sequence
        A validated value a feature, in the contract's order: float, bool, text, or None where missing.
    customer_id : str or None
    reasons : int or None
        How many of the strongest reasons to give; None: not asked for.

    Raises
    ------
    NoModel, StoreError, Unprocessable
        Then nothing was answered; with StoreError it may be logged all the same.
    """
    served = state.active_model.current()
    _note(served)
    with part("score"):
        row = served.score_one(values, customer_id)
        answered = answer(row)
        if reasons is not None:
            answered |= served.explain(values, reasons)
    with part("log"):
        await state.log.submit((row,))
    state.metrics.count_one(row, values)
    state.models.shadow.offer(row, values)
    return orjson.dumps(answered)


async def score_and_log(state: ServiceState, served: ServedModel, customers: CustomerColumns) -> ScoredBatch:
    """Answer many customers with one model. All their records are in the log when this returns.

    Raises
    ------
    StoreError
        Then nothing may be answered.
    """
    _note(served)
    with part("score"):
        if len(customers) <= SMALL_BATCH_ROWS:
            batch, rows = _score(served, customers)
        else:
            batch, rows = await asyncio.to_thread(_score, served, customers)
    with part("log"):
        await state.log.write(rows)
    state.metrics.count_many(batch)
    state.models.shadow.offer_many(batch)
    return batch


def _note(served: ServedModel) -> None:
    if (request_context := CURRENT.get()) is not None:
        request_context.model_version = served.version


def _score(served: ServedModel, customers: CustomerColumns) -> tuple[ScoredBatch, list[PredictionRow]]:
    batch = served.score_columns(customers)
    return batch, batch.rows(served.contract)
