"""Links lead to what a person looks for, whatever the names are and however the server's address ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn.config.ui_links import EVIDENTLY_PROJECT, evidently_project, mlflow_models, prefect_deployments


@pytest.mark.parametrize("server", ["http://mlflow", "http://mlflow/"])
def test_mlflow_shows_the_model_or_one_version(server: str) -> None:
    assert mlflow_models(server, "a/b") == "http://mlflow/#/models/a%2Fb?workflowType=machine_learning"
    assert mlflow_models(server, "churn", "1/2") == "http://mlflow/#/models/churn/versions/1%2F2?workflowType=machine_learning"


def test_prefect_shows_its_deployments() -> None:
    assert prefect_deployments("http://prefect/") == "http://prefect/deployments"


def test_evidently_shows_the_project_once_there_is_one(tmp_path: Path) -> None:
    assert str(EVIDENTLY_PROJECT) == "d563f7a3-960c-53be-b9a3-05030d7d3c8b"
    assert evidently_project("http://evidently/", tmp_path) == "http://evidently/"
    (tmp_path / str(EVIDENTLY_PROJECT)).mkdir()
    assert evidently_project("http://evidently/", tmp_path) == f"http://evidently/projects/{EVIDENTLY_PROJECT}"
