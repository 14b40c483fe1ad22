from __future__ import annotations

from types import SimpleNamespace

import httpx

from pipelines.flows import deployments
from pipelines.flows.deployments import note_crash


def test_the_flows_wait_for_the_server_and_say_so_once(monkeypatch, tmp_path):
    monkeypatch.setenv("CHURN_HOME", str(tmp_path))
    said, tries = [], []

    def serve(settings):
        tries.append(settings)
        if len(tries) < 4:
            raise httpx.ConnectError("refused")

    monkeypatch.setattr(deployments, "serve_once", serve)
    monkeypatch.setattr(deployments, "prepare_environment", lambda _settings: None)
    monkeypatch.setattr(deployments, "warn", said.append)
    monkeypatch.setattr(deployments, "WAIT_SECONDS", 0.0)
    deployments.main()
    assert len(tries) == 4
    assert said == ["Prefect's server does not answer; the flows wait for it"]


def test_the_end_of_a_killed_training_is_written_down_and_a_monitoring_run_is_not(monkeypatch):
    told = []
    monkeypatch.setattr(deployments, "record_failure", lambda _flow, run, _state: told.append(run.id))
    note_crash(SimpleNamespace(id="train", parameters={"trigger": "drift", "asked_by": "d"}))
    note_crash(SimpleNamespace(id="run", parameters={}))
    assert told == ["train"]
