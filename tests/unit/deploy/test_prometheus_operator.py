"""What the Prometheus operator is given: the same rules, the same jobs, the same dashboards as outside Kubernetes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from monitoring.dashboards.panels import BOARDS
from tests.checkout import CHECKOUT
from tests.unit.deploy.manifests import documents, named, tool
from tests.unit.deploy.operator_schema import SCHEMAS
from tools.kubernetes_rules import MANIFEST, RULES, render

PRODUCTION = "overlays/production"


def test_the_committed_rules_are_those_of_prometheus() -> None:
    assert (CHECKOUT / MANIFEST).read_text() == render(CHECKOUT), "run: python -m tools.kubernetes_rules"
    (rule,) = documents(PRODUCTION, "PrometheusRule")
    groups = [yaml.safe_load((CHECKOUT / RULES / name).read_text())["groups"] for name in ("recording.yml", "alerts.yml")]
    assert rule["spec"]["groups"] == [*groups[0], *groups[1]]


def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    (rule,) = documents(PRODUCTION, "PrometheusRule")
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump(rule["spec"]))
    words = [tool("promtool", "(Debian) apt-get install prometheus"), "check", "rules", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{sum(len(group['rules']) for group in rule['spec']['groups'])} rules found" in done.stdout


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_its_kinds_hold_to_its_schema(kind: str) -> None:
    found = documents(PRODUCTION, kind)
    assert found
    for document in found:
        jsonschema.validate(document, SCHEMAS[kind])


def test_there_is_no_kind_without_a_schema() -> None:
    from tests.unit.deploy.manifests import render as rendered

    kinds = {found["kind"] for found in rendered(PRODUCTION) if found and "coreos" in found["apiVersion"]}
    assert kinds == set(SCHEMAS)


def test_jobs_are_named_as_prometheus_names_them_without_kubernetes() -> None:
    config = yaml.safe_load((CHECKOUT / RULES / "prometheus.yml").read_text())
    known = {job["job_name"]: job.get("metrics_path", "/metrics") for job in config["scrape_configs"]}
    assert {
        job_of(monitor): monitor["spec"]["endpoints"][0]["path"] for monitor in documents(PRODUCTION, "ServiceMonitor")
    } == known


def job_of(monitor: dict[str, Any]) -> str:
    """As the operator does: what relabelling says, or the Service's label `jobLabel`."""
    (service,) = scraped(monitor)
    (endpoint,) = monitor["spec"]["endpoints"]
    for relabelling in endpoint.get("relabelings", []):
        if relabelling["targetLabel"] == "job":
            return str(relabelling["replacement"])
    return str(service["metadata"]["labels"][monitor["spec"]["jobLabel"]])


def scraped(monitor: dict[str, Any]) -> list[dict[str, Any]]:
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    return [found for found in documents(PRODUCTION, "Service") if wanted <= found["metadata"].get("labels", {}).items()]


def test_each_monitor_finds_one_service_and_its_port() -> None:
    for monitor in documents(PRODUCTION, "ServiceMonitor"):
        # Two Services with the same pods would have each pod scraped twice.
        (service,) = scraped(monitor)
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert service["metadata"]["namespace"] == monitor["metadata"]["namespace"]


def test_every_dashboard_is_there_for_grafanas_sidecar() -> None:
    maps = {name: found for name, found in named(PRODUCTION, "ConfigMap").items() if name.startswith("churn-dashboard-")}
    assert set(maps) == {f"churn-dashboard-{name}" for name in BOARDS}
    for name in BOARDS:
        found = maps[f"churn-dashboard-{name}"]
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert found["data"] == {f"{name}.json": (CHECKOUT / "monitoring/dashboards" / f"{name}.json").read_text()}
        # `kubectl apply` keeps a copy in an annotation, of 256 KiB at most.
        assert len(found["data"][f"{name}.json"]) < 200_000
