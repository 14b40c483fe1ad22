"""What a training's run is found by, and the gate's evidence with the version that it is about."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from churn.lifecycle.gate import GateDecision
from churn.registry.aliases import TRAINING_TAG
from pipelines.flows.training_record import gate_evidence, git_commit, run_tags
from tests.unit.service.fakes import make_model

INFO = make_model("7").info


def test_tags_are_texts_and_name_the_training_and_the_data() -> None:
    tags = run_tags(INFO.model_copy(update={"simulated": True, "git_commit": "abc"}), "training-1")
    assert tags[TRAINING_TAG] == "training-1"
    assert tags["data_digest"] == INFO.data_digest
    assert (tags["simulated"], tags["mlflow.source.git.commit"]) == ("true", "abc")
    assert all(isinstance(text, str) for text in tags.values())


def test_the_gate_s_evidence_names_the_version_and_keeps_all_that_the_gate_knew() -> None:
    evidence = gate_evidence(INFO, GateDecision(promote=False, reason="no", evidence={"rows": 5}))
    assert (evidence["rows"], evidence["version"]) == (5, "7")


@pytest.mark.parametrize(
    "fault",
    [FileNotFoundError("git"), subprocess.CalledProcessError(128, "git"), subprocess.TimeoutExpired("git", 10)],
    ids=["no git", "no checkout", "a drive that stands still"],
)
def test_without_a_commit_to_be_had_there_is_none(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    def run(*_arguments: Any, **_options: Any) -> Any:
        raise fault

    monkeypatch.setattr(subprocess, "run", run)
    assert git_commit() == ""
