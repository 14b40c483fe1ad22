"""The prediction use case: score, log, then count, in this order. Every route and protocol that predicts calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from churn.customers.columns import CustomerColumns
from churn.store.records import PredictionRow
from service.observability.metrics import ServiceMetrics
from service.observability.tracing import child_span
from service.prediction_log.log import PredictionLog
from service.request_context import CURRENT
from service.rollout.active_model import ActiveModel
from service.rollout.shadow import Shadow
from service.scoring.served_model import ScoredBatch, ServedModel, to_response

# Smaller batches are scored on the event loop: a thread would take as long to start.
SMALL_BATCH_ROWS = 200


@dataclass(frozen=True)
class PredictionService:
    """Predicts with the active model and logs every prediction before it is returned."""

    active_model: ActiveModel
    log: PredictionLog
    metrics: ServiceMetrics
    shadow: Shadow

    async def predict_one(self, values: Sequence[Any], customer_id: str | None, reasons: int | None) -> bytes:
        """Predict for one customer. The record is in the log when this returns.

        Parameters
        ----------
        values : sequence
            One validated value per feature, in the contract's order: float, bool, str, or None where missing.
        customer_id : str or None
        reasons : int or None
            How many of the strongest reasons to add; None: none.

        Returns
        -------
        bytes
            The response as JSON.

        Raises
        ------
        NoModel, NoReasons, StoreError
            Then nothing was answered; after StoreError the record may be in the log all the same.
        """
        served = self.active_model.current()
        _note_version(served)
        with child_span("score"):
            row = served.score_one(values, customer_id)
            response = to_response(row)
            if reasons is not None:
                response |= served.explain(values, reasons)
        with child_span("log"):
            await self.log.submit((row,))
        self.metrics.count_one(row, values)
        self.shadow.offer(row, values)
        return orjson.dumps(response)

    async def predict_batch(self, served: ServedModel, customers: CustomerColumns) -> ScoredBatch:
        """Predict for many customers with one model. All records are in the log when this returns.

        Parameters
        ----------
        served : ServedModel
        customers : CustomerColumns
            Validated customers.

        Returns
        -------
        ScoredBatch
            The predictions, in the order of the customers.

        Raises
        ------
        StoreError
            If the records could not be logged: then nothing may be answered.
        """
        _note_version(served)
        with child_span("score"):
            if len(customers) <= SMALL_BATCH_ROWS:
                batch, rows = _score(served, customers)
            else:
                batch, rows = await asyncio.to_thread(_score, served, customers)
        with child_span("log"):
            await self.log.write(rows)
        self.metrics.count_many(batch)
        self.shadow.offer_many(batch)
        return batch


def _note_version(served: ServedModel) -> None:
    if (request_context := CURRENT.get()) is not None:
        request_context.model_version = served.version


def _score(served: ServedModel, customers: CustomerColumns) -> tuple[ScoredBatch, list[PredictionRow]]:
    batch = served.score_columns(customers)
    return batch, batch.rows(served.contract)
