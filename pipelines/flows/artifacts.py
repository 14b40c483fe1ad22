"""What a flow found, as artifacts of its run in Prefect: tables that people read there, and links to the pages with the rest.

The store has the record. These are for whoever looks at Prefect: a server that is away costs them, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect import get_run_logger
from prefect.artifacts import create_link_artifact, create_table_artifact
from prefect.runtime import flow_run
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from churn.config.settings import Settings
from churn.config.ui_links import evidently_project, mlflow_models
from churn.config.urls import shown
from churn.lifecycle.gate import GateDecision
from monitoring.run_result import RunResult
from pipelines.flows.prefect_api import MAX_RETRIES, PREFECT_API_ERRORS


def publish_gate(settings: Settings, version: str, decision: GateDecision, promoted: bool) -> None:
    """Publish the gate's checks as a table, and a link to the version in MLflow.

    Parameters
    ----------
    settings : Settings
    version : str
        The challenger's.
    decision : GateDecision
    promoted : bool
        Whether it is champion now.
    """
    checks = [
        {
            "check": name,
            "passed": "yes" if check["passed"] else "NO",
            "value": check["value"],
            "limit": check["limit"],
            "what was found": check["sentence"],
        }
        for name, check in decision.evidence.get("checks", {}).items()
    ]
    said = f"Version {version} {'is champion' if promoted else 'is not promoted'}: {decision.reason}"
    page = mlflow_models(_mlflow(settings), settings.model_name, version)
    _publish(
        lambda: create_table_artifact(checks, key="gate", description=said),
        lambda: create_link_artifact(page, f"version {version} in MLflow", key="model-version", description=said),
    )


def publish_monitoring_run(settings: Settings, result: RunResult) -> None:
    """Publish what a monitoring run found as a table, and a link to the monitor's project in Evidently.

    Parameters
    ----------
    settings : Settings
    result : RunResult
    """
    findings: list[dict[str, Any]] = [
        {"what": "decision", "found": str(result.policy.action), "detail": result.policy.reason},
        {"what": "predictions judged", "found": result.rows, "detail": f"of version {result.model_version}"},
        {"what": "outcomes judged", "found": result.labelled_rows, "detail": ", ".join(result.violated) or "none contradicts it"},
        *(
            {
                "what": f"drift of {one.feature}" + (f" with {one.other}" if one.other else ""),
                "found": f"{one.aspect}: {one.measure} {_number(one.reference)} → {_number(one.current)}",
                "detail": f"p = {one.p_value:.2g}" + ("" if one.impact is None else f", {one.impact:+.3f} in mean log-odds"),
            }
            for one in result.news
        ),
    ]
    server = settings.evidently_url or f"http://127.0.0.1:{settings.evidently_port}"
    page = evidently_project(shown(server), settings.home / "evidently")
    said = f"{result.policy.action}: {result.policy.reason}"
    _publish(
        lambda: create_table_artifact(findings, key="monitoring-run", description=said),
        lambda: create_link_artifact(page, "the monitor in Evidently", key="evidently", description=said),
    )


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _mlflow(settings: Settings) -> str:
    if settings.tracking_uri.startswith("sqlite:"):
        return f"http://127.0.0.1:{settings.mlflow_port}"
    return shown(settings.tracking_uri)


def _publish(*artifacts: Callable[[], object]) -> None:
    """Make artifacts of the run that is under way; nothing outside of one, and no more once Prefect's server does not answer."""
    if flow_run.id is None:
        return
    try:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: MAX_RETRIES}):
            for make in artifacts:
                make()
    except PREFECT_API_ERRORS as error:
        get_run_logger().warning("Prefect shows no artifacts of this run: %s", error)
