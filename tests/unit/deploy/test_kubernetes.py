from __future__ import annotations

import asyncio
import importlib.resources
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import prefect.settings
import pytest
import yaml
from prefect.runner import Runner
from prefect.runner.server import build_server
from prefect.settings.base import PrefectBaseSettings

from churn.config.settings import Settings, load_settings
from service.app import create_app
from service.prediction_log.sink import PING_SECONDS
from service.rollout.champion_follower import FIRST_POLL_SECONDS, MAX_FIRST_POLL_SECONDS
from service.server.run import DRAIN_SECONDS, FINISH_SECONDS, check_settings
from tests.unit.deploy.commands import PROJECT, assert_is_churn_command
from tests.unit.deploy.manifests import (
    K8S,
    OVERLAYS,
    containers,
    documents,
    environment,
    named,
    our_pods,
    pods,
    probes,
    render,
)
from tests.unit.service.fakes import KEYS, make_settings
from tools.stack.dockerfile import lineage, read_stages

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


@cache
def read_schema(name: str, version: str) -> Any:
    assert version in VERSIONS
    schemas = Path(str(importlib.resources.files("kubernetes_validate")))
    return json.loads((schemas / name).read_text())


@overlays
@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_is_valid(overlay: str, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="needs: pip install kubernetes-validate")
    # It reads megabytes of schemas anew for each document.
    monkeypatch.setattr("kubernetes_validate.utils.schema_contents", read_schema)
    rendered = render(overlay)
    assert len(rendered) > 15
    for document in rendered:
        assert document, "an empty document"
        # The Prometheus operator's kinds are not Kubernetes': test_prometheus_operator.py has their rules.
        if not document["apiVersion"].startswith("monitoring.coreos.com/"):
            # An unknown kind raises too, so that nothing is skipped.
            validator.validate(document, version, strict=True)


def kustomizations() -> list[Path]:
    return sorted(path.parent for path in K8S.rglob("kustomization.yaml"))


@pytest.mark.parametrize("folder", kustomizations(), ids=lambda folder: str(folder.relative_to(K8S)))
def test_no_file_is_forgotten(folder: Path) -> None:
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    mentioned = {*kustomization["resources"], *(patch["path"] for patch in kustomization.get("patches", []))}
    mentioned |= {name for made in kustomization.get("configMapGenerator", []) for name in made.get("envs", [])}
    there = {path.name for path in folder.iterdir()} - {"kustomization.yaml"}
    assert there == {name for name in mentioned if not name.startswith("..")}


def test_production_takes_every_component() -> None:
    taken = yaml.safe_load((K8S / "overlays/production/kustomization.yaml").read_text())["components"]
    assert sorted(taken) == [f"../../components/{folder.name}" for folder in sorted((K8S / "components").iterdir())]


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
    assert {tuple(words[:3]) for words in commands} >= {
        ("churn", "data", "pull"),
        ("churn", "exporter"),
        ("churn", "flows"),
        ("churn", "serve"),
        ("churn", "store", "migrate"),
    }
    for words in commands:
        assert_is_churn_command(words)


@overlays
def test_settings_exist_and_hold(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {f"CHURN_{name.upper()}" for name in Settings.model_fields}
    for pod in our_pods(overlay).values():
        for container in containers(pod):
            told = environment(overlay, container)
            assert {name for name in told if name.startswith("CHURN_")} <= known
            assert all(name.startswith(("CHURN_", "PREFECT_")) for name in told)
            settings = settings_of(overlay, container, monkeypatch)
            assert settings.tracking_uri.startswith("http") or container["name"] == "migrate"
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
            # Training and scoring turn ids into pseudonyms as the service does, or they would know nobody of the store again.
            known = {"churn-service": set(SECRETS), "flows": {"CHURN_STORE_URL", "CHURN_PSEUDONYM_KEY"}}
            wanted = known.get(name if name == "churn-service" else container["name"], {"CHURN_STORE_URL"})
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
    assert all(probe["httpGet"] == {"path": "/metrics", "port": "metrics"} for probe in probes(container))


@overlays
def test_runners_probes_ask_prefects_own_server_within_the_pod(overlay: str) -> None:
    (container,) = pods(overlay)["churn-flows"]["containers"]
    told = environment(overlay, container)
    assert told["PREFECT_RUNNER_SERVER_ENABLE"] == "true"
    # Whoever reaches that server may stop the runner.
    assert told["PREFECT_RUNNER_SERVER_HOST"] == "127.0.0.1"
    routes = set(asyncio.run(build_server(Runner())).openapi()["paths"])
    asked = {}
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        words = container[name]["exec"]["command"]
        assert words[:2] == ["python", "-c"]
        compile(words[2], name, "exec")
        assert f'HTTPConnection("{told["PREFECT_RUNNER_SERVER_HOST"]}", {told["PREFECT_RUNNER_SERVER_PORT"]},' in words[2]
        path = re.search(r'"GET", "(\S+)"', words[2])
        assert path
        asked[name] = path[1]
    assert set(asked.values()) <= routes
    # Ready is who reaches Prefect; alive is alive: a training goes on without it.
    assert asked == {"startupProbe": "/health", "readinessProbe": "/health", "livenessProbe": "/run_count"}


@overlays
def test_whatever_stays_has_every_probe(overlay: str) -> None:
    for name in (*named(overlay, "Deployment"), *named(overlay, "StatefulSet")):
        (container,) = pods(overlay)[name]["containers"]
        assert len(list(probes(container))) == 3, name


@overlays
def test_there_is_time_to_start_to_answer_and_to_stop(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    container, pod = service(overlay), pods(overlay)["churn-service"]
    startup = container["startupProbe"]
    # Twenty seconds to import on a busy node.
    longest = FIRST_POLL_SECONDS + MAX_FIRST_POLL_SECONDS + PING_SECONDS + 20
    assert startup["periodSeconds"] * startup["failureThreshold"] > longest
    assert container["readinessProbe"]["timeoutSeconds"] > PING_SECONDS
    settings = settings_of(overlay, container, monkeypatch)
    stop = container["lifecycle"]["preStop"]["sleep"]["seconds"] + DRAIN_SECONDS + FINISH_SECONDS
    # The last write of the drain may wait for the store as long as any other.
    stop += settings.spool_drain_seconds + settings.store_timeout_seconds
    assert settings.spool_drain_seconds > 0
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
    claims = named(overlay, "StatefulSet")["churn-service"]["spec"]["volumeClaimTemplates"]
    for name, pod in our_pods(overlay).items():
        context = pod["securityContext"]
        assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == user
        writable = {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume}
        if name == "churn-service":
            writable |= {claim["metadata"]["name"] for claim in claims}
        for container in containers(pod):
            mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
            assert {mounts[name] for name in writable} == {image.environment["CHURN_HOME"], image.environment["HOME"]}
            assert mounts.keys() - writable <= {volume["name"] for volume in pod["volumes"]}


@overlays
def test_predictions_that_wait_outlive_their_pod(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = named(overlay, "StatefulSet")["churn-service"]["spec"]
    (claim,) = spec["volumeClaimTemplates"]
    home = lineage(read_stages(), "service").environment["CHURN_HOME"]
    assert {"name": claim["metadata"]["name"], "mountPath": home} in service(overlay)["volumeMounts"]
    assert set(spec["persistentVolumeClaimRetentionPolicy"].values()) == {"Retain"}
    size = re.fullmatch(r"(\d+)Gi", claim["spec"]["resources"]["requests"]["storage"])
    assert size
    # Half of it is for models and for what is set aside.
    assert int(size[1]) * 2**30 >= 2 * settings_of(overlay, service(overlay), monkeypatch).spool_max_bytes
    headless = named(overlay, "Service")[spec["serviceName"]]
    assert headless["spec"]["clusterIP"] == "None"


@overlays
def test_migration_can_be_applied_again(overlay: str) -> None:
    (job,) = documents(overlay, "Job")
    version = PROJECT["version"].replace(".", "-")
    assert job["metadata"]["name"] == f"churn-migrate-{version}"
    assert job["spec"]["ttlSecondsAfterFinished"] > 0
    # A generated ConfigMap's name changes with each setting, and a Job's template must not.
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert "envFrom" not in container
    assert environment(overlay, container) == {"CHURN_STORE_URL": None}
    assert f"job/{job['metadata']['name']}" in (K8S / "README.md").read_text()


def test_production_trains_on_its_own_customers() -> None:
    overlay = "overlays/production"
    for container in containers(pods(overlay)["churn-flows"]):
        data = environment(overlay, container)["CHURN_DATA"]
        mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        assert data
        assert mounts[str(Path(data).parent)] == {"name": "customers", "mountPath": str(Path(data).parent), "readOnly": True}


def test_local_servers_are_where_the_settings_look() -> None:
    overlay = "overlays/local"
    services = {name: found["spec"]["ports"][0]["port"] for name, found in named(overlay, "Service").items()}
    told = environment(overlay, service(overlay))
    assert told["CHURN_TRACKING_URI"] == f"http://mlflow:{services['mlflow']}"
    assert told["PREFECT_API_URL"] == f"http://prefect:{services['prefect']}/api"
    assert f"@postgres:{services['postgres']}/" in (K8S / "README.md").read_text()
    for name in ("mlflow", "prefect"):
        (container,) = pods(overlay)[name]["containers"]
        assert container["ports"] == [{"name": name, "containerPort": services[name]}]
        assert f"--port={services[name]}" in container["command"]
