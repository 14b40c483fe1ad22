"""Choose how to ask a registry for its aliases."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import make_url

from churn.config.settings import Settings
from churn.registry.aliases import AliasReader
from churn.registry.http_aliases import HttpAliases
from churn.registry.sqlite_aliases import SqliteAliases

# Each makes MLflow's client do something that the readers here do not.
MLFLOW_ONLY = ("MLFLOW_TRACKING_AUTH", "MLFLOW_WORKSPACE", "MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_CLIENT_CERT_PATH")


def alias_reader(settings: Settings) -> AliasReader:
    """Return the cheapest reader that can ask the registry of the settings; MLflow's library only if nothing else can."""
    uri = settings.tracking_uri
    if not any(os.environ.get(name) for name in MLFLOW_ONLY):
        if uri.startswith(("http://", "https://")):
            return HttpAliases(uri, settings.model_name)
        if uri.startswith("sqlite:///") and make_url(uri).database:
            return SqliteAliases(Path(str(make_url(uri).database)), settings.model_name)
    from churn.registry.registry import Registry

    return Registry(settings)
