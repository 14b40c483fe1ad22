"""Choose how to ask a registry for its versions and aliases."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import make_url

from churn.config.settings import Settings
from churn.registry.aliases import RegistryReader
from churn.registry.http_reader import HttpReader
from churn.registry.sqlite_reader import SqliteReader

# Each makes MLflow's client do something that the readers here do not.
MLFLOW_ONLY = ("MLFLOW_TRACKING_AUTH", "MLFLOW_WORKSPACE", "MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_CLIENT_CERT_PATH")


def registry_reader(settings: Settings) -> RegistryReader:
    """Return the cheapest reader that can ask the registry of the settings; MLflow's library only if nothing else can."""
    uri = settings.tracking_uri
    if not any(os.environ.get(name) for name in MLFLOW_ONLY):
        if uri.startswith(("http://", "https://")):
            return HttpReader(uri, settings.model_name)
        if uri.startswith("sqlite:///") and make_url(uri).database:
            return SqliteReader(Path(str(make_url(uri).database)), settings.model_name)
    from churn.registry.registry import Registry

    return Registry(settings)
