"""A real MLflow on a SQLite file: its tables are copied from a template, which takes milliseconds."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from churn.config.settings import Settings
from churn.registry.client import Client

# As `prepare_environment` sets it for the commands.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "GIT_PYTHON_REFRESH": "quiet",
}


@pytest.fixture(scope="module")
def mlflow_environment(migrated_registry: None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        with warnings.catch_warnings():
            # MLflow warns of its own type hints while it is imported. What it says later is an error as ever.
            warnings.filterwarnings("ignore", message=".*inferred as AnyType", category=UserWarning)
            import mlflow.pyfunc  # noqa: F401
        yield


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
