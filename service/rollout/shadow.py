"""Shadow scoring: off the request path, the challenger predicts for a share of the champion's customers. Nobody sees the result.

Each prediction of the champion is offered here after it was made. What is too much is dropped: no request waits for a challenger.
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
from service.scoring.scored_batch import ScoredBatch
from service.scoring.served_model import ServedModel
from service.threads import run_in_thread

if TYPE_CHECKING:
    from churn.store.shadow import ShadowRow

QUEUE_ROWS = 2_000
PAUSE_SECONDS = 0.5
logger = logging.getLogger(__name__)


class _Single(NamedTuple):
    """A customer, and the champion's prediction."""

    prediction_id: str
    probability: float
    churn: bool
    values: Sequence[Any]


class _Batch(NamedTuple):
    """Some customers of a batch, and the champion's predictions."""

    prediction_ids: list[str]
    probabilities: list[float]
    churn: list[bool]
    customers: CustomerColumns


class Shadow:
    """Scores and logs what was offered, twice a second.

    Parameters
    ----------
    share : float
        Of the champion's predictions, how many the challenger makes too: 0 to 1.
    store : ComparisonStore
    metrics : ModelMetrics
    draw : callable
        Returns random numbers in [0, 1).
    """

    def __init__(
        self, share: float, store: ComparisonStore, metrics: ModelMetrics, draw: Callable[[], float] = random.random
    ) -> None:
        self.challenger: ServedModel | None = None
        self._share = share
        self._store = store
        self._metrics = metrics
        self._draw = draw
        self._waiting: deque[_Single | _Batch] = deque()
        self._rows = 0
        self._task: asyncio.Task[None] | None = None

    def follow(self, challenger: ServedModel | None) -> None:
        """Score with this challenger from now on; None: with none."""
        self.challenger = challenger
        if challenger is None:
            self._clear()
        else:
            logger.info("version %s predicts in the shadow", challenger.version)

    def offer(self, row: PredictionRow, values: Sequence[Any]) -> None:
        """Offer one prediction. Free without a challenger.

        Parameters
        ----------
        row : PredictionRow
            The champion's prediction.
        values : sequence
            The customer's values, one per feature in the contract's order.
        """
        if self.challenger is None or self._draw() >= self._share:
            return
        if self._rows >= QUEUE_ROWS:
            self._metrics.shadow.labels("dropped").inc()
            return
        self._rows += 1
        self._waiting.append(_Single(row.prediction_id, row.churn_probability, row.churn, values))

    def offer_many(self, batch: ScoredBatch) -> None:
        """Offer the predictions of a batch."""
        if self.challenger is None:
            return
        wanted = len(batch.prediction_ids) * self._share
        number = int(wanted) + (self._draw() < wanted % 1)
        sampled = min(number, QUEUE_ROWS - self._rows)
        if number > sampled:
            self._metrics.shadow.labels("dropped").inc(number - sampled)
        if sampled <= 0:
            return
        rows = sorted(random.sample(range(len(batch.prediction_ids)), sampled))
        customers = CustomerColumns({name: values[rows] for name, values in batch.customers.values.items()})
        ids = [batch.prediction_ids[row] for row in rows]
        self._rows += sampled
        self._waiting.append(_Batch(ids, batch.probabilities[rows].tolist(), batch.churn[rows].tolist(), customers))

    def start(self) -> None:
        """Begin to score. Needs a running event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; what was not scored yet is dropped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            await self.score_waiting()

    async def score_waiting(self) -> None:
        """Score and log what waits."""
        challenger = self.challenger
        if challenger is None or not self._waiting:
            return
        offered, rows = list(self._waiting), self._rows
        self._clear()
        try:
            await run_in_thread(self._score_and_log, challenger, offered)
        except StoreError as error:
            self._metrics.shadow.labels("store away").inc(rows)
            logger.warning("%d predictions of challenger %s were not logged: %s", rows, challenger.version, error)
        except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
            # The challenger's pipeline may fail although it passed its checks. That is logged, and the champion's work goes on.
            self._metrics.shadow.labels("failed").inc(rows)
            logger.exception("challenger %s failed", challenger.version, exc_info=error)

    def _clear(self) -> None:
        self._waiting.clear()
        self._rows = 0

    def _score_and_log(self, challenger: ServedModel, offered: Sequence[_Single | _Batch]) -> None:
        from churn.store.shadow import ShadowRow

        version, threshold, scored_at = challenger.version, challenger.info.threshold, now()
        rows: list[ShadowRow] = []
        for one in offered:
            if isinstance(one, _Single):
                ids, champion, decisions = [one.prediction_id], [one.probability], [one.churn]
                challenged = [challenger.scorer.one(one.values)]
            else:
                ids, champion, decisions = one.prediction_ids, one.probabilities, one.churn
                challenged = challenger.scorer.many(one.customers).tolist()
            for prediction_id, expected, churn, probability in zip(ids, champion, decisions, challenged, strict=True):
                rows.append(ShadowRow(prediction_id, version, probability, probability >= threshold, scored_at))
                self._metrics.difference.observe(abs(probability - expected))
                if (probability >= threshold) != churn:
                    self._metrics.disagreements.inc()
        self._store.write_shadow(rows)
        self._metrics.shadow.labels("logged").inc(len(rows))
