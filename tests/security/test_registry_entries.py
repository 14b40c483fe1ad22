"""A real MLflow registry in which somebody else has written: what is fetched on its word, and what texts can do to it."""

from __future__ import annotations

import pytest

from churn.config.settings import Settings
from churn.errors import ModelRefused, NoModel
from churn.registry.artifact import CARD_FILE
from churn.registry.registry import Registry
from churn.registry.sqlite_reader import SqliteReader
from tests.security.test_injection import SQL


@pytest.fixture(scope="module")
def settings(migrated_registry: None, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = Settings(home=tmp_path_factory.mktemp("place") / "home")
    assert Registry(made).aliases() == {}
    return made


def test_versions_and_aliases_are_values_to_the_registry(settings: Settings) -> None:
    registry, reader = Registry(settings), SqliteReader(settings.home / "mlflow.db", "churn")
    for said in (*SQL, "²", "-1", "1e3", "champion@x", "../1", "a" * 5_000):
        with pytest.raises(NoModel):
            registry.version(said)
        with pytest.raises(NoModel):
            reader.registered(said)


def test_a_version_that_points_at_the_machines_own_files_fetches_and_removes_none(settings: Settings) -> None:
    from mlflow import MlflowClient

    secrets = settings.home.parent / "secrets"
    secrets.mkdir()
    (secrets / CARD_FILE).write_text("a private key")
    client = MlflowClient(settings.tracking_uri, settings.tracking_uri)
    client.create_registered_model("churn")
    registry = Registry(settings)
    for run_id in ("0" * 32, "/../../../../secrets"):
        version = client.create_model_version("churn", secrets.as_uri(), run_id=run_id).version
        with pytest.raises(ModelRefused, match="no MLmodel where the registry says"):
            registry.load(str(version))
    elsewhere = client.create_model_version("churn", "http://169.254.169.254/latest", run_id="0" * 32).version
    with pytest.raises(ModelRefused, match="where no model is fetched from"):
        registry.load(str(elsewhere))
    assert (secrets / CARD_FILE).read_text() == "a private key"
    assert not list(settings.home.rglob(CARD_FILE))
