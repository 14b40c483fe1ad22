"""Links to this service's own documents and to the other UIs."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from churn.config.settings import Settings
from churn.config.ui_links import evidently_project, mlflow_models, prefect_deployments
from churn.config.urls import parse_links
from service.http.loopback import is_loopback

OWN = {"API documentation": "docs", "OpenAPI document": "openapi.json", "Metrics": "metrics", "Health": "readyz"}


def other_links(settings: Settings) -> Mapping[str, str]:
    """Return the other UIs, name to URL: those of the settings or, on loopback, those that `churn up` starts."""
    if settings.page_links:
        return parse_links(settings.page_links)
    if not is_loopback(settings.host):
        return {}  # its visitors are on other machines, and so may the other UIs be
    local = "http://127.0.0.1"
    return {
        "MLflow": mlflow_models(f"{local}:{settings.mlflow_port}", settings.model_name),
        "Prefect": prefect_deployments(f"{local}:{settings.prefect_port}"),
        "Evidently": evidently_project(f"{local}:{settings.evidently_port}", settings.home / "evidently"),
    }


def render_links(settings: Settings) -> str:
    """Render the links as list items."""
    links = {**OWN, **other_links(settings)}
    return "".join(f'<li><a href="{escape(address)}" rel=noreferrer>{escape(name)}</a></li>' for name, address in links.items())
