"""Two trainings at once, and artifacts that are not what was registered; see `python -m benchmarks.chaos`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.pipelines.artifacts import DAMAGES, artifacts_spoiled, spoil_artifacts
from benchmarks.chaos.pipelines.fixture import Fixture, make_fixture
from benchmarks.chaos.pipelines.forks import Forks
from benchmarks.chaos.pipelines.twice import train_together
from benchmarks.chaos.scenarios import Size
from churn.store.records import DecisionAction, DecisionKind

pytestmark = [pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def chaos_fixture(tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    return make_fixture(tmp_path_factory.mktemp("failure-modes") / "home")


@pytest.fixture(scope="module")
def forks(chaos_fixture: Fixture) -> Iterator[Forks]:
    """One process that imports everything, for all tests."""
    with Forks(chaos_fixture.environment) as forks:
        yield forks


def test_of_two_trainings_at_once_one_acts(chaos_fixture: Fixture, forks: Forks) -> None:
    with Forks(chaos_fixture.environment) as other:
        row = train_together(chaos_fixture, forks, other, 1)
    assert row.broken == []
    assert (row.faults, row.failed, row.lost, row.duplicated) == (1, 0, 0, 0)
    skipped = [d for d in chaos_fixture.decisions(DecisionKind.TRAINING) if d.action == DecisionAction.SKIPPED]
    assert all("training is under way" in decision.reason for decision in skipped)


def test_a_registry_that_is_away_is_found_out_before_anything_is_trained_and_the_next_training_works(
    forks: Forks,
) -> None:
    away = {"CHURN_TRACKING_URI": "http://127.0.0.1:1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    failed = forks.run("train", "load", environment=away)
    assert not failed["killed"], "it came as far as reading the customers"
    assert failed["error"].startswith("RegistryError: the registry at http://127.0.0.1:1 did not answer")
    assert "\n" not in failed["error"]
    assert forks.run("train")["result"]["cleared"] == []


def test_an_artifact_that_was_spoiled_never_serves(chaos_fixture: Fixture, forks: Forks) -> None:
    # The other kinds: tests/security/test_model_artifacts.py, and the long form.
    row = spoil_artifacts(chaos_fixture, forks, damages=["a pickle", "another model's"])
    assert row.broken == []
    assert row.faults == 2 * 2 - 1 + 4


@pytest.mark.long
def test_no_kind_of_spoiled_artifact_serves(tmp_path: Path) -> None:
    row = artifacts_spoiled(Size(tmp_path))
    assert row.broken == []
    assert row.faults == 2 * len(DAMAGES) - 1 + 4
