from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

import pytest

from churn.contract import Contract
from churn.errors import StoreError
from churn.store.records import PredictionRow
from churn.store.shadow import Realized, ShadowRow
from service.model_loading.parity_customers import as_columns, drawn_customers
from service.observability.metrics import ServiceMetrics
from service.rollout.shadow import QUEUE_ROWS, Shadow
from service.scoring.served_model import ServedModel
from tests.unit.service.fakes import make_model, served_model

pytestmark = pytest.mark.anyio


class FakeComparisonStore:
    """A store in memory: what is asked of it comes from `outcomes`; it can be `away`."""

    def __init__(self) -> None:
        self.rows: list[ShadowRow] = []
        self.outcomes: list[Realized] = []
        self.asked: list[tuple[str, int]] = []
        self.judged_until: datetime | None = None
        self.away = False

    def write_shadow(self, rows: Sequence[ShadowRow], /) -> None:
        self._check()
        self.rows += rows

    def realized(
        self, version: str, *, since: datetime, after_outcome_seq: int, mature_until: datetime, limit: int
    ) -> list[Realized]:
        self._check()
        self.asked.append((version, after_outcome_seq))
        self.judged_until = mature_until
        return [one for one in self.outcomes if one.outcome_seq > after_outcome_seq][:limit]

    def close(self) -> None:
        pass

    def _check(self) -> None:
        if self.away:
            raise StoreError("away")


class Shadowing:
    """A shadow with everything around it: a champion, a challenger, and chance that a test decides."""

    def __init__(self, contract: Contract, share: float = 1.0, drawn: float = 0.0) -> None:
        self.champion = served_model(make_model("1", slope=2), "registry")
        self.challenger = served_model(make_model("2", slope=-2), "registry")
        self.metrics = ServiceMetrics(contract)
        self.store = FakeComparisonStore()
        self.shadow = Shadow(share, self.store, self.metrics.models, draw=lambda: drawn)
        self.customers = drawn_customers(contract, 50, 3, {})
        self.contract = contract

    def answered(self, model: ServedModel, number: int) -> PredictionRow:
        return model.score_one(self.customers[number], None)

    def offer(self, count: int) -> list[PredictionRow]:
        rows = [self.answered(self.champion, number) for number in range(count)]
        for number, row in enumerate(rows):
            self.shadow.offer(row, self.customers[number])
        return rows

    def counted(self, result: str) -> float:
        return self.metrics.registry.get_sample_value("churn_shadow_total", {"result": result}) or 0.0


@pytest.fixture
def shadowing(contract: Contract) -> Shadowing:
    return Shadowing(contract)


async def test_what_was_offered_is_scored_and_logged_with_the_challenger_s_version(shadowing: Shadowing) -> None:
    shadowing.shadow.follow(shadowing.challenger)
    rows = shadowing.offer(20)
    assert shadowing.store.rows == [], "not on the request path"
    await shadowing.shadow.score_waiting()
    expected = [shadowing.answered(shadowing.challenger, number).churn_probability for number in range(20)]
    assert [row.prediction_id for row in shadowing.store.rows] == [row.prediction_id for row in rows]
    assert [row.churn_probability for row in shadowing.store.rows] == expected
    assert {row.model_version for row in shadowing.store.rows} == {"2"}
    assert all(row.churn == (row.churn_probability >= 0.5) for row in shadowing.store.rows)
    assert shadowing.counted("logged") == 20
    await shadowing.shadow.score_waiting()
    assert len(shadowing.store.rows) == 20


async def test_differences_and_disagreements_are_counted(shadowing: Shadowing) -> None:
    shadowing.shadow.follow(shadowing.challenger)
    rows = shadowing.offer(50)
    await shadowing.shadow.score_waiting()
    sample = shadowing.metrics.registry.get_sample_value
    pairs = list(zip(rows, shadowing.store.rows, strict=True))
    differences = [abs(one.churn_probability - other.churn_probability) for one, other in pairs]
    assert sample("churn_shadow_difference_count") == 50
    assert sample("churn_shadow_difference_sum") == pytest.approx(sum(differences))
    disagreed = sum(one.churn != other.churn for one, other in pairs)
    assert sample("churn_shadow_disagreements_total") == disagreed > 0


async def test_a_batch_is_scored_in_the_shadow_as_its_customers_would_be_one_by_one(shadowing: Shadowing) -> None:
    shadowing.shadow.follow(shadowing.challenger)
    batch = shadowing.champion.score_columns(as_columns(shadowing.customers, shadowing.contract))
    shadowing.shadow.offer_many(batch)
    await shadowing.shadow.score_waiting()
    expected = [shadowing.answered(shadowing.challenger, number).churn_probability for number in range(50)]
    assert [row.churn_probability for row in shadowing.store.rows] == pytest.approx(expected, abs=1e-12)
    assert [row.prediction_id for row in shadowing.store.rows] == list(batch.prediction_ids)


@pytest.mark.parametrize(("share", "drawn", "asked"), [(0.1, 0.05, 20), (0.1, 0.1, 0), (0.0, 0.0, 0), (1.0, 0.99, 20)])
async def test_a_share_of_the_answers_is_asked(contract: Contract, share: float, drawn: float, asked: int) -> None:
    shadowing = Shadowing(contract, share, drawn)
    shadowing.shadow.follow(shadowing.challenger)
    shadowing.offer(20)
    await shadowing.shadow.score_waiting()
    assert len(shadowing.store.rows) == asked


@pytest.mark.parametrize(("share", "drawn", "asked"), [(0.1, 0.9, 5), (0.11, 0.49, 6), (0.11, 0.51, 5), (0.001, 0.9, 0)])
async def test_a_share_of_a_batch_is_asked(contract: Contract, share: float, drawn: float, asked: int) -> None:
    shadowing = Shadowing(contract, share, drawn)
    shadowing.shadow.follow(shadowing.challenger)
    batch = shadowing.champion.score_columns(as_columns(shadowing.customers, contract))
    shadowing.shadow.offer_many(batch)
    await shadowing.shadow.score_waiting()
    assert len(shadowing.store.rows) == asked
    assert {row.prediction_id for row in shadowing.store.rows} <= set(batch.prediction_ids)


async def test_what_is_too_much_is_dropped_and_counted(shadowing: Shadowing) -> None:
    shadowing.shadow.follow(shadowing.challenger)
    row = shadowing.answered(shadowing.champion, 0)
    for _ in range(QUEUE_ROWS + 7):
        shadowing.shadow.offer(row, shadowing.customers[0])
    shadowing.shadow.offer_many(shadowing.champion.score_columns(as_columns(shadowing.customers, shadowing.contract)))
    assert shadowing.counted("dropped") == 7 + 50
    await shadowing.shadow.score_waiting()
    assert shadowing.counted("logged") == QUEUE_ROWS
    shadowing.offer(1)
    await shadowing.shadow.score_waiting()
    assert shadowing.counted("logged") == QUEUE_ROWS + 1, "there is room again"


async def test_without_a_challenger_nothing_is_kept(shadowing: Shadowing) -> None:
    shadowing.offer(5)
    shadowing.shadow.follow(shadowing.challenger)
    shadowing.offer(5)
    shadowing.shadow.follow(None)
    shadowing.shadow.follow(shadowing.challenger)
    await shadowing.shadow.score_waiting()
    assert shadowing.store.rows == []


async def test_a_store_that_is_away_costs_the_challenger_s_answers_only(shadowing: Shadowing) -> None:
    shadowing.shadow.follow(shadowing.challenger)
    shadowing.store.away = True
    shadowing.offer(5)
    await shadowing.shadow.score_waiting()
    assert shadowing.counted("store away") == 5
    shadowing.store.away = False
    shadowing.offer(3)
    await shadowing.shadow.score_waiting()
    assert shadowing.counted("logged") == 3


async def test_a_challenger_that_fails_is_counted_and_logged_and_the_work_goes_on(
    shadowing: Shadowing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> float:
        raise ValueError("odd customer")

    shadowing.shadow.follow(shadowing.challenger)
    with monkeypatch.context() as patch:
        patch.setattr(shadowing.challenger.scorer, "one", fail)
        shadowing.offer(4)
        await shadowing.shadow.score_waiting()
    assert shadowing.counted("failed") == 4
    assert caplog.records[-1].exc_info is not None
    shadowing.offer(1)
    await shadowing.shadow.score_waiting()
    assert shadowing.counted("logged") == 1


async def test_it_works_by_itself_once_started(shadowing: Shadowing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.rollout.shadow.PAUSE_SECONDS", 0.001)
    shadowing.shadow.start()
    try:
        shadowing.shadow.follow(shadowing.challenger)
        shadowing.offer(2)
        deadline = time.monotonic() + 120
        while len(shadowing.store.rows) < 2:
            assert time.monotonic() < deadline
            await _breathe()
    finally:
        await shadowing.shadow.stop()


async def _breathe() -> None:
    import asyncio

    await asyncio.sleep(0.002)
