"""Failure modes of the pipelines, the short form: the scenarios of `python -m benchmarks.chaos`, with a few faults of each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.chaos.pipelines.fixture import Fixture, make_fixture
from benchmarks.chaos.pipelines.monitor import SENSITIVE, kill_monitoring_runs
from benchmarks.chaos.pipelines.training import kill_trainings
from churn.store.records import DecisionKind
from tests.integration.postgres import postgres_server

pytestmark = [pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def chaos_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fixture]:
    """With its store in PostgreSQL; the registry is a SQLite file."""
    with postgres_server() as server, server.database() as url:
        yield make_fixture(tmp_path_factory.mktemp("failure-modes") / "home", store_url=url, **SENSITIVE)


def test_a_training_that_is_killed_leaves_no_half_champion_and_the_next_one_clears_up(chaos_fixture: Fixture) -> None:
    steps = ["register", "previous", "alias"]
    row = kill_trainings(chaos_fixture, steps)
    assert row.broken == []
    assert (row.faults, row.made, row.failed, row.lost, row.duplicated) == (len(steps), len(steps) + 1, 0, 0, 0)
    said = " ".join(decision.reason for decision in chaos_fixture.decisions(DecisionKind.RETRAIN))
    for words in ("was killed", "the gate's decision was not recorded", "the gate decided: passed", "had become champion"):
        assert words in said


def test_a_monitoring_run_that_is_killed_is_repeated_and_what_it_asked_for_is_heard(chaos_fixture: Fixture) -> None:
    steps = ["half written", "committed"]
    row = kill_monitoring_runs(chaos_fixture, steps)
    assert row.broken == []
    assert (row.faults, row.failed, row.lost, row.duplicated) == (len(steps), 0, 0, 0)
