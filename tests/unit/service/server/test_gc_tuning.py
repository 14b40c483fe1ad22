from __future__ import annotations

import gc
from pathlib import Path

import pytest
import uvicorn
from uvicorn.lifespan.on import LifespanOn

from service.rollout.rollout import Rollout
from service.server import gc_tuning, run
from tests.unit.service.fakes import make_settings


@pytest.mark.anyio
async def test_a_worker_freezes_startup_objects_when_it_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(run, "freeze_startup_objects", lambda: called.append("freeze_startup_objects"))
    monkeypatch.setattr(run, "_drain_on_sigterm", lambda state: called.append("drain"))
    monkeypatch.setattr(Rollout, "start", nothing)
    app = run.served_app(make_settings(tmp_path, tracking_uri="http://127.0.0.1:9"))
    assert called == []
    config = uvicorn.Config(app, log_config=None)
    config.load()
    lifespan = LifespanOn(config)
    await lifespan.startup()
    assert called == ["freeze_startup_objects", "drain"]
    await lifespan.shutdown()


async def nothing(_: object) -> None:
    return None


def test_existing_objects_are_frozen_and_new_ones_collected_less_often() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    existing = [[number] for number in range(1_000)]
    gc.set_threshold(700, 10, 10)
    try:
        gc_tuning.freeze_startup_objects()
        assert gc.get_freeze_count() >= frozen + len(existing)
        assert gc.get_threshold()[0] > 700
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
