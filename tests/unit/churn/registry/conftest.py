"""A real MLflow on a SQLite file: its tables are copied from a template, which takes milliseconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn.config.settings import Settings
from churn.registry.client import Client


@pytest.fixture
def settings(mlflow_environment: None, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def client(settings: Settings) -> Client:
    """Nothing is registered yet."""
    return Client(settings)


@pytest.fixture
def registered(client: Client) -> Client:
    """Versions 1 to 3, of runs r1 to r3, without artifacts."""
    client.mlflow.create_registered_model(client.name)
    for number in (1, 2, 3):
        tags = {"training": f"t{number}", "artifact_digest": f"d{number}"}
        client.mlflow.create_model_version(client.name, f"{client.settings.home}/a/{number}", f"r{number}", tags=tags)
    return client
