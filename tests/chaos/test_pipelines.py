"""Failure modes of the pipelines: scenarios of `python -m benchmarks.chaos`, a few faults of each; the long form has the others.

Flows that are killed, two trainings at once, and artifacts that are not what was registered.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.chaos.pipelines.artifacts import DAMAGES, ONLY_BY_DIGEST, spoil_artifacts
from benchmarks.chaos.pipelines.event_receiver import EventReceiver, event_receiver
from benchmarks.chaos.pipelines.fixture import Fixture, make_fixture
from benchmarks.chaos.pipelines.forks import MONITOR_STEPS, TRAIN_STEPS, Forks
from benchmarks.chaos.pipelines.monitor import SENSITIVE, kill_monitoring_runs
from benchmarks.chaos.pipelines.training import kill_trainings
from benchmarks.chaos.pipelines.twice import train_together
from churn.store.records import DecisionAction, DecisionKind
from tests.integration.postgres import postgres_server

pytestmark = [pytest.mark.filterwarnings("default")]

# What `make test` does each time; the long form does all that is left.
DAMAGED = ["a pickle", "another model's"]
TRAININGS_KILLED = ["register", "previous", "alias"]
MONITORING_RUNS_KILLED = ["half written", "committed"]


@pytest.fixture(scope="module")
def receiver() -> Iterator[EventReceiver]:
    with event_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    home = tmp_path_factory.mktemp("on-sqlite") / "home"
    return make_fixture(home, store_url=f"sqlite:///{home / 'store.db'}")


@pytest.fixture(scope="module")
def forks(on_sqlite: Fixture, receiver: EventReceiver) -> Iterator[Forks]:
    """One process imports everything, for all tests."""
    with Forks(on_sqlite.environment | receiver.environment) as forks:
        yield forks


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fixture]:
    """Its store is in PostgreSQL; its registry is a SQLite file."""
    with postgres_server() as server, server.database() as url:
        yield make_fixture(tmp_path_factory.mktemp("on-postgres") / "home", store_url=url, **SENSITIVE)


@pytest.fixture(scope="module")
def at_length(tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    """One home for all of the long form."""
    home = tmp_path_factory.mktemp("at-length") / "home"
    return make_fixture(home, store_url=f"sqlite:///{home / 'store.db'}", **SENSITIVE)


@pytest.fixture
def forks_at_length(at_length: Fixture, forks: Forks) -> Forks:
    return forks.elsewhere(at_length.environment)


@pytest.fixture
def forks_on_postgres(on_postgres: Fixture, forks: Forks) -> Forks:
    return forks.elsewhere(on_postgres.environment)


def test_of_two_trainings_at_once_one_acts(on_sqlite: Fixture, forks: Forks) -> None:
    row = train_together(on_sqlite, forks, 1)
    assert row.broken == []
    assert (row.faults, row.failed, row.lost, row.duplicated) == (1, 0, 0, 0)
    skipped = [d for d in on_sqlite.decisions(DecisionKind.TRAINING) if d.action == DecisionAction.SKIPPED]
    assert all("training is under way" in decision.reason for decision in skipped)


def test_a_registry_that_is_away_is_found_out_before_anything_is_trained_and_the_next_training_works(forks: Forks) -> None:
    away = {"CHURN_TRACKING_URI": "http://127.0.0.1:1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    failed = forks.run("train", "load", environment=away)
    assert not failed["killed"], "it came as far as reading the customers"
    assert failed["error"].startswith("RegistryError: the registry at http://127.0.0.1:1 did not answer")
    assert "\n" not in failed["error"]
    assert forks.run("train")["result"]["cleared"] == []


def test_an_artifact_that_was_spoiled_never_serves(on_sqlite: Fixture, forks: Forks) -> None:
    # The other kinds: tests/security/test_model_artifacts.py, and the long form.
    row = spoil_artifacts(on_sqlite, forks, damages=DAMAGED)
    assert row.broken == []
    assert row.faults == 2 * 2 - 1 + 4


def test_a_training_that_is_killed_leaves_no_half_champion_and_the_next_one_clears_up(
    on_postgres: Fixture, forks_on_postgres: Forks
) -> None:
    row = kill_trainings(on_postgres, forks_on_postgres, TRAININGS_KILLED)
    assert row.broken == []
    assert (row.faults, row.made, row.failed, row.lost, row.duplicated) == (3, 4, 0, 0, 0)
    said = " ".join(decision.reason for decision in on_postgres.decisions(DecisionKind.RETRAIN))
    for words in ("was killed", "the gate's decision was not recorded", "the gate decided: passed", "had become champion"):
        assert words in said


def test_a_monitoring_run_that_is_killed_is_repeated_and_what_it_asked_for_is_heard(
    on_postgres: Fixture, forks_on_postgres: Forks, receiver: EventReceiver
) -> None:
    row = kill_monitoring_runs(on_postgres, forks_on_postgres, receiver, MONITORING_RUNS_KILLED)
    assert row.broken == []
    assert (row.faults, row.failed, row.lost, row.duplicated) == (2, 0, 0, 0)


@pytest.mark.long
def test_no_kind_of_spoiled_artifact_serves(at_length: Fixture, forks_at_length: Forks) -> None:
    left = [name for name in DAMAGES if name not in DAMAGED]
    row = spoil_artifacts(at_length, forks_at_length, damages=left)
    assert row.broken == []
    assert not ONLY_BY_DIGEST & set(left)
    assert row.faults == 2 * len(left) + 4


@pytest.mark.long
def test_a_training_may_be_killed_at_any_of_its_steps(at_length: Fixture, forks_at_length: Forks) -> None:
    left = [step for step in TRAIN_STEPS if step not in TRAININGS_KILLED]
    row = kill_trainings(at_length, forks_at_length, left)
    assert row.broken == []
    assert (row.faults, row.failed, row.lost, row.duplicated) == (len(left), 0, 0, 0)


@pytest.mark.long
def test_a_monitoring_run_may_be_killed_at_any_of_its_steps(
    at_length: Fixture, forks_at_length: Forks, receiver: EventReceiver
) -> None:
    left = [step for step in MONITOR_STEPS if step not in MONITORING_RUNS_KILLED]
    receiver.events.clear()  # the short form's
    row = kill_monitoring_runs(at_length, forks_at_length, receiver, left)
    assert row.broken == []
    assert (row.faults, row.failed, row.lost, row.duplicated) == (len(left), 0, 0, 0)
