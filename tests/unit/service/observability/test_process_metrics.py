"""The workers' sums, on processes that are made up and on this one."""

from __future__ import annotations

import os
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from service.observability import process_metrics
from service.observability.process_metrics import ProcessCollector


def told(*pids: int) -> dict[str, float]:
    return {sample.name: sample.value for family in ProcessCollector(lambda: pids).collect() for sample in family.samples}


def process(pid: int) -> Any:
    if pid == 3:
        raise psutil.NoSuchProcess(pid)
    return SimpleNamespace(
        oneshot=nullcontext,
        cpu_times=lambda: SimpleNamespace(user=1.0 * pid, system=0.25),
        memory_info=lambda: SimpleNamespace(rss=1000 * pid),
        num_fds=lambda: 10 + pid,
    )


def test_the_sums_leave_out_who_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_metrics.psutil, "Process", process)
    assert told(1, 3, 2) == {
        "churn_workers": 2,
        "churn_process_cpu_seconds_total": 3.5,
        "churn_process_resident_memory_bytes": 3000,
        "churn_process_open_fds": 23,
    }
    assert set(told().values()) == {0}


def test_this_process_is_measured() -> None:
    found = told(os.getpid())
    assert found["churn_workers"] == 1
    assert found["churn_process_cpu_seconds_total"] > 0
    assert found["churn_process_resident_memory_bytes"] > 2**20
    assert found["churn_process_open_fds"] >= 3
