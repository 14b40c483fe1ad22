"""Promise 5 with several replicas: whatever happens in whatever order, they agree in the end (`replica_machine` says what)."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from churn.store.store import Store
from tests.integration.replica_scenarios import ReplicasWithScenarios as Replicas

# What must have happened, per run, on average: without it the invariants hold because nothing is done.
LEAST = {"promotions": 2.5, "rollbacks": 0.7, "verdicts in force": 0.25, "rollbacks by people": 0.3, "follow-ups": 4.0}


def run(tmp_path: Path, examples: int, steps: int) -> None:
    Replicas.template = tmp_path / "template.db"
    Store.open(f"sqlite:///{Replicas.template}").close()
    Replicas.runs = 0
    Replicas.happened = Counter()
    run_state_machine_as_test(
        Replicas,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            # The same runs each time, so that a change's test fails by the change. CHURN_TEST_DRAWN=1 draws others.
            derandomize="CHURN_TEST_DRAWN" not in os.environ,
            suppress_health_check=list(HealthCheck),
            database=None,
            # Not `explain`: it traces every line, and takes minutes.
            phases=(Phase.generate, Phase.shrink),
        ),
    )
    assert Replicas.runs >= examples
    per_run = {kind: Replicas.happened[kind] / Replicas.runs for kind in LEAST}
    assert all(per_run[kind] >= least for kind, least in LEAST.items()), f"too little happened to mean anything: {per_run}"


def test_replicas_agree_with_the_registry_and_nobody_goes_back_unasked(tmp_path: Path) -> None:
    run(tmp_path, examples=40, steps=30)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_replicas_agree_in_many_more_runs(tmp_path: Path) -> None:
    run(tmp_path, examples=100, steps=60)
