"""Failure modes of the pipelines, the short form: the scenarios of `python -m benchmarks.chaos`, with a few faults of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.chaos.pipelines.event_receiver import EventReceiver, event_receiver
from benchmarks.chaos.pipelines.fixture import Fixture, make_fixture
from benchmarks.chaos.pipelines.forks import Forks
from benchmarks.chaos.pipelines.monitor import SENSITIVE, kill_monitoring_runs, monitor_killed
from benchmarks.chaos.pipelines.training import kill_trainings, training_killed
from benchmarks.chaos.scenarios import Size
from churn.store.records import DecisionKind
from tests.integration.postgres import postgres_server

pytestmark = [pytest.mark.filterwarnings("default")]


@dataclass(frozen=True)
class Company:
    fixture: Fixture
    forks: Forks
    receiver: EventReceiver


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """With its store in PostgreSQL; the registry is a SQLite file. One process imports everything, for both tests."""
    with postgres_server() as server, server.database() as url, event_receiver() as receiver:
        fixture = make_fixture(tmp_path_factory.mktemp("failure-modes") / "home", store_url=url, **SENSITIVE)
        with Forks(fixture.environment | receiver.environment) as forks:
            yield Company(fixture, forks, receiver)


def test_a_training_that_is_killed_leaves_no_half_champion_and_the_next_one_clears_up(company: Company) -> None:
    steps = ["register", "previous", "alias"]
    row = kill_trainings(company.fixture, company.forks, steps)
    assert row.broken == []
    assert (row.faults, row.made, row.failed, row.lost, row.duplicated) == (len(steps), len(steps) + 1, 0, 0, 0)
    said = " ".join(decision.reason for decision in company.fixture.decisions(DecisionKind.RETRAIN))
    for words in ("was killed", "the gate's decision was not recorded", "the gate decided: passed", "had become champion"):
        assert words in said


def test_a_monitoring_run_that_is_killed_is_repeated_and_what_it_asked_for_is_heard(company: Company) -> None:
    steps = ["half written", "committed"]
    row = kill_monitoring_runs(company.fixture, company.forks, company.receiver, steps)
    assert row.broken == []
    assert (row.faults, row.failed, row.lost, row.duplicated) == (len(steps), 0, 0, 0)


@pytest.mark.long
def test_a_training_may_be_killed_at_any_of_its_steps(tmp_path: Path) -> None:
    row = training_killed(Size(tmp_path))
    assert row.broken == []
    assert (row.failed, row.lost, row.duplicated) == (0, 0, 0)


@pytest.mark.long
def test_a_monitoring_run_may_be_killed_at_any_of_its_steps(tmp_path: Path) -> None:
    row = monitor_killed(Size(tmp_path))
    assert row.broken == []
    assert (row.failed, row.lost, row.duplicated) == (0, 0, 0)
