"""TODO churn/registry/connect.py"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from churn.config.settings import Settings

if TYPE_CHECKING:
    pass
from churn.registry.aliases import AliasReader, HttpAliases, SqliteAliases

# Each makes MLflow's client do something that is not done here.
OTHER_WAYS = ("MLFLOW_TRACKING_AUTH", "MLFLOW_WORKSPACE", "MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_CLIENT_CERT_PATH")


def alias_reader(settings: Settings) -> AliasReader:
    """Choose the cheapest way to ask the registry of the settings."""
    uri = settings.tracking_uri
    if not any(os.environ.get(name) for name in OTHER_WAYS):
        if uri.startswith(("http://", "https://")):
            return HttpAliases(uri, settings.model_name)
        if uri.startswith("sqlite:///") and make_url(uri).database:
            return SqliteAliases(Path(str(make_url(uri).database)), settings.model_name)
    from churn.registry.registry import Registry

    return Registry(settings)
