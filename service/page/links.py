"""Links to what else there is: this service's own documents, and the other UIs."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from ipaddress import ip_address

from churn.config.settings import Settings, parse_links

OWN = {"API documentation": "docs", "OpenAPI document": "openapi.json", "Metrics": "metrics", "Health": "readyz"}


def other_links(settings: Settings) -> Mapping[str, str]:
    """Name the other UIs: those of the settings or, for a service on loopback, what `churn up` starts beside it."""
    if settings.page_links:
        return parse_links(settings.page_links)
    if not _is_loopback(settings.host):
        return {}  # its visitors are elsewhere, and so may be all the rest
    ports = {"MLflow": settings.mlflow_port, "Prefect": settings.prefect_port, "Evidently": settings.evidently_port}
    return {name: f"http://127.0.0.1:{port}/" for name, port in ports.items()}


def render_links(settings: Settings) -> str:
    """Render them as items of a list."""
    links = {**OWN, **other_links(settings)}
    return "".join(f'<li><a href="{escape(address)}" rel=noreferrer>{escape(name)}</a></li>' for name, address in links.items())


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
