"""Flows of the failure modes are killed: a task left to Prefect's engine would start a server that nobody ends."""

from __future__ import annotations

import importlib

import pytest
from prefect import Task

from benchmarks.chaos.pipelines.forks import STEPS
from benchmarks.chaos.pipelines.without_engine import flow_without_engine


@pytest.mark.parametrize("pictures", [True, False])
@pytest.mark.parametrize("name", sorted(STEPS))
def test_no_task_is_left_to_prefects_engine(name: str, pictures: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"pipelines.flows.{name}")
    assert any(isinstance(value, Task) for value in vars(module).values())
    flow_without_engine(name, pictures=pictures, put=monkeypatch.setattr)
    assert [key for key, value in vars(module).items() if isinstance(value, Task)] == []
