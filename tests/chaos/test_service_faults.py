"""Failure modes of the service itself: killed, and in doubt about the time. Replicas: tests/e2e/test_compose.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.chaos.scenarios import Row, Size
from benchmarks.chaos.service import clock, killed, soak
from tools.postgres import NotHere


@pytest.mark.parametrize(
    "scenario",
    [
        killed.killed_on_postgres,
        killed.worker_killed,
        pytest.param(clock.clock_set_back, marks=pytest.mark.long),
    ],
)
def test_what_was_answered_is_kept_and_the_others_are_served(scenario: Callable[[Size], Row], tmp_path: Path) -> None:
    try:
        row = scenario(Size(tmp_path))
    except NotHere as missing:
        pytest.skip(str(missing))
    assert row.broken == []
    assert row.faults > 0
    assert (row.lost, row.duplicated) == (0, 0)


def sample(at: float, rss_mb: float) -> soak.Sample:
    return soak.Sample(at, rss_mb, 47, 10, 5.0, 20.0, 500.0)


@pytest.mark.parametrize(("mb_an_hour", "grows"), [(0.0, False), (60.0, True)])
def test_the_soak_tells_a_leak_from_noise(mb_an_hour: float, grows: bool) -> None:
    row = Row("soak")
    samples = [sample(10.0 * n, 120 + mb_an_hour * n / 360 + (30 if n % 17 == 0 else n % 3)) for n in range(180)]
    soak.judge(row, samples)
    assert bool(row.broken) is grows
