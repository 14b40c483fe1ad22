from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import prefect.settings
import pytest
import yaml
from prefect.settings.base import PrefectBaseSettings

from churn.settings import Settings, load_settings
from service.app import create_app
from service.champion import FIRST_LOOK_SECONDS
from service.row_keeper import PING_SECONDS
from service.server import DRAIN_SECONDS, FINISH_SECONDS, check_settings
from tests.unit.deploy.commands import PROJECT, assert_is_churn_command
from tests.unit.deploy.dockerfile import lineage, read_stages
from tests.unit.deploy.manifests import K8S, OVERLAYS, containers, documents, environment, our_pods, pods, probes, render
from tests.unit.service.fakes import KEYS, make_settings

SECRETS: dict[str, dict[str, object]] = {
    "CHURN_STORE_URL": {"key": "store-url"},
    "CHURN_API_KEYS": {"key": "api-keys"},
    "CHURN_PSEUDONYM_KEY": {"key": "pseudonym-key", "optional": True},
}
# 1.30 is the oldest with `preStop: sleep` switched on.
VERSIONS = ("1.30", "1.37")

overlays = pytest.mark.parametrize("overlay", OVERLAYS)


def settings_of(overlay: str, container: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"CHURN_{name.upper()}", raising=False)
    secret = {
        "CHURN_STORE_URL": "postgresql+psycopg://churn@postgres/churn",
        "CHURN_API_KEYS": KEYS,
        "CHURN_PSEUDONYM_KEY": "k" * 32,
    }
    for name, value in environment(overlay, container).items():
        monkeypatch.setenv(name, value if value is not None else secret[name])
    return load_settings()


def service(overlay: str) -> dict[str, Any]:
    return pods(overlay)["churn-service"]["containers"][0]  # type: ignore[no-any-return]


@overlays
@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_is_valid(overlay: str, version: str) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="needs: pip install kubernetes-validate")
    rendered = render(overlay)
    assert len(rendered) > 10
    for document in rendered:
        assert document, "an empty document"
        # An unknown kind raises too, so that nothing is skipped.
        validator.validate(document, version, strict=True)


@pytest.mark.parametrize("folder", OVERLAYS)
def test_no_file_is_forgotten(folder: str) -> None:
    kustomization = yaml.safe_load((K8S / folder / "kustomization.yaml").read_text())
    named = {*kustomization["resources"], *(patch["path"] for patch in kustomization.get("patches", []))}
    named |= {name for made in kustomization["configMapGenerator"] for name in made.get("envs", [])}
    there = {path.name for path in (K8S / folder).iterdir()} - {"kustomization.yaml"}
    assert there == named - {"../../base"}


@overlays
def test_images_are_the_dockerfiles_in_the_projects_version(overlay: str) -> None:
    stages = read_stages()
    for pod in our_pods(overlay).values():
        for container in containers(pod):
            name, tag = container["image"].rsplit("/", 1)[-1].split(":")
            assert name.removeprefix("churn-") in stages
            assert tag == PROJECT["version"]
    assert service(overlay)["image"].rsplit("/", 1)[-1].startswith("churn-service:")


def test_production_takes_images_from_a_registry_and_local_does_not() -> None:
    for overlay, in_registry in (("overlays/local", False), ("overlays/production", True)):
        images = {container["image"] for pod in our_pods(overlay).values() for container in containers(pod)}
        assert {"/" in image for image in images} == {in_registry}


@overlays
def test_commands_exist(overlay: str) -> None:
    commands = [container["command"] for pod in our_pods(overlay).values() for container in containers(pod)]
    assert sorted(commands) == [["churn", "data", "pull"], ["churn", "exporter"], ["churn", "flows"], ["churn", "serve"]]
    for words in commands:
        assert_is_churn_command(words)


@overlays
def test_settings_exist_and_hold(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {f"CHURN_{name.upper()}" for name in Settings.model_fields}
    for pod in our_pods(overlay).values():
        for container in containers(pod):
            told = environment(overlay, container)
            assert {name for name in told if name.startswith("CHURN_")} <= known
            assert {name for name in told if not name.startswith("CHURN_")} <= {"PREFECT_API_URL"}
            settings = settings_of(overlay, container, monkeypatch)
            assert settings.tracking_uri.startswith("http")
            assert settings.store_url.startswith("postgresql")
    check_settings(settings_of(overlay, service(overlay), monkeypatch))


@overlays
def test_every_variable_of_a_server_is_one_that_it_knows(overlay: str) -> None:
    for pod in pods(overlay).values():
        for container in containers(pod):
            told = {name for name in environment(overlay, container) if name.startswith("PREFECT_")}
            assert told <= prefect_variables(prefect.settings.Settings)


def prefect_variables(settings: type[PrefectBaseSettings]) -> set[str]:
    prefix = settings.model_config["env_prefix"]
    names: set[str] = set()
    for name, field in settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, PrefectBaseSettings):
            names |= prefect_variables(kind)
        else:
            names.add(f"{prefix}{name}".upper())
    return names


@overlays
def test_secrets_are_referred_to_and_never_written(overlay: str) -> None:
    assert documents(overlay, "Secret") == []
    for name, pod in our_pods(overlay).items():
        for container in containers(pod):
            entries = {entry["name"]: entry for entry in container["env"]}
            wanted = set(SECRETS) if name == "churn-service" else {"CHURN_STORE_URL"}
            assert {key for key in SECRETS if key in environment(overlay, container)} == wanted
            for variable in wanted:
                assert entries[variable] == {
                    "name": variable,
                    "valueFrom": {"secretKeyRef": {"name": "churn-secrets", **SECRETS[variable]}},
                }


def test_readme_makes_every_key_of_the_secret() -> None:
    made = set(re.findall(r"--from-(?:literal|file)=([\w-]+)=", (K8S / "README.md").read_text()))
    used = set(re.findall(r"name: churn-secrets, key: ([\w-]+)", "".join(path.read_text() for path in K8S.rglob("*.yaml"))))
    assert made == used


@overlays
def test_probes_ask_routes_on_ports_that_are_there(overlay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    container = service(overlay)
    port = settings_of(overlay, container, monkeypatch).port
    assert container["ports"] == [{"name": "http", "containerPort": port}]
    routes = create_app(make_settings(tmp_path)).openapi()["paths"]
    asked = {name: container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert {probe["path"] for probe in asked.values()} <= set(routes)
    assert {probe["port"] for probe in asked.values()} == {"http"}
    # Readiness goes with the store and the model; life does not.
    assert asked["readinessProbe"]["path"] == "/readyz"
    assert asked["livenessProbe"]["path"] == asked["startupProbe"]["path"] == "/healthz"


@overlays
def test_exporters_probe_asks_its_port(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    container = pods(overlay)["churn-exporter"]["containers"][0]
    settings = settings_of(overlay, container, monkeypatch)
    assert container["ports"] == [{"name": "metrics", "containerPort": settings.exporter_port}]
    # From outside the pod, as Prometheus will.
    assert settings.exporter_host == "0.0.0.0"  # noqa: S104
    assert container["livenessProbe"]["httpGet"] == {"path": "/metrics", "port": "metrics"}


@overlays
def test_there_is_time_to_start_to_answer_and_to_stop(overlay: str) -> None:
    container, pod = service(overlay), pods(overlay)["churn-service"]
    startup = container["startupProbe"]
    # Twenty seconds to import on a busy node.
    assert startup["periodSeconds"] * startup["failureThreshold"] > FIRST_LOOK_SECONDS + PING_SECONDS + 20
    assert container["readinessProbe"]["timeoutSeconds"] > PING_SECONDS
    stop = container["lifecycle"]["preStop"]["sleep"]["seconds"] + DRAIN_SECONDS + FINISH_SECONDS
    assert pod["terminationGracePeriodSeconds"] > stop
    assert all(
        probe["timeoutSeconds"] <= probe["periodSeconds"]
        for one in pods(overlay).values()
        for probe in probes(one["containers"][0])
    )


@overlays
def test_pods_are_restricted(overlay: str) -> None:
    for name, pod in pods(overlay).items():
        assert pod["automountServiceAccountToken"] is False, name
        # Else a Service's name becomes a setting: churn-exporter gives CHURN_EXPORTER_PORT=tcp://…
        assert pod["enableServiceLinks"] is False, name
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert container["resources"]["limits"].keys() == {"memory"}


@overlays
def test_users_and_folders_are_the_images(overlay: str) -> None:
    image = lineage(read_stages(), "service")
    user = int(image.all("USER")[-1].split(":")[0])
    for pod in our_pods(overlay).values():
        context = pod["securityContext"]
        assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == user
        writable = {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume}
        for container in containers(pod):
            mounted = {mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] in writable}
            assert mounted == {image.environment["CHURN_HOME"], image.environment["HOME"]}
            assert {mount["name"] for mount in container["volumeMounts"]} <= {volume["name"] for volume in pod["volumes"]}


@overlays
def test_whatever_selects_finds_something(overlay: str) -> None:
    labels = [found["spec"]["template"]["metadata"]["labels"] for found in documents(overlay, "Deployment")]

    def finds(selector: dict[str, str]) -> bool:
        return any(selector.items() <= there.items() for there in labels)

    selectors = [found["spec"]["selector"] for found in documents(overlay, "Service")]
    selectors += [found["spec"]["selector"]["matchLabels"] for found in documents(overlay, "PodDisruptionBudget")]
    selectors += [found["spec"]["podSelector"]["matchLabels"] for found in documents(overlay, "NetworkPolicy")]
    assert len(selectors) >= 5
    assert all(finds(selector) for selector in selectors)
    names = {found["metadata"]["name"] for found in documents(overlay, "Deployment")}
    assert {found["spec"]["scaleTargetRef"]["name"] for found in documents(overlay, "HorizontalPodAutoscaler")} <= names
    accounts = {found["metadata"]["name"] for found in documents(overlay, "ServiceAccount")}
    assert {pod["serviceAccountName"] for pod in our_pods(overlay).values()} == accounts


@overlays
def test_services_lead_to_ports_that_are_there(overlay: str) -> None:
    for found in documents(overlay, "Service"):
        pod = pods(overlay)[found["metadata"]["name"]]
        named = {port["name"] for container in pod["containers"] for port in container["ports"]}
        assert {port["targetPort"] for port in found["spec"]["ports"]} <= named


def test_replicas_are_the_autoscalers_business() -> None:
    for overlay, least in (("base", 2), ("overlays/production", 3)):
        (scaler,) = documents(overlay, "HorizontalPodAutoscaler")
        (deployment,) = (found for found in documents(overlay, "Deployment") if found["metadata"]["name"] == "churn-service")
        assert scaler["spec"]["minReplicas"] == least
        assert "replicas" not in deployment["spec"]
        assert len(documents(overlay, "PodDisruptionBudget")) == 1
    assert documents("overlays/local", "HorizontalPodAutoscaler") == []


@overlays
def test_network_is_closed_but_for_what_is_used(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    policies = {found["metadata"]["name"]: found["spec"] for found in documents(overlay, "NetworkPolicy")}
    assert policies["churn-closed"] == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "churn"}},
        "policyTypes": ["Ingress", "Egress"],
    }
    for found in documents(overlay, "Deployment"):
        if found["metadata"]["name"].startswith("churn-"):
            assert found["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/part-of"] == "churn"
    settings = settings_of(overlay, service(overlay), monkeypatch)
    prefect_url = environment(overlay, service(overlay))["PREFECT_API_URL"]
    assert prefect_url
    assert opened(policies["churn-dependencies"]) == {53, 5432, port_of(settings.tracking_uri)}
    assert opened(policies["churn-flows"]) == {443, port_of(prefect_url)}
    assert all("egress" not in spec for name, spec in policies.items() if name not in ("churn-dependencies", "churn-flows"))
    assert {port["port"] for name in policies for rule in policies[name].get("ingress", []) for port in rule["ports"]} == {
        "http",
        "metrics",
    }


def opened(policy: dict[str, Any]) -> set[int]:
    return {port["port"] for rule in policy["egress"] for port in rule["ports"]}


def port_of(url: str) -> int:
    found = re.search(r":(\d+)(/|$)", url)
    assert found, url
    return int(found[1])


def test_production_trains_on_its_own_customers() -> None:
    overlay = "overlays/production"
    for container in containers(pods(overlay)["churn-flows"]):
        data = environment(overlay, container)["CHURN_DATA"]
        mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        assert data
        assert mounts[str(Path(data).parent)] == {"name": "customers", "mountPath": str(Path(data).parent), "readOnly": True}


def test_local_servers_are_where_the_settings_look() -> None:
    overlay = "overlays/local"
    services = {found["metadata"]["name"]: found["spec"]["ports"][0]["port"] for found in documents(overlay, "Service")}
    told = environment(overlay, service(overlay))
    assert told["CHURN_TRACKING_URI"] == f"http://mlflow:{services['mlflow']}"
    assert told["PREFECT_API_URL"] == f"http://prefect:{services['prefect']}/api"
    assert f"@postgres:{services['postgres']}/" in (K8S / "README.md").read_text()
    for name in ("mlflow", "prefect"):
        (container,) = pods(overlay)[name]["containers"]
        assert container["ports"] == [{"name": name, "containerPort": services[name]}]
        assert f"--port={services[name]}" in container["command"]
