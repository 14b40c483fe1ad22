"""Promise 1 on failure modes of the store: predictions go on, and each one that was answered is in the store, once.

The scenarios are those of `python -m benchmarks.chaos`, with few requests; see docs/failure-modes.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.scenarios import Row, Size
from benchmarks.chaos.store import away, damaged, full
from tools.postgres import NotHere


@pytest.fixture(scope="module")
def chaos_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[away.Fixture]:
    """One service and one server for all that happens to the server: each fault is over before the next."""
    try:
        with away.fixture(Size(tmp_path_factory.mktemp("fixture"))) as where:
            yield where
    except NotHere as missing:
        pytest.skip(str(missing))


def survived(scenario: Callable[[Size], Row], work: Path) -> Row:
    try:
        row = scenario(Size(work))
    except NotHere as missing:
        pytest.skip(str(missing))
    assert row.broken == []
    assert row.faults > 0
    return row


@pytest.mark.parametrize("name", away.FAULTS)
def test_postgresql_fails_and_no_prediction_does(name: str, chaos_fixture: away.Fixture, tmp_path: Path) -> None:
    row = away.endure(name, chaos_fixture, Size(tmp_path))
    assert row.broken == []
    assert (row.faults > 0, row.failed, row.lost, row.duplicated) == (True, 0, 0, 0)


def test_a_full_disk_of_postgresql_sends_predictions_to_the_spool(tmp_path: Path) -> None:
    assert survived(full.postgres_disk_full, tmp_path).failed == 0


def test_a_full_disk_with_store_and_spool_on_it_is_told_and_overcome_without_a_restart(tmp_path: Path) -> None:
    assert survived(full.home_disk_full, tmp_path).failed > 0


def test_a_damaged_spool_gives_the_store_what_is_whole(tmp_path: Path) -> None:
    survived(damaged.spool_damaged, tmp_path)
