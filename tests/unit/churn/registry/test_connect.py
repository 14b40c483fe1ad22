"""The cheapest way to ask a registry is chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn.config.settings import Settings
from churn.registry.connect import MLFLOW_ONLY, registry_reader
from churn.registry.sqlite_reader import SqliteReader


@pytest.fixture(autouse=True)
def no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MLFLOW_ONLY:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("uri", "environment", "kind"),
    [
        ("http://mlflow:5000", {}, "HttpReader"),
        ("https://mlflow", {}, "HttpReader"),
        ("sqlite:////tmp/mlflow.db", {}, "SqliteReader"),
        ("postgresql://mlflow", {}, "Registry"),
        ("http://mlflow", {"MLFLOW_TRACKING_AUTH": "kubernetes"}, "Registry"),
        ("http://mlflow", {"MLFLOW_WORKSPACE": "team"}, "Registry"),
    ],
)
def test_the_cheapest_way_is_chosen(
    uri: str, environment: dict[str, str], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert type(registry_reader(Settings(home=tmp_path, tracking_uri=uri))).__name__ == kind


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_CLIENT_CERT_PATH"])
def test_what_only_mlflow_s_client_can_do_is_left_to_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "yes")
    settings = Settings(home=tmp_path, tracking_uri="http://mlflow")
    assert type(registry_reader(settings)).__name__ == "Registry"
    monkeypatch.setenv(name, "")
    assert type(registry_reader(settings)).__name__ == "HttpReader"


def test_a_reader_of_a_local_registry_asks_its_file_for_the_model_of_the_settings(tmp_path: Path) -> None:
    reader = registry_reader(Settings(home=tmp_path, tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", model_name="other"))
    assert isinstance(reader, SqliteReader)
    assert (reader._file, reader._name) == (tmp_path / "mlflow.db", "other")
