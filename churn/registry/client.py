"""Client of MLflow, made on first use: importing MLflow takes seconds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from churn import DISTRIBUTION
from churn.config.settings import Settings
from churn.config.urls import shown
from churn.errors import MACHINE_REFUSALS, InputError, NoModel, RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

# An MLflow server that is away is found out in seconds, not in the default's minutes. MLflow takes these from nowhere else.
HTTP_LIMITS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
# How MLflow repeats what this machine refused while files were downloaded. (What a server was refused has words before it.)
_REFUSED_HERE = re.compile(r"^\[Errno (\d+)\] ([^:\n]+)", re.MULTILINE)


class Client:
    """One registry and one model's name; what MLflow raises becomes RegistryError."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.name = settings.model_name
        self.uri = settings.tracking_uri
        self._mlflow: MlflowClient | None = None

    @property
    def is_local(self) -> bool:
        """Whether the registry is a SQLite file, whose artifacts lie beside it."""
        return self.uri.startswith("sqlite:")

    @property
    def mlflow(self) -> MlflowClient:
        """MLflow's own client. Raises RegistryError if MLflow cannot be set up."""
        if self._mlflow is None:
            for name, value in HTTP_LIMITS.items():
                os.environ.setdefault(name, value)
            with self.translated():
                import mlflow
                from mlflow import MlflowClient

                # Some of MLflow's functions take no address: they read this setting of the process.
                mlflow.set_tracking_uri(self.uri)
                mlflow.set_registry_uri(self.uri)
                if self.is_local:
                    self.settings.home.mkdir(parents=True, exist_ok=True)
                self._mlflow = MlflowClient(self.uri, self.uri)
        return self._mlflow

    @contextmanager
    def translated(self, missing: str = "") -> Iterator[None]:
        """Turn errors of MLflow, the network and the database below it into RegistryError; into NoModel with `missing`.

        What this machine refuses (its disk is full) is not the registry's fault: that stays an OSError.
        """
        from mlflow.exceptions import MlflowException
        from requests.exceptions import RequestException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except MlflowException as error:
            if missing and error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise NoModel(missing) from error
            if (refused := _REFUSED_HERE.search(str(error))) and int(refused[1]) in MACHINE_REFUSALS:
                raise OSError(int(refused[1]), refused[2]) from error
            raise self._registry_error(error) from error
        except (RequestException, SQLAlchemyError, OSError) as error:
            if isinstance(error, OSError) and error.errno in MACHINE_REFUSALS:
                raise
            raise self._registry_error(error) from error
        except ImportError as error:
            raise InputError(
                f"CHURN_TRACKING_URI needs full MLflow: pip install '{DISTRIBUTION}[pipelines]' ({error})"
            ) from error

    def _registry_error(self, error: Exception) -> RegistryError:
        # The address may hold a password.
        first = [*str(error).strip().splitlines(), type(error).__name__][0]
        return RegistryError(f"the registry at {shown(self.uri)} did not answer: {first.replace(self.uri, shown(self.uri))}")
