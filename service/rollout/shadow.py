"""The challenger in the champion's shadow: asked about a share of the customers, off the request path. Nobody gets its answer.

An answer that was sent is offered here. Whatever is too much is dropped: a customer is never kept waiting for a challenger.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from churn.clock import now
from churn.customers.columns import CustomerColumns
from churn.errors import StoreError
from churn.store.records import PredictionRow
from service.observability.model_metrics import ModelMetrics
from service.rollout.comparison_store import ComparisonStore
from service.scoring.served_model import ScoredBatch, ServedModel

if TYPE_CHECKING:
    from churn.store.shadow import ShadowRow

QUEUE_ROWS = 2_000
PAUSE_SECONDS = 0.5
logger = logging.getLogger(__name__)


class _One(NamedTuple):
    """A customer, and the champion's answer."""

    prediction_id: str
    probability: float
    churn: bool
    values: Sequence[Any]


class _Many(NamedTuple):
    """Some customers of a batch, and the champion's answers."""

    prediction_ids: list[str]
    probabilities: list[float]
    churn: list[bool]
    customers: CustomerColumns


class Shadow:
    """Scores and logs what was offered, every half second.

    Parameters
    ----------
    share : float
        Of the answers that the challenger is asked too, 0 to 1.
    store : ComparisonStore
    metrics : ModelMetrics
    draw : callable
        Random numbers in [0, 1).
    """

    def __init__(
        self, share: float, store: ComparisonStore, metrics: ModelMetrics, draw: Callable[[], float] = random.random
    ) -> None:
        self.challenger: ServedModel | None = None
        self._share = share
        self._store = store
        self._metrics = metrics
        self._draw = draw
        self._waiting: deque[_One | _Many] = deque()
        self._rows = 0
        self._task: asyncio.Task[None] | None = None

    def follow(self, challenger: ServedModel | None) -> None:
        """Ask this challenger from now on; None: nobody."""
        self.challenger = challenger
        if challenger is None:
            self._forget()
        else:
            logger.info("version %s is asked in the shadow", challenger.version)

    def offer(self, row: PredictionRow, values: Sequence[Any]) -> None:
        """Offer one answer; `values` are the customer's, one a feature in the contract's order. Free without a challenger."""
        if self.challenger is None or self._draw() >= self._share:
            return
        if self._rows >= QUEUE_ROWS:
            self._metrics.shadow.labels("dropped").inc()
            return
        self._rows += 1
        self._waiting.append(_One(row.prediction_id, row.churn_probability, row.churn, values))

    def offer_many(self, batch: ScoredBatch) -> None:
        """Offer the answers to a batch."""
        if self.challenger is None:
            return
        wanted = len(batch.prediction_ids) * self._share
        number = int(wanted) + (self._draw() < wanted % 1)
        taken = min(number, QUEUE_ROWS - self._rows)
        if number > taken:
            self._metrics.shadow.labels("dropped").inc(number - taken)
        if taken <= 0:
            return
        rows = sorted(random.sample(range(len(batch.prediction_ids)), taken))
        customers = CustomerColumns({name: values[rows] for name, values in batch.customers.values.items()})
        ids = [batch.prediction_ids[row] for row in rows]
        self._rows += taken
        self._waiting.append(_Many(ids, batch.probabilities[rows].tolist(), batch.churn[rows].tolist(), customers))

    def start(self) -> None:
        """Begin to work. Needs a running event loop."""
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Stop; what was not scored yet is dropped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            await self.work_off()

    async def work_off(self) -> None:
        """Score and log what is waiting."""
        challenger = self.challenger
        if challenger is None or not self._waiting:
            return
        offered, rows = list(self._waiting), self._rows
        self._forget()
        try:
            await asyncio.to_thread(self._score_and_log, challenger, offered)
        except StoreError as error:
            self._metrics.shadow.labels("store away").inc(rows)
            logger.warning("%d answers of challenger %s were not logged: %s", rows, challenger.version, error)
        except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
            # The challenger's pipeline may fail where its trial did not. That is worth knowing, and the champion's work goes on.
            self._metrics.shadow.labels("failed").inc(rows)
            logger.exception("challenger %s failed", challenger.version, exc_info=error)

    def _forget(self) -> None:
        self._waiting.clear()
        self._rows = 0

    def _score_and_log(self, challenger: ServedModel, offered: Sequence[_One | _Many]) -> None:
        from churn.store.shadow import ShadowRow

        version, threshold, asked = challenger.version, challenger.info.threshold, now()
        rows: list[ShadowRow] = []
        for one in offered:
            if isinstance(one, _One):
                ids, champion, decided = [one.prediction_id], [one.probability], [one.churn]
                answers = [challenger.scorer.one(one.values)]
            else:
                ids, champion, decided = one.prediction_ids, one.probabilities, one.churn
                answers = challenger.scorer.many(one.customers).tolist()
            for prediction_id, said, churn, answer in zip(ids, champion, decided, answers, strict=True):
                rows.append(ShadowRow(prediction_id, version, answer, answer >= threshold, asked))
                self._metrics.difference.observe(abs(answer - said))
                if (answer >= threshold) != churn:
                    self._metrics.disagreements.inc()
        self._store.write_shadow(rows)
        self._metrics.shadow.labels("logged").inc(len(rows))
