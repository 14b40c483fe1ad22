from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from churn.contract import load_contract
from service.observability.metrics import ServiceMetrics
from service.prediction_log import replayer
from service.prediction_log.log import PredictionLog
from service.prediction_log.spool import Spool
from tests.unit.service.fakes import FakeStore


@pytest.fixture
def metrics() -> ServiceMetrics:
    return ServiceMetrics(load_contract())


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", 2**20)


@pytest.fixture
async def log(
    store: FakeStore, metrics: ServiceMetrics, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PredictionLog]:
    monkeypatch.setattr(replayer, "REPLAY_SECONDS", 0.002)
    log = PredictionLog(store, spool, metrics)
    log.start()
    yield log
    store.gate.set()
    await log.close()


@pytest.fixture
async def hasty(
    store: FakeStore, metrics: ServiceMetrics, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PredictionLog]:
    """A log that gives up on a store at once."""
    monkeypatch.setattr(replayer, "REPLAY_SECONDS", 0.002)
    log = PredictionLog(store, spool, metrics, hang_seconds=0.004)
    log.start()
    yield log
    store.gate.set()
    await log.close()
