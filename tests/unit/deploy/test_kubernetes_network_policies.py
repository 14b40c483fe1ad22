"""Who finds whom, and who may reach whom: selectors, Services, autoscaling, Ingress, network policies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from churn.config.settings import Settings
from service.app import create_app
from tests.unit.deploy.manifests import OVERLAYS, SERVERS, documents, environment, named, our_pods, pods, templates
from tests.unit.service.fakes import make_settings

overlays = pytest.mark.parametrize("overlay", OVERLAYS)
PRODUCTION = "overlays/production"
Document = dict[str, Any]


def labels(overlay: str) -> dict[str, dict[str, str]]:
    """Name of whatever makes pods → their labels."""
    return {name: template["metadata"]["labels"] for name, template in templates(overlay).items()}


def matches(selector: Document, there: dict[str, str]) -> bool:
    """What a label selector says of labels; it knows `In`, which is all that is used."""
    expressions = selector.get("matchExpressions", [])
    assert {expression["operator"] for expression in expressions} <= {"In"}
    return selector.get("matchLabels", {}).items() <= there.items() and all(
        there.get(expression["key"]) in expression["values"] for expression in expressions
    )


def selected(overlay: str, selector: Document) -> set[str]:
    return {name for name, there in labels(overlay).items() if matches(selector, there)}


@overlays
def test_whatever_selects_finds_something(overlay: str) -> None:
    selectors = [{"matchLabels": found["spec"]["selector"]} for found in documents(overlay, "Service")]
    for kind in ("PodDisruptionBudget", "Deployment", "StatefulSet"):
        selectors += [found["spec"]["selector"] for found in documents(overlay, kind)]
    selectors += [found["spec"]["podSelector"] for found in documents(overlay, "NetworkPolicy")]
    for pod in pods(overlay).values():
        selectors += [spread["labelSelector"] for spread in pod.get("topologySpreadConstraints", [])]
    assert len(selectors) >= 15
    assert all(selected(overlay, selector) for selector in selectors)
    for kind in ("Deployment", "StatefulSet"):
        for name, found in named(overlay, kind).items():
            assert selected(overlay, found["spec"]["selector"]) == {name}


@overlays
def test_every_value_that_a_policy_lists_is_a_pods_name(overlay: str) -> None:
    listed = {
        value
        for policy in documents(overlay, "NetworkPolicy")
        for selector in selectors_in(policy["spec"])
        for expression in selector.get("matchExpressions", [])
        for value in expression["values"]
    }
    assert "churn-service" in listed
    assert listed <= {there["app.kubernetes.io/name"] for there in labels(overlay).values()}


def selectors_in(spec: Document) -> Iterator[Document]:
    yield spec["podSelector"]
    for rule in (*spec.get("ingress", []), *spec.get("egress", [])):
        for peer in (*rule.get("from", []), *rule.get("to", [])):
            if "podSelector" in peer and "namespaceSelector" not in peer:
                yield peer["podSelector"]


@overlays
def test_accounts_are_used_and_there(overlay: str) -> None:
    assert {pod["serviceAccountName"] for pod in our_pods(overlay).values()} == set(named(overlay, "ServiceAccount"))
    assert all(found["automountServiceAccountToken"] is False for found in documents(overlay, "ServiceAccount"))


@overlays
def test_services_lead_to_ports_that_are_there(overlay: str) -> None:
    for found in documents(overlay, "Service"):
        (name,) = selected(overlay, {"matchLabels": found["spec"]["selector"]})
        ports = {port["name"] for container in pods(overlay)[name]["containers"] for port in container["ports"]}
        assert {port["targetPort"] for port in found["spec"]["ports"]} <= ports


def test_replicas_are_the_autoscalers_business() -> None:
    for overlay, least in (("base", 2), (PRODUCTION, 3)):
        (scaler,) = documents(overlay, "HorizontalPodAutoscaler")
        target = scaler["spec"]["scaleTargetRef"]
        scaled = named(overlay, target["kind"])[target["name"]]
        assert scaled["apiVersion"] == target["apiVersion"]
        assert "replicas" not in scaled["spec"]
        assert scaler["spec"]["minReplicas"] == least
        # Of what else could a share be used?
        assert all("cpu" in container["resources"]["requests"] for container in pods(overlay)[target["name"]]["containers"])
        (budget,) = documents(overlay, "PodDisruptionBudget")
        assert selected(overlay, budget["spec"]["selector"]) == {target["name"]}
    assert documents("overlays/local", "HorizontalPodAutoscaler") == documents("overlays/local", "PodDisruptionBudget") == []


@overlays
def test_service_is_spread_over_zones_and_nodes(overlay: str) -> None:
    spread = pods(overlay)["churn-service"]["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]


@overlays
def test_priority_classes_are_there(overlay: str) -> None:
    asked = {pod["priorityClassName"] for pod in pods(overlay).values() if "priorityClassName" in pod}
    assert asked == set(named(overlay, "PriorityClass"))


def test_ingress_leads_to_public_routes_and_to_nothing_else(tmp_path: Path) -> None:
    (ingress,) = documents(PRODUCTION, "Ingress")
    spec = ingress["spec"]
    (rule,) = spec["rules"]
    assert [entry["hosts"] for entry in spec["tls"]] == [[rule["host"]]]
    routes = set(create_app(make_settings(tmp_path)).openapi()["paths"])
    opened = set()
    for path in rule["http"]["paths"]:
        backend = path["backend"]["service"]
        ports = {port["name"] for port in named(PRODUCTION, "Service")[backend["name"]]["spec"]["ports"]}
        assert backend["port"]["name"] in ports
        found = {route for route in routes if is_behind(route, path)}
        assert found, path["path"]
        opened |= found
    inside = {route for route in routes - opened if not route.startswith("/admin/")}
    assert inside == {"/healthz", "/readyz", "/metrics", "/health"}
    assert not [route for route in opened if route.startswith("/admin")]


def is_behind(route: str, path: Document) -> bool:
    if path["pathType"] == "Exact":
        return bool(route == path["path"])
    return bool(route == path["path"] or route.startswith(path["path"].rstrip("/") + "/"))


def test_ingress_lets_bodies_through_that_the_service_takes() -> None:
    (ingress,) = documents(PRODUCTION, "Ingress")
    sizes = {text for name, text in ingress["metadata"]["annotations"].items() if name.endswith("body-size")}
    most = environment(PRODUCTION, pods(PRODUCTION)["churn-service"]["containers"][0]).get(
        "CHURN_MAX_BODY_BYTES", str(Settings.model_fields["max_body_bytes"].default)
    )
    assert sizes == {most}


# Who may reach what, by port. The service needs neither Prefect nor the internet.
EGRESS = {
    "churn-service": {53, 5432, 5000},
    "churn-flows": {53, 5432, 5000, 4200},
    "churn-exporter": {53, 5432},
    "churn-migrate-0-1-0": {53, 5432},
    "churn-retention": {53, 5432},
}


def rules(overlay: str, name: str, direction: str) -> list[Document]:
    """Every rule that concerns a pod, after having seen that it is closed but for these."""
    policies = [
        found["spec"]
        for found in documents(overlay, "NetworkPolicy")
        if name in selected(overlay, found["spec"]["podSelector"]) and direction.capitalize() in found["spec"]["policyTypes"]
    ]
    assert any(direction not in policy for policy in policies), f"{name} is not closed"
    return [rule for policy in policies for rule in policy.get(direction, [])]


@overlays
def test_pods_reach_what_they_use_and_nothing_else(overlay: str) -> None:
    for name in our_pods(overlay):
        opened = {port["port"] for rule in rules(overlay, name, "egress") for port in rule["ports"]}
        public = {443} if (overlay, name) == ("overlays/local", "churn-flows") else set()
        assert opened == EGRESS[name] | public, name
    told = environment(overlay, pods(overlay)["churn-flows"]["containers"][0])
    assert urlsplit(told["CHURN_TRACKING_URI"]).port == 5000
    assert urlsplit(told["PREFECT_API_URL"]).port == 4200


@overlays
def test_names_are_asked_of_the_clusters_own_server(overlay: str) -> None:
    for name in our_pods(overlay):
        asked = [rule for rule in rules(overlay, name, "egress") if 53 in {port["port"] for port in rule["ports"]}]
        assert [rule["to"] for rule in asked] == [
            [
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
                }
            ]
        ]


@overlays
def test_every_way_is_narrowed_where_it_is_known_where_it_leads(overlay: str) -> None:
    wide = {
        port["port"]
        for name in our_pods(overlay)
        for rule in rules(overlay, name, "egress")
        if "to" not in rule
        for port in rule["ports"]
    }
    assert wide == {"base": {5432, 5000, 4200}, "overlays/local": set(), PRODUCTION: {5432}}[overlay]
    for rule in rules("overlays/local", "churn-flows", "egress"):
        for peer in rule["to"]:
            if "ipBlock" not in peer and "namespaceSelector" not in peer:
                (server,) = selected("overlays/local", peer["podSelector"])
                (port,) = {port["port"] for port in rule["ports"]}
                assert port in {port["containerPort"] for port in pods("overlays/local")[server]["containers"][0]["ports"]}


@overlays
def test_nobody_comes_in_but_by_name(overlay: str) -> None:
    for name, pod in pods(overlay).items():
        ports = {port["name"] for container in pod["containers"] for port in container.get("ports", [])}
        for rule in rules(overlay, name, "ingress"):
            assert rule["from"], name
            # An empty selector selects everybody.
            assert all(any(selector.values()) for peer in rule["from"] for selector in peer.values())
            assert {port["port"] for port in rule["ports"]} <= ports
    outside = {
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in rules(overlay, "churn-service", "ingress")
        for peer in rule["from"]
        if "namespaceSelector" in peer
    }
    assert outside == ({"ingress-nginx", "monitoring"} if overlay == PRODUCTION else set())


def test_local_servers_let_in_whoever_uses_them() -> None:
    overlay = "overlays/local"
    for server in SERVERS:
        users = {name for name in our_pods(overlay) if reaches(overlay, name, server)}
        let_in = {
            name
            for rule in rules(overlay, server, "ingress")
            for peer in rule["from"]
            for name in selected(overlay, peer["podSelector"])
        }
        assert let_in == users, server
        assert rules(overlay, server, "egress") == []


def reaches(overlay: str, name: str, server: str) -> bool:
    return any(
        "podSelector" in peer and "namespaceSelector" not in peer and server in selected(overlay, peer["podSelector"])
        for rule in rules(overlay, name, "egress")
        for peer in rule.get("to", [])
    )


def test_egress_of_the_migration_is_named_after_its_job() -> None:
    assert [name for name in EGRESS if re.match("churn-migrate", name)] == list(named("base", "Job"))
