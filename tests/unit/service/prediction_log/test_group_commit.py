from __future__ import annotations

import asyncio

import pytest

from service.prediction_log import group_commit
from service.prediction_log.log import PredictionLog
from tests.unit.service.fakes import FakeStore
from tests.unit.service.prediction_log.helpers import first_group_in_writing, let_tasks_run, record

pytestmark = pytest.mark.anyio


async def test_rows_that_arrive_during_a_commit_share_the_next_one_in_order(log: PredictionLog, store: FakeStore) -> None:
    first = await first_group_in_writing(log, store)
    records = [record() for _ in range(7)]
    waiting = [asyncio.create_task(log.write([r])) for r in records]
    await let_tasks_run()
    assert not first.done()
    assert not any(task.done() for task in waiting)
    store.gate.set()
    await asyncio.gather(first, *waiting)
    assert store.groups == [1, 7]
    assert store.rows[1:] == records


async def test_a_group_is_bounded(log: PredictionLog, store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "GROUP_ROWS", 5)
    first = await first_group_in_writing(log, store)
    waiting = [asyncio.create_task(log.write([record() for _ in range(size)])) for size in (2, 3, 1, 4)]
    await let_tasks_run()
    store.gate.set()
    await asyncio.gather(first, *waiting)
    assert store.groups == [1, 5, 5]


async def test_a_batch_lets_single_requests_pass_and_is_answered_when_all_of_it_is_kept(
    log: PredictionLog, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "PIECE_ROWS", 10)
    first = await first_group_in_writing(log, store)
    batch = [record() for _ in range(25)]
    waiting = asyncio.create_task(log.write(batch))
    await let_tasks_run()
    single = asyncio.create_task(log.write([record("single")]))
    await let_tasks_run()
    store.gate.set()
    await asyncio.gather(first, single)
    await waiting
    assert [row.customer_id for row in store.rows].index("single") == 1
    assert store.groups == [1, 11, 10, 5]
    assert [row for row in store.rows[1:] if row.customer_id is None] == batch
