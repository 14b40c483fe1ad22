"""Two trainings at once, and artifacts that are not what was registered; see `python -m benchmarks.chaos`."""

from __future__ import annotations

import pytest

from benchmarks.chaos.pipelines_artifacts import spoil_artifacts
from benchmarks.chaos.pipelines_fixture import Fixture, make_fixture
from benchmarks.chaos.pipelines_forks import Forks
from benchmarks.chaos.pipelines_twice import train_together
from churn.store.records import DecisionAction, DecisionKind

pytestmark = [pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    return make_fixture(tmp_path_factory.mktemp("failure-modes") / "home")


def test_of_two_trainings_at_once_one_acts(world: Fixture) -> None:
    row = train_together(world, 1)
    assert row.broken == []
    assert (row.faults, row.failed, row.lost, row.duplicated) == (1, 0, 0, 0)
    skipped = [d for d in world.decisions(DecisionKind.TRAINING) if d.action == DecisionAction.SKIPPED]
    assert all("training is under way" in decision.reason for decision in skipped)


def test_a_registry_that_is_away_is_found_out_before_anything_is_trained_and_the_next_training_works(world: Fixture) -> None:
    away = {"CHURN_TRACKING_URI": "http://127.0.0.1:1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    with Forks(world.environment) as forks:
        failed = forks.run("train", "load", environment=away)
        assert not failed["killed"], "it came as far as reading the customers"
        assert failed["error"].startswith("RegistryError: the registry at http://127.0.0.1:1 did not answer")
        assert "\n" not in failed["error"]
        assert forks.run("train")["result"]["cleared"] == []


def test_an_artifact_that_was_spoiled_never_serves(world: Fixture) -> None:
    # The other kinds: tests/security/test_model_artifacts.py, and the long form.
    row = spoil_artifacts(world, damages=["bit flipped", "a pickle", "another model's"])
    assert row.broken == []
    assert row.faults == 2 * 3 - 1 + 4
