from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from churn.clock import now
from churn.errors import RowsRefused
from churn.ids import new_id
from churn.store.records import Prediction, PredictionRow
from service.observability.metrics import ServiceMetrics
from service.prediction_log.log import PredictionLog
from tests.unit.service.fakes import FakeStore


def record(customer_id: str | None = None) -> PredictionRow:
    return Prediction(new_id(), customer_id, now(), "1", 0.25, 0.5, False, {"total_day_minutes": 1.0}).row()


async def let_tasks_run() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def first_group_in_writing(log: PredictionLog, store: FakeStore) -> asyncio.Task[None]:
    """A write that hangs in the store, so that what comes next has to wait."""
    store.gate.clear()
    first = asyncio.create_task(log.write([record()]))
    await asyncio.to_thread(store.writing.wait, 10)
    return first


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


def sample(metrics: ServiceMetrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(name)


class PickyStore(FakeStore):
    """Never takes the rows of one customer."""

    def write_rows(self, rows: Sequence[PredictionRow], /) -> None:
        if not self.away and any(row.customer_id == "refused" for row in rows):
            self.writing.set()
            assert self.gate.wait(120)
            raise RowsRefused("a rule is broken")
        super().write_rows(rows)


def at_once(store: FakeStore) -> Callable[[list[PredictionRow]], bool]:
    def write(rows: list[PredictionRow]) -> bool:
        store.rows += rows
        return True

    return write
