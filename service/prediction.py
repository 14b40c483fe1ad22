"""The prediction use case: score, log, then count, in this order. Every route and protocol that predicts calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import orjson

from churn.campaigns.control_group import NOBODY, ControlGroup
from churn.customers.columns import CustomerColumns
from churn.store.records import PredictionRow
from service.observability.metrics import ServiceMetrics
from service.observability.tracing import child_span
from service.opt_outs import OptOutFollower
from service.prediction_log.log import PredictionLog
from service.request_context import CURRENT, RequestContext
from service.rollout.active_model import ActiveModel
from service.rollout.shadow import Shadow
from service.scoring.scored_batch import ScoredBatch
from service.scoring.served_model import ServedModel, to_response
from service.threads import CLIENT_WORK

# Smaller batches are scored on the event loop: a thread would take as long to start.
SMALL_BATCH_ROWS = 200
# A record takes some 700 bytes until it is written, and a customer in an odd body may have come in one.
LOGGED_AT_ONCE = 5_000


class Extras(NamedTuple):
    """What is asked for beside a prediction: so many of the strongest reasons, the customer's segment."""

    reasons: int | None = None
    segment: bool = False

    def add(self, response: dict[str, Any], served: ServedModel, values: Sequence[Any]) -> None:
        """Add it to a response. Raise NoReasons or NoSegments if the model cannot give it.

        Parameters
        ----------
        response : dict
        served : ServedModel
        values : sequence
            As in `ServedModel.score_one`.
        """
        if self.segment:
            response["segment"] = served.segment_of(values)
        if self.reasons is not None:
            response |= served.explain(values, self.reasons)


@dataclass(frozen=True)
class PredictionService:
    """Predicts with the active model and logs every prediction before it is returned."""

    active_model: ActiveModel
    log: PredictionLog
    metrics: ServiceMetrics
    shadow: Shadow
    control: ControlGroup = NOBODY
    opt_outs: OptOutFollower = field(default_factory=OptOutFollower)

    def can_answer(self, more: Extras | None) -> bool:
        """Return whether there is a model, and one that can give what is asked for beside the prediction."""
        served = self.active_model.peek()
        if served is None or more is None:
            return served is not None
        return (more.reasons is None or served.explainer is not None) and (not more.segment or served.segmenter is not None)

    def begin_one(
        self,
        values: Sequence[Any],
        customer_id: str | None,
        more: Extras | None,
        request_context: RequestContext | None,
        done: Callable[[bytes | Exception], None],
    ) -> None:
        """Predict for one customer, and call `done` when the record is in the log.

        Parameters
        ----------
        values : sequence
            One validated value per feature, in the contract's order: float, bool, str, or None where missing.
        customer_id : str or None
        more : Extras or None
            What to add to the prediction; None: nothing.
        request_context : RequestContext or None
        done : callable
            Called, later and on the event loop, with the response as JSON, or with the error that kept the record out of the
            log: then nothing may be answered, though the record may be there all the same.

        Raises
        ------
        NoModel, NoReasons, NoSegments, StoreError
            Then `done` is not called.
        """
        served = self.active_model.current()
        _note_version(served, request_context)
        with child_span("score", request_context):
            row = served.score_one(values, customer_id, self.control)
            response = to_response(row, row.churn and self.opt_outs.current.has(customer_id))
            if more is not None:
                more.add(response, served, values)
        trace = None if request_context is None else request_context.trace
        logged = None if trace is None else trace.start_child("log")
        self.log.submit((row,), partial(self._end_one, row, values, orjson.dumps(response), logged, done))

    def _end_one(
        self,
        row: PredictionRow,
        values: Sequence[Any],
        response: bytes,
        logged: Callable[[], None] | None,
        done: Callable[[bytes | Exception], None],
        error: Exception | None,
    ) -> None:
        if logged is not None:
            logged()
        if error is not None:
            done(error)
            return
        self.metrics.count_one(row, values)
        self.shadow.offer(row, values)
        done(response)

    async def predict_one(self, values: Sequence[Any], customer_id: str | None, more: Extras | None) -> bytes:
        """Predict for one customer; return the response as JSON. The record is in the log when this returns.

        Parameters
        ----------
        values, customer_id, more
            See `begin_one`.

        Returns
        -------
        bytes

        Raises
        ------
        NoModel, NoReasons, NoSegments, StoreError
            Then nothing was answered; after StoreError the record may be in the log all the same.
        """
        answered: asyncio.Future[bytes | Exception] = asyncio.get_running_loop().create_future()

        def answer_with(answer: bytes | Exception) -> None:
            if not answered.done():  # unless the request was cancelled meanwhile
                answered.set_result(answer)

        self.begin_one(values, customer_id, more, CURRENT.get(), answer_with)
        answer = await answered
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def predict_batch(self, served: ServedModel, customers: CustomerColumns, *, segment: bool = False) -> ScoredBatch:
        """Predict for many customers with one model. All records are in the log when this returns.

        Parameters
        ----------
        served : ServedModel
        customers : CustomerColumns
            Validated customers.
        segment : bool
            Whether to find their segments, too: some 50 µs a customer.

        Returns
        -------
        ScoredBatch
            The predictions, in the order of the customers.

        Raises
        ------
        NoSegments
            Then nothing was predicted.
        StoreError
            If the records could not be logged: then nothing may be answered, though some may be in the log all the same.
        """
        request_context = CURRENT.get()
        _note_version(served, request_context)
        if segment:
            served.require_segments()
        with child_span("score", request_context):
            small = len(customers) <= SMALL_BATCH_ROWS
            score = partial(served.score_columns, customers, self.control, self.opt_outs.current)
            batch = score() if small else await CLIENT_WORK.run(score)
            if segment:
                find = partial(served.add_segments, batch)
                batch = find() if small else await CLIENT_WORK.run(find)
        with child_span("log", request_context):
            for start in range(0, len(customers), LOGGED_AT_ONCE):
                make_records = partial(batch.rows, served.contract, start, start + LOGGED_AT_ONCE)
                await self.log.write(make_records() if small else await CLIENT_WORK.run(make_records, is_begun=True))
        self.metrics.count_many(batch)
        self.shadow.offer_many(batch)
        return batch


def _note_version(served: ServedModel, request_context: RequestContext | None) -> None:
    if request_context is not None:
        request_context.model_version = served.version
