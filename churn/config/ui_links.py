"""Where other programs' pages open: each at what a person looks for, rather than at its home."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

# Evidently shows a project under its id. Ours has the same one everywhere, so that links to it can be made without asking.
EVIDENTLY_PROJECT = uuid5(NAMESPACE_URL, "churn monitor")


def mlflow_models(server: str, model_name: str, version: str = "") -> str:
    """Return the page of a registered model, or of one version, in MLflow's view of model training.

    MLflow opens its view of generative AI, which lists no models, unless the address says otherwise.

    Parameters
    ----------
    server : str
        Address of the MLflow server.
    model_name : str
    version : str
        Empty: the page of all its versions.

    Returns
    -------
    str

    Examples
    --------
    >>> mlflow_models("http://127.0.0.1:5000/", "churn", "3")
    'http://127.0.0.1:5000/#/models/churn/versions/3?workflowType=machine_learning'
    """
    of_version = f"/versions/{quote(version, safe='')}" if version else ""
    return f"{server.rstrip('/')}/#/models/{quote(model_name, safe='')}{of_version}?workflowType=machine_learning"


def prefect_deployments(server: str) -> str:
    """Return the page of Prefect's deployments: the flows with their schedules and newest runs."""
    return f"{server.rstrip('/')}/deployments"


def evidently_project(server: str, workspace: Path) -> str:
    """Return the page of the monitor's project; that of all projects, before the first monitoring run has made it.

    Parameters
    ----------
    server : str
        Address of the Evidently UI.
    workspace : Path
        Its folder.

    Returns
    -------
    str
    """
    made = (workspace / str(EVIDENTLY_PROJECT)).exists()
    return f"{server.rstrip('/')}/projects/{EVIDENTLY_PROJECT}" if made else f"{server.rstrip('/')}/"
