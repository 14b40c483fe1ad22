"""Set what the libraries read from the environment before they are imported. What the user has set wins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from churn.errors import InputError
from service.server.healthcheck import is_alive

if TYPE_CHECKING:
    from churn.config.settings import Settings


def prepare_environment(settings: Settings) -> None:
    """Set the environment for this process and its children, where the user has not set it.

    Raises
    ------
    InputError
        If CHURN_HOME cannot be written to.
    """
    home = settings.home
    _keep_to_this_account(home)
    defaults = {
        # Nothing phones home unless the user asks for it.
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DVC_NO_ANALYTICS": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "GIT_PYTHON_REFRESH": "quiet",
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_RUNNER_POLL_FREQUENCY": "2",
        # Of each attempt; Prefect makes six. The default is a minute.
        "PREFECT_API_REQUEST_TIMEOUT": "15",
        # By default pages of any site may use Prefect's API, which asks for no key.
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": ",".join(
            f"http://{name}:{settings.prefect_port}" for name in ("127.0.0.1", "localhost")
        ),
        "CHURN_HOME": str(home),
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    # Prefect makes its database here, but not the folder.
    _make_folder(Path(os.environ["PREFECT_HOME"]))


def _keep_to_this_account(home: Path) -> None:
    """Keep what is written from here on from other accounts of this machine, if the folder is made here."""
    os.umask(os.umask(0o077) | 0o007)
    _make_folder(home)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{error.filename} cannot be made ({error.strerror}): set CHURN_HOME to a folder of your own") from error


def use_local_prefect(settings: Settings) -> None:
    """Send flow runs to the Prefect server of `churn up`, if one answers; else Prefect starts its own for the run."""
    api = prefect_api(settings)
    if "PREFECT_API_URL" not in os.environ and is_alive(f"{api}/health"):
        os.environ["PREFECT_API_URL"] = api


def quiet_prefect() -> None:
    """Keep Prefect's own log off this terminal, before it is imported: the command prints errors itself, in one line."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    # Else each event that a lost server does not take is an error of several lines.
    os.environ.setdefault("PREFECT_LOGGING_INTERNAL_LEVEL", "CRITICAL")


def prefect_api(settings: Settings) -> str:
    """Return the address of the Prefect server that `churn up` starts."""
    return f"http://127.0.0.1:{settings.prefect_port}/api"
